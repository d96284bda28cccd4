"""Working through an outbox of the ledger: at once for what this worker has put in, now and then for the rest."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from service.protocol.errors import Refusal

_log = structlog.get_logger("gatepost.outbox")
_INTERVAL = timedelta(seconds=5)
_ENDS_WITHIN = timedelta(seconds=2)
_STANDS_AFTER = timedelta(milliseconds=500)


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long something that failed waits: twice as long each time, from `first` to `longest`."""

    first: timedelta
    longest: timedelta

    def after(self, tries: int) -> timedelta:
        """The pause after a failed try, when `tries` had failed before it."""
        return min(self.first * (1 << min(tries, 16)), self.longest)


class Outbox:
    """Runs `send_due` when `posted` is set, and every five seconds for what a try put off, another worker or a crash
    has left. Any number of workers may run one over the same ledger: who may send is settled there, by a claim.

    `send_due` says whether there is more to send at once. Whoever puts something in sets `posted` once it is committed.
    `gathers` is how long a round waits after that, so that what many acts put in goes together; `every` stands
    for the five seconds.
    """

    def __init__(
        self,
        name: str,
        send_due: Callable[[], Awaitable[bool]],
        posted: asyncio.Event,
        *,
        gathers: timedelta = timedelta(0),
        every: timedelta | None = None,
    ) -> None:
        self._name = name
        self._send_due = send_due
        self._posted = posted
        self._gathers = gathers
        self._every = every
        self._stops = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; what waits from before is sent in a moment, when the worker stands."""
        self._stops.clear()
        self._posted.set()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; a round under way may come to its end, for a moment. What was not sent waits in the ledger."""
        if self._task is None:
            return
        self._stops.set()
        self._posted.set()
        await asyncio.wait([self._task], timeout=_ENDS_WITHIN.total_seconds())
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        await _is_set(self._stops, within=_STANDS_AFTER)
        while True:
            if await _is_set(self._posted, within=self._every or _INTERVAL) and self._gathers:
                await _is_set(self._stops, within=self._gathers)
            self._posted.clear()
            if self._stops.is_set():
                return
            try:
                if await self._send_due():
                    self._posted.set()
            except Refusal as refusal:
                _log.debug("outbox waits", outbox=self._name, reason=refusal.detail)
            except Exception:  # a loop that ends would tell nobody until the restart
                _log.exception("outbox failed", outbox=self._name)


async def _is_set(event: asyncio.Event, *, within: timedelta) -> bool:
    """Wait for it, but not longer than this."""
    try:
        async with asyncio.timeout(within.total_seconds()):
            return await event.wait()
    except TimeoutError:
        return False
