"""From memory to the ledger: every few seconds, in batches, each of which counts once.

A commit whose answer is lost may have happened. So a batch has a number, and its transaction notes that number as the
worker's last: the same batch again changes nothing. A worker has one batch on its way at a time, so that one row for
each worker is all that has to be remembered.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from service.identifiers import new_id
from service.ledger import Ledger, Transaction
from service.outbox import Outbox
from service.protocol.errors import Refusal
from service.tally import Tally
from service.usage.sheet import Key, Sheet, hour_text

_log = structlog.get_logger("gatepost.usage")
_counts = Tally("usage_requests", "Requests by what became of their count", "fate")
_BATCH = 500
_ENDS_WITHIN = 5.0
_TRIES_AGAIN_AFTER = 0.1
_PRUNES_EVERY = timedelta(hours=1)
_REMEMBERS = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that one worker adds in one transaction; its numbers rise."""

    worker: str
    number: int
    rows: Sequence[tuple[Key, int]]

    @property
    def requests(self) -> int:
        """How many requests it stands for."""
        return sum(requests for _, requests in self.rows)


class WritesUsage(Protocol):
    """The rows in the ledger. Every method raises `StoreUnavailable`, and `Conflict` for a lost race."""

    async def add(self, tx: Transaction, batch: Batch, *, now: datetime) -> bool:
        """Add to what is there, whoever else does; False when this batch was added before: then nothing changes."""

    async def prune(self, tx: Transaction, *, before: str) -> int:
        """Drop the rows of the oldest hour that is before this one; how many."""

    async def forget_workers(self, tx: Transaction, *, before: datetime) -> None:
        """Drop what is remembered of workers that have written nothing since."""


class Recorder:
    """Writes what its `sheet` has counted, each `every`, and drops what is older than `keep` (None keeps all).

    While the ledger is away the counts wait, as many as the sheet takes. A worker that ends in good order writes all.
    """

    def __init__(
        self,
        ledger: Ledger,
        rows: WritesUsage,
        *,
        every: timedelta,
        keep: timedelta | None,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._rows = rows
        self._keep = keep
        self._now = now
        self._worker, self._number = new_id(), 0
        self._batch: Batch | None = None
        self._told = 0
        self._prunes_at = now()
        self.written = 0
        self._full = asyncio.Event()
        self.sheet = Sheet(now=now, full=self._full.set)
        self._outbox = Outbox("usage", self.flush_due, self._full, every=every)

    @property
    def waiting(self) -> int:
        """How many requests have been counted and not written yet."""
        return self.sheet.requests + (0 if self._batch is None else self._batch.requests)

    async def start(self) -> None:
        """Begin writing, an interval from now: nothing waits from before."""
        await self._outbox.start()
        self._full.clear()

    async def stop(self) -> None:
        """Write what is left, for a moment, and end: what is refused is tried again until then."""
        await self._outbox.stop()
        try:
            async with asyncio.timeout(_ENDS_WITHIN):
                while self.waiting:
                    try:
                        await self._write()
                    except Refusal:
                        await asyncio.sleep(_TRIES_AGAIN_AFTER)
        except TimeoutError:
            _log.warning("usage lost", requests=self.waiting)
            _counts.add("lost", times=self.waiting)
        self._tell_dropped()

    async def flush_due(self) -> bool:
        """Write a batch; whether there is a whole one more. Raises `StoreUnavailable`, `Conflict`: then the same one
        comes again."""
        self._tell_dropped()
        if not await self._write():
            return False
        now = self._now()
        if now >= self._prunes_at and not await self._prune(now):
            self._prunes_at = now + _PRUNES_EVERY
        return len(self.sheet) >= _BATCH

    async def _write(self) -> bool:
        """Write a batch; whether there was one. Raises as `flush_due` does."""
        if self._batch is None:
            rows = self.sheet.take(_BATCH)
            if not rows:
                return False
            self._number += 1
            self._batch = Batch(self._worker, self._number, rows)
        batch = self._batch
        async with self._ledger.begin() as tx:
            await self._rows.add(tx, batch, now=self._now())
        self._batch = None
        self.written += batch.requests
        _counts.add("written", times=batch.requests)
        return True

    async def _prune(self, now: datetime) -> bool:
        """Drop what is past its time, an hour of it; whether there may be more."""
        dropped = 0
        async with self._ledger.begin() as tx:
            await self._rows.forget_workers(tx, before=now - _REMEMBERS)
            if self._keep is not None:
                dropped = await self._rows.prune(tx, before=hour_text(now - self._keep))
        return dropped > 0

    def _tell_dropped(self) -> None:
        if self.sheet.dropped > self._told:
            dropped, self._told = self.sheet.dropped - self._told, self.sheet.dropped
            _log.warning("usage dropped", requests=dropped)
            _counts.add("dropped", times=dropped)
