"""`LogoutNotices` and `LogoutNotes`, kept by SQL."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from service.clients.client import Client
from service.clients.metadata import ClientMetadata
from service.logout.notice import LogoutNotice
from service.sessions.session import Session
from service.storage.sql import Database, SqlClients, SqlLogoutNotices, SqlSessions
from service.storage.sql.tables import LOGOUT_NOTICES
from tests.contracts.sql_ground import DAY, NOW, SECOND, a_client, a_session

pytestmark = pytest.mark.anyio
URI = "https://app.example/backchannel"


async def kept_client(database: Database, uri: str | None = URI, **changed: Any) -> Client:
    """A client that wants to be told at `uri`."""
    client = a_client(metadata=ClientMetadata(backchannel_logout_uri=uri), **changed)
    async with database.begin() as tx:
        await SqlClients(database).add(tx, client)
    return client


async def kept_session(database: Database, owner_id: str, **changed: Any) -> Session:
    session = a_session(owner_id, **changed)
    async with database.begin() as tx:
        await SqlSessions(database).add(tx, session)
    return session


async def note(database: Database, *session_ids: str, now: Any = NOW) -> None:
    async with database.begin() as tx:
        await SqlLogoutNotices(database).note(tx, session_ids, now=now)


async def due(database: Database, *, now: Any = NOW, limit: int = 99, each: int = 99) -> list[LogoutNotice]:
    return list(await SqlLogoutNotices(database).due(now=now, limit=limit, each=each))


@pytest.mark.spec("OIDC Back-Channel Logout §2.5")
async def test_every_ended_session_of_a_client_that_wants_to_be_told_is_noted(
    database: Database, owner_id: str
) -> None:
    wants, other = await kept_client(database), await kept_client(database, "https://other.example/b?x=1")
    silent, gone = await kept_client(database, None), await kept_client(database, disabled_at=NOW)
    ended = [await kept_session(database, owner_id, client_id=client.id) for client in (wants, other, silent, gone)]
    ended.append(await kept_session(database, owner_id))
    await note(database, *(session.id for session in ended))

    found = {notice.session_id: notice for notice in await due(database)}
    assert found.keys() == {ended[0].id, ended[1].id}
    for session, client in zip(ended, (wants, other), strict=False):
        notice = found[session.id]
        assert (notice.client_id, notice.uri) == (client.id, client.metadata.backchannel_logout_uri)
        assert (notice.subject, notice.created_at, notice.next_try_at, notice.tries) == (owner_id, NOW, NOW, 0)


@pytest.mark.spec("OIDC Back-Channel Logout §2.7")
async def test_what_was_granted_for_absence_is_told_of_the_logout_it_outlives(
    database: Database, owner_id: str
) -> None:
    client, parent = await kept_client(database), await kept_session(database, owner_id)
    of_parent = {"client_id": client.id, "parent_id": parent.id}
    offline = await kept_session(database, owner_id, offline=True, **of_parent)
    await kept_session(database, owner_id, **of_parent)
    await kept_session(database, owner_id, offline=True, ended_at=NOW - DAY, ended_why="before", **of_parent)
    await kept_session(database, owner_id, client_id=client.id, offline=True)
    await note(database, parent.id)
    assert [notice.session_id for notice in await due(database)] == [offline.id]


async def test_an_act_that_is_undone_tells_nobody(database: Database, owner_id: str) -> None:
    session = await kept_session(database, owner_id, client_id=(await kept_client(database)).id)

    async def undone() -> None:
        async with database.begin() as tx:
            await SqlLogoutNotices(database).note(tx, [session.id], now=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undone()
    assert await due(database) == []


async def filled(database: Database, owner_id: str, *counts: int) -> list[str]:
    """Clients with so many notices each, a client's later than those of the one before."""
    names = []
    for place, count in enumerate(counts):
        client = await kept_client(database)
        names.append(client.id)
        ids = [(await kept_session(database, owner_id, client_id=client.id)).id for _ in range(count)]
        await note(database, *ids, now=NOW + place * SECOND)
    return names


async def test_who_waits_longest_comes_first_and_nobody_hides_the_others(database: Database, owner_id: str) -> None:
    first, second, third = await filled(database, owner_id, 6, 1, 3)
    later = NOW + 9 * SECOND
    assert [n.client_id for n in await due(database, now=later, each=2)] == [first, first, second, third, third]
    assert [n.client_id for n in await due(database, now=later, each=2, limit=3)] == [first, first, second]
    assert [n.client_id for n in await due(database, now=NOW + SECOND, each=1)] == [first, second]
    assert await due(database, now=NOW - SECOND) == []


async def test_of_racing_workers_one_gets_a_notice_and_each_try_counts(
    database: Database, other_database: Database, owner_id: str
) -> None:
    await filled(database, owner_id, 1)
    [notice] = await due(database)
    until = NOW + 30 * SECOND
    stores = [SqlLogoutNotices(one) for one in (database, other_database) * 4]
    got = await asyncio.gather(*(store.claim(notice, until=until) for store in stores))
    assert sorted(got) == [False] * 7 + [True]
    assert await due(database, now=until - SECOND) == []
    [again] = await due(other_database, now=until)
    assert (again.id, again.tries, again.next_try_at) == (notice.id, 1, until)


async def test_what_is_put_off_comes_again_and_what_is_done_never(database: Database, owner_id: str) -> None:
    await filled(database, owner_id, 3)
    notices = SqlLogoutNotices(database)
    told, lost, later = await due(database)
    await notices.delivered(told.id, now=NOW)
    await notices.given_up(lost.id, now=NOW + DAY)
    await notices.put_off(later.id, until=NOW + DAY)
    assert await due(database) == []
    assert [notice.id for notice in await due(database, now=NOW + 9 * DAY)] == [later.id]
    for notice in (told, lost):
        await notices.put_off(notice.id, until=NOW)
        assert not await notices.claim(notice, until=NOW + DAY)
    assert await due(database) == []


async def test_what_is_done_is_forgotten_after_a_while_and_what_waits_is_not(database: Database, owner_id: str) -> None:
    await filled(database, owner_id, 3)
    notices = SqlLogoutNotices(database)
    told, lost, waits = await due(database)
    await notices.delivered(told.id, now=NOW)
    await notices.given_up(lost.id, now=NOW + timedelta(hours=2))
    await notices.forget(before=NOW + timedelta(hours=1))
    assert await row_ids(database) == {lost.id, waits.id}
    await notices.forget(before=NOW + DAY)
    assert await row_ids(database) == {waits.id}


async def row_ids(database: Database) -> set[str]:
    return {row[0] for row in await database.fetch_all(select(LOGOUT_NOTICES.c.id))}
