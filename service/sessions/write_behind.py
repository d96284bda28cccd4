"""Writing last uses behind the request, in batches: the newest value per name, at least once a second."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from typing import Generic, TypeVar

import structlog

from service.protocol.errors import Conflict, StoreUnavailable

_log = structlog.get_logger("gatepost.write_behind")
T = TypeVar("T")
_INTERVAL = 0.5
_BOUND = 100_000


class WriteBehind(Generic[T]):
    """Keeps the newest value of each name and hands all to `write` each half second.

    While the store is away values are kept, up to 100,000 names; past that the oldest names are dropped: what is lost
    is a last-use time or a floor that the next use raises again, never a credential.
    """

    def __init__(self, write: Callable[[Mapping[str, T]], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: dict[str, T] = {}
        self._task: asyncio.Task[None] | None = None

    def put(self, name: str, value: T) -> None:
        """Remember a value to be written; costs no I/O."""
        self._waiting.pop(name, None)
        self._waiting[name] = value
        if len(self._waiting) > _BOUND:
            del self._waiting[next(iter(self._waiting))]

    async def start(self) -> None:
        """Begin writing."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what is left and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()

    async def flush(self) -> None:
        """Write what is waiting now. A store that is away keeps it waiting."""
        if not self._waiting:
            return
        batch, self._waiting = self._waiting, {}
        try:
            await self._write(batch)
        except (Conflict, StoreUnavailable) as refusal:
            _log.debug("write-behind waits", reason=refusal.detail)
            self._put_back(batch)
        except asyncio.CancelledError:  # nobody knows how far it came; to write a value twice does no harm
            self._put_back(batch)
            raise

    def _put_back(self, batch: dict[str, T]) -> None:
        self._waiting = {**batch, **self._waiting}
        for name in list(islice(self._waiting, max(0, len(self._waiting) - _BOUND))):
            del self._waiting[name]

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                await self.flush()
            except Exception:  # the batch is lost, the next one need not be
                _log.exception("write-behind failed")
