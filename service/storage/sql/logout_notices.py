"""Logout notices in SQL: the outbox of what applications are still to be told."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update

from service.identifiers import new_id
from service.ledger import Transaction
from service.logout.notice import LogoutNotice
from service.storage.sql.clients import CLIENT_COLUMNS, client_of
from service.storage.sql.database import Database, SqlTransaction, nobody, opened
from service.storage.sql.tables import CLIENTS, LOGOUT_NOTICES, SESSIONS

_BATCH = 500
_n, _s = LOGOUT_NOTICES.c, SESSIONS.c
_WAITING = (_n.delivered_at.is_(None), _n.given_up_at.is_(None))
_COLUMNS = (_n.id, _n.client_id, _n.uri, _n.subject, _n.session_id, _n.created_at, _n.next_try_at, _n.tries)
_PLACE = func.row_number().over(partition_by=_n.client_id, order_by=(_n.next_try_at, _n.id)).label("place")
_r = select(*_COLUMNS, _PLACE).where(*_WAITING, _n.next_try_at <= bindparam("now")).subquery("ranked").c
_DUE = (
    select(*(_r[column.key] for column in _COLUMNS))
    .where(_r.place <= bindparam("each"))
    .order_by(_r.next_try_at, _r.id)
    .limit(bindparam("limit"))
)
_ONE = update(LOGOUT_NOTICES).where(_n.id == bindparam("notice"), *_WAITING)
_CLAIM = _ONE.where(_n.next_try_at == bindparam("seen")).values(next_try_at=bindparam("until"), tries=_n.tries + 1)
_FORGET = delete(LOGOUT_NOTICES).where(or_(_n.delivered_at < bindparam("before"), _n.given_up_at < bindparam("before")))


class SqlLogoutNotices:
    """Keeps `LogoutNotices` and `LogoutNotes`. `posted` is called when some more may have been committed."""

    def __init__(self, database: Database, *, posted: Callable[[], None] = nobody) -> None:
        self._database = database
        self._posted = posted

    async def note(self, tx: Transaction, session_ids: Sequence[str], *, now: datetime) -> None:
        """See `LogoutNotes.note`."""
        for start in range(0, len(session_ids), _BATCH):
            await _note(opened(tx), session_ids[start : start + _BATCH], now)
        opened(tx).when_committed(self._posted)

    async def due(self, *, now: datetime, limit: int, each: int) -> Sequence[LogoutNotice]:
        """See `LogoutNotices.due`."""
        rows = await self._database.fetch_all(_DUE, {"now": now, "limit": limit, "each": each})
        return [LogoutNotice(**row._mapping) for row in rows]

    async def claim(self, notice: LogoutNotice, *, until: datetime) -> bool:
        """See `LogoutNotices.claim`."""
        asked = {"notice": notice.id, "seen": notice.next_try_at, "until": until}
        async with self._database.begin() as tx:
            return (await tx.run(_CLAIM, asked)).rowcount == 1

    async def delivered(self, notice_id: str, *, now: datetime) -> None:
        """See `LogoutNotices.delivered`."""
        await self._write(notice_id, delivered_at=now)

    async def put_off(self, notice_id: str, *, until: datetime) -> None:
        """See `LogoutNotices.put_off`."""
        await self._write(notice_id, next_try_at=until)

    async def given_up(self, notice_id: str, *, now: datetime) -> None:
        """See `LogoutNotices.given_up`."""
        await self._write(notice_id, given_up_at=now)

    async def forget(self, *, before: datetime) -> None:
        """See `LogoutNotices.forget`."""
        async with self._database.begin() as tx:
            await tx.run(_FORGET, {"before": before})

    async def _write(self, notice_id: str, **values: datetime) -> None:
        async with self._database.begin() as tx:
            await tx.run(_ONE.values(**values), {"notice": notice_id})


async def _note(sql: SqlTransaction, session_ids: Sequence[str], now: datetime) -> None:
    outlive = and_(_s.parent_id.in_(session_ids), _s.offline, _s.ended_at.is_(None))
    theirs = select(_s.id, _s.user_id, _s.client_id).where(or_(_s.id.in_(session_ids), outlive)).order_by(_s.id)
    sessions: Sequence[Sequence[Any]] = (await sql.run(theirs)).all()
    uris = await _uris(sql, {client_id for _, _, client_id in sessions})
    rows = [
        {
            "id": new_id(),
            "client_id": client_id,
            "uri": uris[client_id],
            "subject": user_id,
            "session_id": session_id,
            "created_at": now,
            "next_try_at": now,
            "tries": 0,
        }
        for session_id, user_id, client_id in sessions
        if client_id in uris
    ]
    if rows:
        await sql.run(insert(LOGOUT_NOTICES), rows)


async def _uris(sql: SqlTransaction, client_ids: Iterable[str]) -> Mapping[str, str]:
    """Where those of these clients want to be told that want to."""
    rows: Sequence[Sequence[Any]] = (await sql.run(select(*CLIENT_COLUMNS).where(CLIENTS.c.id.in_(client_ids)))).all()
    clients = [client for client in map(client_of, rows) if client.active]
    return {client.id: uri for client in clients if (uri := client.metadata.backchannel_logout_uri) is not None}
