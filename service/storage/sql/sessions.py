"""Sessions in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Update, bindparam, case, func, or_, select, update

from service.ledger import Transaction
from service.sessions.crowd import Living
from service.sessions.session import Reached, Session, SessionStanding
from service.storage.sql.clients import CLIENT_COLUMNS, client_of
from service.storage.sql.database import Database, SqlTransaction, opened
from service.storage.sql.tables import CLIENTS, SESSIONS, USERS, SessionRow
from service.storage.sql.text import storable
from service.storage.sql.users import USER_COLUMNS, user_of

_s = SESSIONS.c
_CROWDS = 0x63726F7764
"""What sets our advisory locks on people apart from others in the database."""
_SESSION_COLUMNS = (
    _s.id,
    _s.user_id,
    _s.client_id,
    _s.scopes,
    _s.created_at,
    _s.auth_time,
    _s.amr,
    _s.acr,
    _s.ends_at,
    _s.last_used_at,
    _s.floor,
    _s.floor_at,
    _s.user_agent,
    _s.address,
    _s.ended_at,
    _s.ended_why,
    _s.audience,
    _s.parent_id,
    _s.offline,
)
_OWNER = len(_SESSION_COLUMNS)
_CLIENT = _OWNER + len(USER_COLUMNS)
_STANDING = (
    select(*_SESSION_COLUMNS, *USER_COLUMNS, *CLIENT_COLUMNS)
    .join(USERS, USERS.c.id == _s.user_id)
    .outerjoin(CLIENTS, CLIENTS.c.id == _s.client_id)
    .where(_s.id == bindparam("id"))
)
_LIVING = (_s.user_id == bindparam("owner"), _s.ended_at.is_(None), _s.ends_at > bindparam("now"))
_PAGE = select(*_SESSION_COLUMNS).where(*_LIVING, _s.id > bindparam("after")).order_by(_s.id).limit(bindparam("limit"))
_CHILDREN = (
    select(*_SESSION_COLUMNS)
    .where(_s.parent_id == bindparam("parent"), _s.ended_at.is_(None), _s.ends_at > bindparam("now"))
    .order_by(_s.id)
)
# Rows are locked in order of id, here and by the order of a batch below: transactions that lock several never wait for
# each other.
_LOCK_LIVING = select(_s.id).where(*_LIVING).order_by(_s.id).with_for_update(key_share=True)
_END = update(SESSIONS).where(*_LIVING).values(ended_at=bindparam("now"), ended_why=bindparam("why"))
_LOCK_FREE = select(_s.id).where(*_LIVING).with_for_update(key_share=True, skip_locked=True)
_COUNT = select(func.count()).select_from(SESSIONS).where(*_LIVING)
_CROWD = select(_s.id, _s.parent_id, _s.offline, _s.last_used_at).where(*_LIVING)
_TAKE_TURN = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("owner"), _CROWDS)))
_ADOPT = (
    update(SESSIONS)
    .where(_s.parent_id == bindparam("parent"), _s.user_id == bindparam("owner"), _s.ended_at.is_(None))
    .values(parent_id=bindparam("heir"))
)
_HOLD = (
    select(_s.id)
    .where(_s.id == bindparam("id"), _s.ended_at.is_(None), _s.ends_at > bindparam("now"))
    .with_for_update(read=True)
)
_REACHED: BindParameter[int] = bindparam("reached")
_AT: BindParameter[datetime] = bindparam("at")
_WRITE_BEHIND = (
    update(SESSIONS)
    .where(_s.id == bindparam("session"), or_(_s.floor < _REACHED, _s.last_used_at < _AT))
    .values(
        floor=case((_s.floor < _REACHED, _REACHED), else_=_s.floor),
        floor_at=case((_s.floor < _REACHED, _AT), else_=_s.floor_at),
        last_used_at=case((_s.last_used_at < _AT, _AT), else_=_s.last_used_at),
    )
)


class SqlSessions:
    """Keeps `Sessions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_standing(self, session_id: str) -> SessionStanding | None:
        """See `Sessions.find_standing`."""
        if not storable(session_id):
            return None
        row = await self._database.fetch_one(_STANDING, {"id": session_id})
        if row is None:
            return None
        client = row[_CLIENT:]
        return SessionStanding(
            session=_session_of(row[:_OWNER]),
            user=user_of(row[_OWNER:_CLIENT]),
            client=None if client[0] is None else client_of(client),
        )

    async def page(self, *, user_id: str, after: str, limit: int, now: datetime) -> Sequence[Session]:
        """See `Sessions.page`."""
        if not (storable(user_id) and storable(after)):
            return ()
        asked = {"owner": user_id, "after": after, "limit": limit, "now": now}
        return [_session_of(row) for row in await self._database.fetch_all(_PAGE, asked)]

    async def add(self, tx: Transaction, session: Session) -> None:
        """See `Sessions.add`. Raises `NotFound` for an unknown person, `Conflict` for an id that exists."""
        await opened(tx).add(
            SessionRow(
                id=session.id,
                user_id=session.user_id,
                client_id=session.client_id,
                scopes=sorted(session.scopes),
                created_at=session.created_at,
                auth_time=session.auth_time,
                amr=list(session.amr),
                acr=session.acr,
                ends_at=session.ends_at,
                last_used_at=session.last_used_at,
                floor=session.floor,
                floor_at=session.floor_at,
                user_agent=session.user_agent,
                address=session.address,
                ended_at=session.ended_at,
                ended_why=session.ended_why,
                audience=list(session.audience),
                parent_id=session.parent_id,
                offline=session.offline,
            )
        )

    async def end(self, tx: Transaction, session_id: str, *, user_id: str, why: str, now: datetime) -> Sequence[str]:
        """See `Sessions.end`."""
        if not (storable(session_id) and storable(user_id)):
            return ()
        sql, owner = opened(tx), {"owner": user_id, "now": now}
        if (await sql.run(_LOCK_LIVING.where(_s.id == session_id), owner)).first() is None:
            return ()
        # A statement of its own: who was adding a child holds the session, and that child is visible only now.
        children = _LOCK_LIVING.where(_s.parent_id == session_id, _s.offline.is_(False))
        ending = [session_id, *(await sql.run(children, owner)).scalars()]
        await sql.run(_END.where(_s.id.in_(ending)), {**owner, "why": why})
        return ending

    async def adopt(self, tx: Transaction, parent_id: str, heir_id: str, *, user_id: str) -> None:
        """See `Sessions.adopt`."""
        await opened(tx).run(_ADOPT, {"parent": parent_id, "heir": heir_id, "owner": user_id})

    async def is_living(self, tx: Transaction, session_id: str, *, now: datetime) -> bool:
        """See `Sessions.is_living`."""
        return (await opened(tx).run(_HOLD, {"id": session_id, "now": now})).first() is not None

    async def end_all(
        self, tx: Transaction, *, user_id: str, why: str, now: datetime, but: str | None = None
    ) -> Sequence[str]:
        """See `Sessions.end_all`."""
        end = _END if but is None else _END.where(_s.id != but)
        return await _end_locked(opened(tx), end, user_id=user_id, why=why, now=now)

    async def end_of_client(
        self, tx: Transaction, *, user_id: str, client_id: str, why: str, now: datetime
    ) -> Sequence[str]:
        """See `Sessions.end_of_client`."""
        if not (storable(user_id) and storable(client_id)):
            return ()
        return await _end_locked(opened(tx), _END.where(_s.client_id == client_id), user_id=user_id, why=why, now=now)

    async def children(self, parent_id: str, *, now: datetime) -> Sequence[Session]:
        """See `Sessions.children`."""
        if not storable(parent_id):
            return ()
        return [
            _session_of(row) for row in await self._database.fetch_all(_CHILDREN, {"parent": parent_id, "now": now})
        ]

    async def count(self, tx: Transaction, *, user_id: str, now: datetime) -> int:
        """See `Sessions.count`."""
        counted: int = (await opened(tx).run(_COUNT, {"owner": user_id, "now": now})).scalar_one()
        return counted

    async def crowd(self, tx: Transaction, *, user_id: str, now: datetime) -> Sequence[Living]:
        """See `Sessions.crowd`. On SQLite writers take turns anyway."""
        sql = opened(tx)
        if sql.postgresql:
            await sql.run(_TAKE_TURN, {"owner": user_id})
        rows = await sql.run(_CROWD, {"owner": user_id, "now": now})
        return [Living(row.id, row.parent_id, row.offline, row.last_used_at) for row in rows]

    async def end_idle(
        self, tx: Transaction, session_ids: Sequence[str], *, user_id: str, why: str, now: datetime
    ) -> Sequence[str]:
        """See `Sessions.end_idle`."""
        sql, owner = opened(tx), {"owner": user_id, "now": now}
        ended = sorted((await sql.run(_LOCK_FREE.where(_s.id.in_(session_ids)), owner)).scalars())
        await sql.run(_END.where(_s.id.in_(ended)), {**owner, "why": why})
        return ended

    async def write_behind(self, reached: Mapping[str, Reached]) -> None:
        """See `Sessions.write_behind`."""
        await self._database.run_each(
            _WRITE_BEHIND,
            [
                {"session": session_id, "reached": one.generation, "at": one.at}
                for session_id, one in sorted(reached.items())
            ],
        )


async def _end_locked(sql: SqlTransaction, end: Update, *, user_id: str, why: str, now: datetime) -> Sequence[str]:
    await sql.run(_LOCK_LIVING, {"owner": user_id, "now": now})
    ended = await sql.run(end.returning(_s.id), {"owner": user_id, "why": why, "now": now})
    return sorted(ended.scalars())


def _session_of(row: Sequence[Any]) -> Session:
    (
        session_id,
        user_id,
        client_id,
        scopes,
        created_at,
        auth_time,
        amr,
        acr,
        ends_at,
        last_used_at,
        floor,
        floor_at,
        user_agent,
        address,
        ended_at,
        ended_why,
        audience,
        parent_id,
        offline,
    ) = row
    return Session(
        id=session_id,
        user_id=user_id,
        client_id=client_id,
        scopes=frozenset(scopes),
        created_at=created_at,
        auth_time=auth_time,
        amr=tuple(amr),
        acr=acr,
        ends_at=ends_at,
        last_used_at=last_used_at,
        floor=floor,
        floor_at=floor_at,
        user_agent=user_agent,
        address=address,
        ended_at=ended_at,
        ended_why=ended_why,
        audience=tuple(audience),
        parent_id=parent_id,
        offline=offline,
    )
