"""A memory with an end: what callers can fill must not grow with them."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Bounded(OrderedDict[K, V]):
    """A mapping that `keep` holds to `bound` entries; the one that was put in first is forgotten first."""

    def __init__(self, bound: int = 10_000) -> None:
        super().__init__()
        self._bound = bound

    def keep(self, key: K, value: V) -> None:
        """Remember `value` instead of what was under `key`, where its place in the queue stays."""
        self[key] = value
        if len(self) > self._bound:
            self.popitem(last=False)
