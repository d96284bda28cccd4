"""The breaker: while a store is away, callers are refused at once instead of each waiting out the deadline."""

import time

from service.protocol.errors import StoreUnavailable
from service.storage.figures import REFUSED

_PROBE_EVERY = 0.25


class Breaker:
    """Open after a failure; then one caller each 250 ms is let through to see whether the store is back.

    Used from one event loop. It keeps only times, so a caller that is cancelled half-way leaves nothing behind.
    """

    def __init__(self, store: str) -> None:
        self._store = store
        self._next_probe: float | None = None
        self._last_answer = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the store has not answered since it last failed to."""
        return self._next_probe is not None

    def enter(self) -> float:
        """When this call began, to be handed to `failed`. Raises `StoreUnavailable` at once while the store is away."""
        began = time.monotonic()
        if self._next_probe is not None:
            if began < self._next_probe:
                REFUSED.add(self._store)
                raise StoreUnavailable(self._store, detail="was away a moment ago")
            self._next_probe = began + _PROBE_EVERY
        return began

    def failed(self, began: float) -> bool:
        """The store did not answer a call that began then; whether that counts. It does not when another call has been
        answered since: then the store is slow, not away, and to turn everybody off would make it slower."""
        counts = began >= self._last_answer
        if counts:
            self._next_probe = time.monotonic() + _PROBE_EVERY
        return counts

    def answered(self) -> None:
        """The store answered, whatever it said."""
        self._next_probe = None
        self._last_answer = time.monotonic()
