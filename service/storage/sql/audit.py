"""The audit in SQL: rows that acts put in, the chain over them, and looking for some of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam, delete, func, insert, null, or_, select, text, update

from service.audit.record import BEGINNING, Record
from service.audit.sealer import Start, Tip
from service.audit.search import Sought
from service.ledger import Transaction
from service.storage.sql.database import Database, nobody, opened
from service.storage.sql.tables import AUDIT, AUDIT_START
from service.storage.sql.text import storable

_a, _s = AUDIT.c, AUDIT_START.c
_NAMES = tuple(field.name for field in fields(Record))
_ADD = insert(AUDIT)
_SELECT = select(*(_a[name] for name in _NAMES))
_LIMIT: BindParameter[int] = bindparam("limit")
_UNSEALED = _SELECT.where(_a.seq.is_(None)).order_by(_a.id).limit(_LIMIT)
_ANY_UNSEALED = select(_a.id).where(_a.seq.is_(None)).limit(1)
_SEALED_AFTER = _SELECT.where(_a.seq > bindparam("after")).order_by(_a.seq).limit(_LIMIT)
_LAST = select(_a.seq, _a.link).where(_a.seq.is_not(None)).order_by(_a.seq.desc()).limit(1)
_START = select(_s.seq, _s.link, _s.secret_id, _s.mac).order_by(_s.seq.desc()).limit(1)
_PLACE = (
    update(AUDIT)
    .where(_a.id == bindparam("row"), _a.seq.is_(None))
    .values(seq=bindparam("place"), link=bindparam("hung"))
)
_OLDEST = select(_a.seq, _a.link, _a.at).where(_a.seq.is_not(None)).order_by(_a.seq).limit(_LIMIT)
_LOCK_CHAIN = text("SELECT pg_try_advisory_xact_lock(7163924105)")
_ERASE = (
    update(AUDIT)
    .where(or_(_a.subject == bindparam("person"), _a.actor == bindparam("person")), _a.salt.is_not(None))
    .values(personal=null(), salt=null())
)


class SqlAudit:
    """Keeps `WritesRecords`, `ChainRows`, `ReadsRecords` and `FindsRecords`. `posted` is called when one more is
    committed."""

    def __init__(self, database: Database, *, posted: Callable[[], None] = nobody) -> None:
        self._database = database
        self._posted = posted

    async def add(self, tx: Transaction, record: Record) -> None:
        """See `WritesRecords.add`."""
        sql = opened(tx)
        await sql.run(_ADD, _values(record))
        sql.when_committed(self._posted)

    async def is_any_unsealed(self) -> bool:
        """See `ChainRows.is_any_unsealed`."""
        return await self._database.fetch_one(_ANY_UNSEALED) is not None

    async def lock_chain(self, tx: Transaction) -> bool:
        """See `ChainRows.lock_chain`. A transaction on SQLite is the only writer from its beginning."""
        sql = opened(tx)
        return not sql.postgresql or bool((await sql.run(_LOCK_CHAIN)).scalar_one())

    async def tip(self, tx: Transaction) -> Tip:
        """See `ChainRows.tip`."""
        row: Sequence[Any] | None = (await opened(tx).run(_LAST)).first()
        if row is None:
            row = (await opened(tx).run(_START)).first()
        return Tip(0, BEGINNING) if row is None else Tip(row[0], row[1])

    async def unsealed(self, tx: Transaction, *, limit: int) -> Sequence[Record]:
        """See `ChainRows.unsealed`."""
        return [_record(row) for row in (await opened(tx).run(_UNSEALED, {"limit": limit})).all()]

    async def seal(self, tx: Transaction, places: Sequence[tuple[str, Tip]]) -> None:
        """See `ChainRows.seal`."""
        if places:
            rows = [{"row": record_id, "place": tip.seq, "hung": tip.link} for record_id, tip in places]
            await opened(tx).run(_PLACE, rows)

    async def droppable(self, tx: Transaction, *, before: datetime, limit: int) -> Tip | None:
        """See `ChainRows.droppable`."""
        found = None
        rows: Sequence[Sequence[Any]] = (await opened(tx).run(_OLDEST, {"limit": limit})).all()
        for seq, link, at in rows:
            if at >= before:
                break
            found = Tip(seq, link)
        return found

    async def drop(self, tx: Transaction, start: Start, *, now: datetime) -> int:
        """See `ChainRows.drop`."""
        sql, tip = opened(tx), start.tip
        await sql.run(delete(AUDIT_START))
        values = {"seq": tip.seq, "link": tip.link, "secret_id": start.secret_id, "mac": start.mac, "dropped_at": now}
        await sql.run(insert(AUDIT_START), values)
        return (await sql.run(delete(AUDIT).where(_a.seq <= tip.seq))).rowcount

    async def start(self) -> Start | None:
        """See `ReadsRecords.start`."""
        row: Sequence[Any] | None = await self._database.fetch_one(_START)
        return None if row is None else Start(Tip(row[0], row[1]), row[2], row[3])

    async def sealed_after(self, seq: int, *, limit: int) -> Sequence[Record]:
        """See `ReadsRecords.sealed_after`."""
        return [_record(row) for row in await self._database.fetch_all(_SEALED_AFTER, {"after": seq, "limit": limit})]

    async def unsealed_after(self, record_id: str, *, limit: int) -> Sequence[Record]:
        """See `ReadsRecords.unsealed_after`."""
        asked = _UNSEALED.where(_a.id > bindparam("after"))
        rows = await self._database.fetch_all(asked, {"after": record_id, "limit": limit})
        return [_record(row) for row in rows]

    async def find(self, sought: Sought, *, before: str, limit: int) -> Sequence[Record]:
        """See `FindsRecords.find`."""
        if not all(map(storable, (before, *sought.texts()))):
            return ()
        asked = _SELECT.where(*_conditions(sought)).order_by(_a.id.desc()).limit(limit)
        if before:
            asked = asked.where(_a.id < before)
        return [_record(row) for row in await self._database.fetch_all(asked)]

    async def count(self, sought: Sought) -> int:
        """See `FindsRecords.count`."""
        row = await self._database.fetch_one(select(func.count()).select_from(AUDIT).where(*_conditions(sought)))
        return 0 if row is None else int(row[0])

    async def erase(self, tx: Transaction, user_id: str) -> int:
        """See `ErasesPersons.erase`."""
        return (await opened(tx).run(_ERASE, {"person": user_id})).rowcount


def _conditions(sought: Sought) -> list[ColumnElement[bool]]:
    equal = {
        _a.kind: sought.kind,
        _a.outcome: sought.outcome,
        _a.subject: sought.subject,
        _a.actor: sought.actor,
        _a.client_id: sought.client_id,
        _a.target: sought.target,
        _a.request_id: sought.request_id,
    }
    found: list[ColumnElement[bool]] = [column == value for column, value in equal.items() if value]
    if sought.person:
        found.append(or_(_a.subject == sought.person, _a.actor == sought.person))
    if sought.since is not None:
        found.append(_a.at >= sought.since)
    if sought.until is not None:
        found.append(_a.at < sought.until)
    return found


def _values(record: Record) -> Mapping[str, Any]:
    return {name: getattr(record, name) for name in _NAMES}


def _record(row: Sequence[Any]) -> Record:
    return Record(*row)
