"""Usage in SQL: rows that many workers add to, and their totals."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, delete, func, literal, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from service.ledger import Transaction
from service.storage.sql.database import Database, opened
from service.storage.sql.tables import USAGE, USAGE_WORKERS
from service.storage.sql.text import storable
from service.usage import Batch, Period, Question, Total

_u, _w = USAGE.c, USAGE_WORKERS.c
_TEXT_OF = {Period.HOUR: len("2026-11-03T08"), Period.DAY: len("2026-11-03"), Period.MONTH: len("2026-11")}
_OLDEST = select(func.min(_u.hour))
_FORGET = delete(USAGE_WORKERS).where(_w.at < bindparam("before"))


def _note(insert: Any) -> Any:
    """The number of a worker's batch, if it is higher than the last: then one row is touched, else none."""
    row = insert(USAGE_WORKERS)
    values = {"number": row.excluded.number, "at": row.excluded.at}
    return row.on_conflict_do_update(index_elements=[_w.id], set_=values, where=_w.number < row.excluded.number)


def _add(insert: Any) -> Any:
    row = insert(USAGE)
    keys = list(USAGE.primary_key.columns)
    return row.on_conflict_do_update(index_elements=keys, set_={"requests": _u.requests + row.excluded.requests})


_NOTE = {True: _note(postgresql.insert), False: _note(sqlite.insert)}
_ADD = {True: _add(postgresql.insert), False: _add(sqlite.insert)}


class SqlUsage:
    """Keeps `WritesUsage` and `FindsTotals`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, tx: Transaction, batch: Batch, *, now: datetime) -> bool:
        """See `WritesUsage.add`. The rows come sorted, so that no two workers wait for each other."""
        sql = opened(tx)
        noted = await sql.run(_NOTE[sql.postgresql], {"id": batch.worker, "number": batch.number, "at": now})
        if noted.rowcount == 0:
            return False
        await sql.run(_ADD[sql.postgresql], [{**key._asdict(), "requests": count} for key, count in batch.rows])
        return True

    async def prune(self, tx: Transaction, *, before: str) -> int:
        """See `WritesUsage.prune`."""
        sql = opened(tx)
        oldest: str | None = (await sql.run(_OLDEST)).scalar_one()
        if oldest is None or oldest >= before:
            return 0
        return (await sql.run(delete(USAGE).where(_u.hour == oldest))).rowcount

    async def forget_workers(self, tx: Transaction, *, before: datetime) -> None:
        """See `WritesUsage.forget_workers`."""
        await opened(tx).run(_FORGET, {"before": before})

    async def totals(self, question: Question, *, after: str, limit: int) -> Sequence[Total]:
        """See `FindsTotals.totals`."""
        place = question.place(after) if after else ()
        if after and not place:  # behind the one total of a question that tells nothing apart
            return ()
        if not all(map(storable, (*question.filters.values(), *place))):
            return ()
        columns = _told_apart(question)
        asked = _totals(question, columns)
        if place:
            behind = tuple_(*columns.values()) > tuple_(*map(literal, place))
            asked = asked.where(behind)
        rows = await self._database.fetch_all(asked.order_by(*columns.values()).limit(limit))
        return [_total(columns, row) for row in rows if row[0] is not None]


def _total(columns: Iterable[str], row: Sequence[Any]) -> Total:
    """The sum first, then what it was told apart by; sums of PostgreSQL are decimals."""
    return Total(int(row[0]), **dict(zip(columns, row[1:], strict=True)))


def _told_apart(question: Question) -> dict[str, ColumnElement[str]]:
    found: dict[str, ColumnElement[str]] = {}
    if question.per is not None:
        found["period"] = func.substr(_u.hour, 1, _TEXT_OF[question.per])
    return {**found, **{name: _u[name] for name in question.columns}}


def _totals(question: Question, columns: dict[str, ColumnElement[str]]) -> Select[*tuple[Any, ...]]:
    since, until = question.hours
    asked: Select[*tuple[Any, ...]] = select(func.sum(_u.requests), *columns.values()).group_by(*columns.values())
    asked = asked.where(*(_u[name] == value for name, value in question.filters.items()))
    if since:
        asked = asked.where(_u.hour >= since)
    if until:
        asked = asked.where(_u.hour < until)
    return asked
