"""Logout notices in SQL: the outbox of what applications are still to be told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, bindparam, delete, func, or_, select, update

from service.identifiers import new_id
from service.ledger import Transaction
from service.logout.notice import LogoutNotice
from service.storage.sql.clients import CLIENT_COLUMNS, client_of
from service.storage.sql.database import Database, opened
from service.storage.sql.tables import CLIENTS, LOGOUT_NOTICES, SESSIONS, LogoutNoticeRow

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
    """Keeps `LogoutNotices` and `LogoutNotes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, tx: Transaction, session_ids: Sequence[str], *, now: datetime) -> None:
        """See `LogoutNotes.note`."""
        sql = opened(tx)
        theirs: Select[Any] = (
            select(_s.id, _s.user_id, *CLIENT_COLUMNS)
            .join(CLIENTS, CLIENTS.c.id == _s.client_id)
            .where(or_(_s.id.in_(session_ids), and_(_s.parent_id.in_(session_ids), _s.offline, _s.ended_at.is_(None))))
            .order_by(_s.id)
        )
        rows: Sequence[Sequence[Any]] = (await sql.run(theirs)).all()
        for row in rows:
            session_id, user_id, client = row[0], row[1], client_of(row[2:])
            if client.metadata.backchannel_logout_uri is not None and client.active:
                await sql.add(
                    LogoutNoticeRow(
                        id=new_id(),
                        client_id=client.id,
                        uri=client.metadata.backchannel_logout_uri,
                        subject=user_id,
                        session_id=session_id,
                        created_at=now,
                        next_try_at=now,
                        tries=0,
                    )
                )

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
