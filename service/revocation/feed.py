"""How each worker's near-cache is kept exact: filled and reconciled from SQL, tailed from the stream.

Two loops run per worker. `_tail` takes in what the stream shows, within milliseconds. `_reconcile` re-reads SQL twice a
second: rows may become visible out of the order of their numbers, so it starts again from the number that was the
highest ten seconds ago (no transaction lasts that long). The set only grows until entries expire, so a flushed or
rolled-back Redis takes nothing back.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import structlog

from gatepost.revocation import RevocationSet
from service.protocol.errors import Refusal, StoreUnavailable
from service.revocation.entry import Recorded, RevocationEngine, RevocationLedger

_log = structlog.get_logger("gatepost.revocation")
_PAGE = 1_000
_OVERLAP = timedelta(seconds=10)
_INTERVAL = timedelta(milliseconds=500)


class RevocationFeed:
    """One worker's near-cache and the loops that feed it.

    `max_age` bounds how long answers may rest on the cache while neither store confirms it. `longest_life` is the
    longest life that any access token may have; an entry of a session or an epoch matters that long.
    """

    def __init__(
        self,
        ledger: RevocationLedger,
        engine: RevocationEngine,
        *,
        longest_life: timedelta,
        max_age: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self.revoked = RevocationSet()
        self._ledger = ledger
        self._engine = engine
        self._longest_life = longest_life
        self._max_age = max_age.total_seconds()
        self._now = now
        self._trusted_until = 0.0
        self._filled = False
        self._highest: deque[tuple[float, int]] = deque([(0.0, 0)])
        self._pushed: list[int] = []
        self._tasks: list[asyncio.Task[None]] = []

    def horizon(self, now: datetime) -> datetime:
        """Until when an entry made now matters: no access token that exists outlives it."""
        return now + self._longest_life + timedelta(minutes=1)

    @property
    def is_trusted(self) -> bool:
        """False until the first filling from SQL, and when no store has confirmed the cache within its age: then nobody
        knows what has been revoked meanwhile."""
        return time.monotonic() <= self._trusted_until

    @property
    def age(self) -> float | None:
        """Seconds since a store last confirmed the cache; None before the first filling."""
        return max(0.0, time.monotonic() - self._trusted_until + self._max_age) if self._filled else None

    def check_trusted(self) -> None:
        """Raises `StoreUnavailable` unless the cache is trusted."""
        if not self.is_trusted:
            raise StoreUnavailable("revocations", detail="the near-cache is too old to be believed")

    def settled(self) -> int:
        """A number below which every entry that will ever be visible is visible now; 0 at first."""
        return self._overlap_start(time.monotonic())

    def take_in(self, recorded: Iterable[Recorded]) -> None:
        """Make entries effective in this worker."""
        self.revoked.add_all(item.entry.revocation for item in recorded)

    def pushed(self, recorded: Iterable[Recorded]) -> None:
        """Note that the engine has these; the outbox is told at the next reconciliation."""
        self._pushed.extend(item.number for item in recorded)

    async def start(self) -> None:
        """Fill from SQL, if it is there, and start the two loops."""
        try:
            await self.reconcile()
        except StoreUnavailable as refusal:
            _log.warning("near-cache could not be filled yet", reason=refusal.detail)
        self._tasks = [asyncio.create_task(self._tail()), asyncio.create_task(self._reconcile_for_ever())]

    async def stop(self) -> None:
        """End the loops and write what the outbox has not been told."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._tell_outbox()
        except StoreUnavailable:
            _log.warning("outbox not told of pushed entries; they will be pushed again")

    async def reconcile(self) -> None:
        """Read SQL again from ten seconds back, or from its beginning when it was put back to an older state; tell the
        outbox what was pushed. Raises `StoreUnavailable`."""
        began = time.monotonic()
        number = self._overlap_start(began)
        while True:
            page = await self._ledger.after(number, limit=_PAGE)
            if not page and number > await self._ledger.highest():
                _log.warning("the ledger was put back to an older state: it is read again from its beginning")
                self._highest = deque([(0.0, 0)])
                number = 0
                continue
            self.take_in(page)
            if page:
                number = max(number, page[-1].number)
            if len(page) < _PAGE:
                break
        self._highest.append((began, max(number, self._highest[-1][1])))
        self._filled = True
        self._trust()
        await self._tell_outbox()

    async def drain_outbox(self) -> None:
        """Push every entry that the engine may lack. Called before the engine is used again after it was away.

        Raises `StoreUnavailable` when either store is; then the engine must not be used yet.
        """
        await self._tell_outbox()
        while page := await self._ledger.unpushed(limit=_PAGE):
            self.take_in(page)
            await self._engine.push(page)
            await self._ledger.mark_pushed([item.number for item in page])

    def _trust(self) -> None:
        if self._filled:
            self._trusted_until = time.monotonic() + self._max_age

    def _overlap_start(self, at: float) -> int:
        limit = at - _OVERLAP.total_seconds()
        while len(self._highest) > 1 and self._highest[1][0] <= limit:
            self._highest.popleft()
        return self._highest[0][1]

    async def _tell_outbox(self) -> None:
        if self._pushed:
            numbers = self._pushed[:]
            await self._ledger.mark_pushed(numbers)
            del self._pushed[: len(numbers)]

    async def _tail(self) -> None:
        while True:
            try:
                async for recorded in self._engine.tail():
                    self.take_in(recorded)
                    self._trust()
            except StoreUnavailable as refusal:
                _log.debug("stream is away", reason=refusal.detail)
            except Exception:  # a loop that ends would leave this worker deaf until its restart
                _log.exception("stream could not be read")
            await asyncio.sleep(0.1)

    async def _reconcile_for_ever(self) -> None:
        beat = 0
        while True:
            await asyncio.sleep(_INTERVAL.total_seconds())
            beat += 1
            try:
                await self.reconcile()
                await self.drain_outbox()
                if beat % 120 == 0:
                    self.revoked.drop_expired(self._now())
                    await self._ledger.drop_expired()
            except Refusal as refusal:  # a store is away, or two workers were in each other's way
                _log.debug("reconciliation waits", reason=refusal.detail)
            except Exception:
                _log.exception("reconciliation failed")
