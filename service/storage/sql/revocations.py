"""Revocations in SQL: the truth about what was acknowledged, and the outbox of what the engine may lack."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, text, update

from gatepost.revocation import Revocation, RevocationKind
from service.clock import now
from service.ledger import Transaction
from service.revocation.entry import Entry, Recorded
from service.storage.sql.database import Database, opened
from service.storage.sql.tables import REVOCATIONS

_KEPT_PAST_END = timedelta(days=1)
_r = REVOCATIONS.c
_SELECT = select(_r.number, _r.kind, _r.subject, _r.owner, _r.epoch, _r.until, _r.why)
_LIMITED = _SELECT.order_by(_r.number).limit(bindparam("limit"))
_AFTER = _LIMITED.where(_r.number > bindparam("after"))
_HIGHEST_ON_POSTGRESQL = text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM revocations_number_seq")
_HIGHEST_ON_SQLITE = text("SELECT seq FROM sqlite_sequence WHERE name = 'revocations'")
_UNPUSHED = _LIMITED.where(_r.pushed_at.is_(None))
_ADD = insert(REVOCATIONS).returning(_r.number, _r.kind, _r.subject, _r.epoch)
_MARK_PUSHED = (
    update(REVOCATIONS)
    .where(_r.number == bindparam("pushed"), _r.pushed_at.is_(None))
    .values(pushed_at=bindparam("at"))
)


class SqlRevocations:
    """Keeps `RevocationLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, tx: Transaction, entries: Sequence[Entry]) -> Sequence[int]:
        """See `RevocationLedger.add`."""
        recorded_at = now()
        rows = [
            {
                "kind": entry.revocation.kind.value,
                "subject": entry.revocation.subject,
                "owner": entry.owner,
                "epoch": entry.revocation.epoch,
                "until": entry.revocation.until,
                "why": entry.why,
                "recorded_at": recorded_at,
            }
            for entry in entries
        ]
        if not rows:
            return ()
        given: dict[tuple[object, ...], list[int]] = defaultdict(list)  # a database returns rows in no certain order
        added: Sequence[Any] = (await opened(tx).run(_ADD, rows)).all()
        for number, kind, subject, epoch in sorted(added, reverse=True):
            given[kind, subject, epoch].append(number)
        return [given[row["kind"], row["subject"], row["epoch"]].pop() for row in rows]

    async def after(self, number: int, *, limit: int) -> Sequence[Recorded]:
        """See `RevocationLedger.after`."""
        return [_recorded(row) for row in await self._database.fetch_all(_AFTER, {"after": number, "limit": limit})]

    async def highest(self) -> int:
        """See `RevocationLedger.highest`."""
        asked = _HIGHEST_ON_POSTGRESQL if self._database.postgresql else _HIGHEST_ON_SQLITE
        row = await self._database.fetch_one(asked)
        return 0 if row is None else int(row[0])

    async def unpushed(self, *, limit: int) -> Sequence[Recorded]:
        """See `RevocationLedger.unpushed`."""
        return [_recorded(row) for row in await self._database.fetch_all(_UNPUSHED, {"limit": limit})]

    async def mark_pushed(self, numbers: Sequence[int]) -> None:
        """See `RevocationLedger.mark_pushed`."""
        at = now()
        await self._database.run_each(_MARK_PUSHED, [{"pushed": number, "at": at} for number in sorted(numbers)])

    async def drop_expired(self) -> int:
        """See `RevocationLedger.drop_expired`."""
        async with self._database.begin() as tx:
            return (await tx.run(delete(REVOCATIONS).where(_r.until < now() - _KEPT_PAST_END))).rowcount


def _recorded(row: Sequence[Any]) -> Recorded:
    number, kind, subject, owner, epoch, until, why = row
    return Recorded(number, Entry(Revocation(RevocationKind(kind), subject, until, epoch), owner, why))
