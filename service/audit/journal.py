"""Writing events down: in the transaction of the act, so that there is no act without its row and no row without."""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from service.audit.event import Event, Kind
from service.audit.occasion import present_occasion
from service.audit.record import Record, written
from service.ledger import Ledger, Transaction
from service.signed_text import MacKey
from service.tally import Tally

_events = Tally("events", "Events in the audit, and refusals that were too many for it", "event", "outcome")
_sign_ins = Tally("sign_ins", "Sign-ins, and tries at passwords that were refused", "way", "outcome")
_unwritten = Tally("audit_unwritten", "Refusals that were counted and not written, as there were too many")
_REFUSALS_A_SECOND = 50.0
_REFUSALS_AT_ONCE = 1_000.0


class WritesRecords(Protocol):
    """The rows in the ledger."""

    async def add(self, tx: Transaction, record: Record) -> None:
        """Keep one more, not yet sealed. Waits for no other act."""


class Journal:
    """Writes rows on the present occasion, under the first of `keys`."""

    def __init__(self, rows: WritesRecords, keys: Sequence[MacKey]) -> None:
        self._rows = rows
        self._key = keys[0]

    async def note(self, tx: Transaction, event: Event, *, now: datetime) -> None:
        """Add the event to a transaction; `count_event` when that is committed. Raises `StoreUnavailable`: then the act
        does not happen either."""
        present = present_occasion()
        address, user_agent = present.source()
        personal = {"address": address, "user_agent": user_agent}
        await self._rows.add(
            tx, written(event, event.by or present.actor, personal, present.request_id, self._key, now)
        )

    def name_of(self, text: str) -> str:
        """What stands for a name that nobody here has: it may be a password in the wrong field. The same text gives the
        same word, which says nothing of it without the service's secret."""
        return hmac.digest(self._key.secret, b"name\n" + text.encode(errors="replace"), sha256).hex()[:16]


class Refusals:
    """Writes down what was refused, and doors that closed, each in a transaction of its own; not more than a flood may
    fill the disk with: a worker takes a thousand at once and fifty a second. Past that they are counted, and the next
    row says how many (`unwritten_before`)."""

    def __init__(self, ledger: Ledger, journal: Journal, *, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._journal = journal
        self._now = now
        self._room = _REFUSALS_AT_ONCE
        self._since = now()
        self.unwritten = 0

    async def sign_in(self, user_id: str, *, login: str, why: str) -> None:
        """One refused try at an account; `user_id` is empty when nobody has the name. Raises `StoreUnavailable`."""
        detail: dict[str, object] = {"why": why} if user_id else {"why": why, "name": self._journal.name_of(login)}
        await self.note(Event(Kind.SIGN_IN, subject=user_id, outcome="refused", detail=detail))

    async def note(self, event: Event) -> None:
        """One event. Raises `StoreUnavailable`."""
        now = self._now()
        passed = max(0.0, (now - self._since).total_seconds())
        self._room, self._since = min(_REFUSALS_AT_ONCE, self._room + passed * _REFUSALS_A_SECOND), now
        if self._room < 1:
            self.unwritten += 1
            _unwritten.add()
            count_event(event)
            return
        self._room -= 1
        unwritten, self.unwritten = self.unwritten, 0
        if unwritten:
            event = replace(event, detail={**event.detail, "unwritten_before": unwritten})
        try:
            async with self._ledger.begin() as tx:
                await self._journal.note(tx, event, now=now)
        except BaseException:
            self.unwritten += unwritten
            raise
        count_event(event)


def count_event(event: Event) -> None:
    """It has happened: one more of its kind in the metrics."""
    _events.add(event.kind, event.outcome)
    if event.kind is Kind.SIGN_IN:
        _sign_ins.add(str(event.detail.get("way", "password")), event.outcome)
