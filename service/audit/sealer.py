"""Sealing: one worker of the fleet at a time links what was written since into the chain, behind the acts.

An act inserts its row and waits for nobody. A moment later the sealer, whichever worker gets the lock, takes the rows
that are not sealed, numbers them and links each to the one before. So concurrent acts never queue for the chain; the
price is that a row stands for a second under its MAC alone.
"""

import asyncio
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol

import structlog

from service.audit.event import SYSTEM, Event, Kind
from service.audit.heads import Head, HeadBook
from service.audit.journal import Journal, count_event
from service.audit.record import Record
from service.ledger import Ledger, Transaction
from service.outbox import Outbox
from service.signed_text import MacKey

_log = structlog.get_logger("gatepost.audit")
_BATCH = 500
_GATHERS = timedelta(seconds=1)
_DROPS_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Tip:
    """The last link of the chain and its place."""

    seq: int
    link: bytes


@dataclass(frozen=True, slots=True)
class Start:
    """Behind which link the chain begins since older rows were dropped, under a MAC of the service."""

    tip: Tip
    secret_id: bytes
    mac: bytes

    @classmethod
    def at(cls, tip: Tip, key: MacKey) -> "Start":
        """One of our own."""
        return cls(tip, key.id, _start_mac(tip, key))

    def is_authentic(self, keys: Sequence[MacKey]) -> bool | None:
        """Whether it is ours; None when its secret is not among these."""
        key = next((key for key in keys if key.id == self.secret_id), None)
        return None if key is None else hmac.compare_digest(self.mac, _start_mac(self.tip, key))


def _start_mac(tip: Tip, key: MacKey) -> bytes:
    return hmac.digest(key.secret, b"start\n" + tip.seq.to_bytes(8, "big") + tip.link, sha256)


class ChainRows(Protocol):
    """The rows as the chain sees them. Every method raises `StoreUnavailable`."""

    async def is_any_unsealed(self) -> bool:
        """Whether there is anything to do; costs next to nothing."""

    async def lock_chain(self, tx: Transaction) -> bool:
        """Whether this transaction alone may lengthen or shorten the chain until it ends; never waits."""

    async def tip(self, tx: Transaction) -> Tip:
        """Where the chain ends: its last row, else what was left of it when all was dropped, else the beginning."""

    async def unsealed(self, tx: Transaction, *, limit: int) -> Sequence[Record]:
        """Committed rows without a place, oldest first."""

    async def seal(self, tx: Transaction, places: Sequence[tuple[str, Tip]]) -> None:
        """Give rows their place and link."""

    async def droppable(self, tx: Transaction, *, before: datetime, limit: int) -> Tip | None:
        """The last of the rows at the beginning of the chain that are all older than this, at most `limit` of them."""

    async def drop(self, tx: Transaction, start: Start, *, now: datetime) -> int:
        """Drop the beginning of the chain, keep in its place where it ended; how many rows."""


class Sealer:
    """Seals, writes heads, and drops what is older than `keep` (None keeps all)."""

    def __init__(
        self,
        ledger: Ledger,
        rows: ChainRows,
        journal: Journal,
        book: HeadBook,
        key: MacKey,
        *,
        posted: asyncio.Event,
        keep: timedelta | None,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._rows = rows
        self._journal = journal
        self._book = book
        self._key = key
        self._keep = keep
        self._now = now
        self._drops_at = now()
        self._outbox = Outbox("audit", self.seal_due, posted, gathers=_GATHERS)

    async def start(self) -> None:
        """Begin sealing."""
        await self._outbox.start()

    async def stop(self) -> None:
        """End; what is not sealed yet waits for the next worker."""
        await self._outbox.stop()

    async def seal_due(self) -> bool:
        """One round; whether there is more to seal. Raises `StoreUnavailable`."""
        sealed = await self._seal() if await self._rows.is_any_unsealed() else 0
        now = self._now()
        await self._book.write_due(now=now)
        if self._keep is not None and now >= self._drops_at and await self.drop(before=now - self._keep) < _BATCH:
            self._drops_at = now + _DROPS_EVERY
        return sealed == _BATCH

    async def _seal(self) -> int:
        async with self._ledger.begin() as tx:
            if not await self._rows.lock_chain(tx):
                return 0
            tip = await self._rows.tip(tx)
            places: list[tuple[str, Tip]] = []
            for record in await self._rows.unsealed(tx, limit=_BATCH):
                tip = Tip(tip.seq + 1, record.linked_to(tip.link, tip.seq + 1))
                places.append((record.id, tip))
            await self._rows.seal(tx, places)
        if places:
            self._book.reached(Head(tip.seq, tip.link))
        return len(places)

    async def drop(self, *, before: datetime) -> int:
        """Drop up to some hundred rows that are older; how many. That it was done is a row itself."""
        now = self._now()
        async with self._ledger.begin() as tx:
            last = (
                await self._rows.droppable(tx, before=before, limit=_BATCH) if await self._rows.lock_chain(tx) else None
            )
            if last is None:
                return 0
            count = await self._rows.drop(tx, Start.at(last, self._key), now=now)
            detail = {"count": count, "up_to": last.seq, "before": before.isoformat()}
            event = Event(Kind.AUDIT_DROPPED, by=SYSTEM, detail=detail)
            await self._journal.note(tx, event, now=now)
        count_event(event)
        _log.info("audit rows dropped", **detail)
        return count
