"""The end of many sessions: however many there are, it is one act with a handful of questions."""

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from gatepost.revocation import RevocationKind
from service import clock
from service.accounts.directory import UserChange
from service.app import House
from service.identifiers import new_id
from service.storage.sql import SqlSessions
from service.storage.sql.tables import REVOCATIONS, SESSIONS
from tests.contracts.sql_ground import a_session
from tests.rooms import add_user, counted
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
MANY = 150


async def add_sessions(house: House, user_id: str, count: int) -> None:
    """So many living sessions of one person."""
    now = clock.now()
    first = a_session(user_id, created_at=now, last_used_at=now, ends_at=now + timedelta(days=1))
    async with house.database.begin() as tx:
        await SqlSessions(house.database).add(tx, first)
        [row] = (await tx.run(select(SESSIONS).where(SESSIONS.c.id == first.id))).all()
        await tx.run(insert(SESSIONS), [{**row._mapping, "id": new_id()} for _ in range(count - 1)])


async def sessions_and_revocations(house: House, user_id: str) -> tuple[int, int]:
    """How many live, and how many have been revoked."""
    [(living,)] = await house.database.fetch_all(
        select(func.count()).where(SESSIONS.c.user_id == user_id, SESSIONS.c.ended_at.is_(None))
    )
    [(revoked,)] = await house.database.fetch_all(
        select(func.count()).where(REVOCATIONS.c.owner == user_id, REVOCATIONS.c.kind == RevocationKind.SESSION.value)
    )
    return living, revoked


async def test_signing_out_everywhere_asks_no_more_for_hundreds_of_sessions(
    house: House, valkey_server: ValkeyServer
) -> None:
    """A thief who signs in again and again cannot make an account too large for its owner to close."""
    few, many = await add_user(house, "ada"), await add_user(house, "bob")
    await add_sessions(house, few.id, 2)
    await add_sessions(house, many.id, MANY)
    with counted(house, valkey_server) as for_few:
        assert await house.rooms.ending.end_all(few.id, why="test", now=clock.now()) == 2
    with counted(house, valkey_server) as for_many:
        assert await house.rooms.ending.end_all(many.id, why="test", now=clock.now()) == MANY
    assert await sessions_and_revocations(house, many.id) == (0, MANY)
    assert for_many.sql == for_few.sql


async def test_disabling_an_account_with_hundreds_of_sessions_ends_them_all(house: House) -> None:
    user = await add_user(house, "ada")
    await add_sessions(house, user.id, MANY)
    await house.rooms.directory.change(user.id, UserChange(disabled=True), now=clock.now())
    assert await sessions_and_revocations(house, user.id) == (0, MANY)
