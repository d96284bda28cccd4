"""`Sessions`, kept by SQL."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import pytest

from service.identifiers import new_id
from service.protocol.errors import NotFound
from service.sessions.crowd import Living
from service.sessions.session import Reached, Session, SessionStanding
from service.storage.sql import Database, SqlClients, SqlSessions, SqlUsers
from tests.contracts.sql_ground import DAY, NOW, SECOND, a_client, a_session, a_user

pytestmark = pytest.mark.anyio


async def _kept(database: Database, session: Session) -> Session:
    async with database.begin() as tx:
        await SqlSessions(database).add(tx, session)
    return session


async def _now_kept(database: Database, session_id: str) -> Session:
    standing = await SqlSessions(database).find_standing(session_id)
    assert standing is not None
    return standing.session


async def test_a_standing_says_all_of_session_owner_and_client(database: Database) -> None:
    user, client = a_user(disabled_at=NOW), a_client(disabled_at=NOW)
    async with database.begin() as tx:
        await SqlUsers(database).add(tx, user)
        await SqlClients(database).add(tx, client)
    plain = await _kept(database, a_session(user.id, acr=None, amr=(), user_agent="", address=""))
    ended = await _kept(
        database,
        a_session(user.id, client_id=client.id, floor=7, floor_at=NOW, ended_at=NOW, ended_why="signed out"),
    )
    granted = await _kept(
        database,
        a_session(user.id, client_id=client.id, audience=("https://b.example", "a"), parent_id=plain.id, offline=True),
    )
    orphaned = await _kept(database, a_session(user.id, client_id="gp_client_gone"))
    sessions = SqlSessions(database)

    assert await sessions.find_standing(plain.id) == SessionStanding(plain, user, None)
    assert await sessions.find_standing(ended.id) == SessionStanding(ended, user, client)
    assert await sessions.find_standing(granted.id) == SessionStanding(granted, user, client)
    assert await sessions.find_standing(orphaned.id) == SessionStanding(orphaned, user, None)
    for unknown in ("", "unknown", "a\0b", "\ud800"):
        assert await sessions.find_standing(unknown) is None


async def test_a_session_of_nobody_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound):
        await _kept(database, a_session("nobody"))


async def test_a_page_has_one_persons_living_sessions_newest_last(database: Database, owner_id: str) -> None:
    sessions, other = SqlSessions(database), a_user()
    async with database.begin() as tx:
        await SqlUsers(database).add(tx, other)
    first, second, third = [await _kept(database, a_session(owner_id)) for _ in range(3)]
    await _kept(database, a_session(owner_id, ended_at=NOW))
    await _kept(database, a_session(owner_id, ends_at=NOW))
    await _kept(database, a_session(other.id))

    assert await sessions.page(user_id=owner_id, after="", limit=9, now=NOW) == [first, second, third]
    assert await sessions.page(user_id=owner_id, after=first.id, limit=1, now=NOW) == [second]
    assert len(await sessions.page(user_id=owner_id, after="", limit=9, now=NOW - SECOND)) == 4
    assert await sessions.page(user_id=owner_id, after="\0", limit=9, now=NOW) == ()


async def test_a_session_is_ended_by_its_owner_once(database: Database, owner_id: str) -> None:
    sessions, session = SqlSessions(database), await _kept(database, a_session(owner_id))
    past_its_end = await _kept(database, a_session(owner_id, ends_at=NOW))

    async def end(session_id: str, user_id: str, why: str) -> bool:
        async with database.begin() as tx:
            return await sessions.end(tx, session_id, user_id=user_id, why=why, now=NOW)

    assert not await end(session.id, "somebody else", "theft")
    assert not await end("unknown", owner_id, "guess")
    assert not await end("a\0b", owner_id, "guess")
    assert not await end(past_its_end.id, owner_id, "too late")
    assert await end(session.id, owner_id, "signed out")
    assert not await end(session.id, owner_id, "again")
    assert await _now_kept(database, session.id) == replace(session, ended_at=NOW, ended_why="signed out")
    assert await _now_kept(database, past_its_end.id) == past_its_end


async def test_all_living_sessions_but_one_are_ended(database: Database, owner_id: str) -> None:
    sessions, other = SqlSessions(database), a_user()
    async with database.begin() as tx:
        await SqlUsers(database).add(tx, other)
    mine = [await _kept(database, a_session(owner_id)) for _ in range(3)]
    ended = await _kept(database, a_session(owner_id, ended_at=NOW - DAY, ended_why="before"))
    foreign = await _kept(database, a_session(other.id))

    async with database.begin() as tx:
        first = await sessions.end_all(tx, user_id=owner_id, why="password changed", now=NOW, but=mine[1].id)
    async with database.begin() as tx:
        rest = await sessions.end_all(tx, user_id=owner_id, why="disabled", now=NOW)

    assert (first, rest) == ([mine[0].id, mine[2].id], [mine[1].id])
    assert (await _now_kept(database, mine[0].id)).ended_why == "password changed"
    assert (await _now_kept(database, mine[1].id)).ended_why == "disabled"
    assert await _now_kept(database, ended.id) == ended
    assert await _now_kept(database, foreign.id) == foreign


async def test_the_living_sessions_of_one_client_are_ended(database: Database, owner_id: str) -> None:
    sessions, other = SqlSessions(database), a_user()
    async with database.begin() as tx:
        await SqlUsers(database).add(tx, other)
    mine = [await _kept(database, a_session(owner_id, client_id="gp_client_a")) for _ in range(2)]
    ended = await _kept(database, a_session(owner_id, client_id="gp_client_a", ended_at=NOW, ended_why="before"))
    past_its_end = await _kept(database, a_session(owner_id, client_id="gp_client_a", ends_at=NOW))
    of_another_client = await _kept(database, a_session(owner_id, client_id="gp_client_b"))
    of_another_person = await _kept(database, a_session(other.id, client_id="gp_client_a"))

    async def end(client_id: str) -> Sequence[str]:
        async with database.begin() as tx:
            return await sessions.end_of_client(tx, user_id=owner_id, client_id=client_id, why="withdrawn", now=NOW)

    assert [*await end("gp_client_"), *await end("a\0b")] == []
    assert await end("gp_client_a") == [session.id for session in mine]
    assert await end("gp_client_a") == []
    for session in mine:
        assert await _now_kept(database, session.id) == replace(session, ended_at=NOW, ended_why="withdrawn")
    for untouched in (ended, past_its_end, of_another_client, of_another_person):
        assert await _now_kept(database, untouched.id) == untouched


async def test_a_crowd_is_counted_and_those_that_nobody_holds_are_ended(
    database: Database, other_database: Database, owner_id: str
) -> None:
    sessions = SqlSessions(database)
    mine = [await _kept(database, a_session(owner_id, last_used_at=NOW - number * DAY)) for number in range(3)]
    child = await _kept(database, a_session(owner_id, parent_id=mine[0].id, offline=True))
    await _kept(database, a_session(owner_id, ended_at=NOW))
    await _kept(database, a_session(owner_id, ends_at=NOW))

    async with database.begin() as tx:
        assert await sessions.count(tx, user_id=owner_id, now=NOW) == 4
        crowd = await sessions.crowd(tx, user_id=owner_id, now=NOW)
        assert {one.id: one for one in crowd} == {
            one.id: Living(one.id, one.parent_id, one.offline, one.last_used_at) for one in (*mine, child)
        }
        names = [mine[2].id, "unknown", mine[0].id]
        ended = await sessions.end_idle(tx, names, user_id=owner_id, why="too many", now=NOW)
        assert ended == sorted([mine[0].id, mine[2].id])
        assert await sessions.end_idle(tx, names, user_id=owner_id, why="again", now=NOW) == []
        assert await sessions.end_idle(tx, [mine[1].id], user_id="somebody else", why="theft", now=NOW) == []
    assert (await _now_kept(database, mine[2].id)).ended_why == "too many"
    assert await _now_kept(database, mine[1].id) == mine[1]

    if database.postgresql:  # on SQLite writers take turns
        async with other_database.begin() as holds, database.begin() as tx:
            assert await SqlSessions(other_database).is_living(holds, mine[1].id, now=NOW)
            names = [mine[1].id, child.id]
            assert await sessions.end_idle(tx, names, user_id=owner_id, why="waits", now=NOW) == [child.id]


async def test_the_children_of_a_hosted_sign_in_are_its_living_ones(database: Database, owner_id: str) -> None:
    sessions, parent = SqlSessions(database), await _kept(database, a_session(owner_id))
    children = [await _kept(database, a_session(owner_id, parent_id=parent.id)) for _ in range(2)]
    await _kept(database, a_session(owner_id, parent_id=parent.id, ended_at=NOW))
    await _kept(database, a_session(owner_id, parent_id=parent.id, ends_at=NOW))
    await _kept(database, a_session(owner_id, parent_id="another"))

    assert await sessions.children(parent.id, now=NOW) == children
    assert await sessions.children("unknown", now=NOW) == []
    assert await sessions.children("a\0b", now=NOW) == ()


async def test_of_racing_ends_each_session_is_ended_by_one(
    database: Database, other_database: Database, owner_id: str
) -> None:
    kept = [await _kept(database, a_session(owner_id)) for _ in range(10)]

    async def end_all(ledger: Database) -> list[str]:
        async with ledger.begin() as tx:
            return list(await SqlSessions(ledger).end_all(tx, user_id=owner_id, why="all", now=NOW))

    ended = await asyncio.gather(*(end_all(ledger) for ledger in (database, other_database) * 5))

    assert sorted(chain.from_iterable(ended)) == [session.id for session in kept]


async def test_a_floor_and_a_last_use_are_raised_each_on_its_own_and_never_lowered(
    database: Database, owner_id: str
) -> None:
    sessions = SqlSessions(database)
    session = await _kept(database, a_session(owner_id, floor=5, floor_at=NOW, last_used_at=NOW))

    async def after(generation: int, seconds: int) -> tuple[int, object, object]:
        await sessions.write_behind({session.id: Reached(generation, NOW + seconds * SECOND)})
        kept = await _now_kept(database, session.id)
        return kept.floor, kept.floor_at, kept.last_used_at

    assert await after(4, -1) == (5, NOW, NOW)
    assert await after(5, 1) == (5, NOW, NOW + SECOND), "the floor was reached when it was reached"
    assert await after(6, 2) == (6, NOW + 2 * SECOND, NOW + 2 * SECOND)
    assert await after(5, 3) == (6, NOW + 2 * SECOND, NOW + 3 * SECOND)
    assert await after(7, 1) == (7, NOW + SECOND, NOW + 3 * SECOND), "the time of a floor goes with the floor"


async def test_thousands_are_written_behind_at_once(database: Database, owner_id: str) -> None:
    sessions = SqlSessions(database)
    kept = [a_session(owner_id) for _ in range(2_000)]
    for start in range(0, len(kept), 100):
        async with database.begin() as tx:
            for session in kept[start : start + 100]:
                await sessions.add(tx, session)
    reached = {session.id: Reached(3, NOW + SECOND) for session in kept} | {new_id(): Reached(3, NOW)}

    began = asyncio.get_running_loop().time()
    await sessions.write_behind(reached)
    took = asyncio.get_running_loop().time() - began

    page = await sessions.page(user_id=owner_id, after="", limit=3_000, now=NOW)
    assert {(one.floor, one.floor_at, one.last_used_at) for one in page} == {(3, NOW + SECOND, NOW + SECOND)}
    assert len(page) == 2_000
    print(f"{len(reached)} sessions written behind in {took:.3f} s")


async def test_racing_writers_behind_and_an_end_leave_the_highest_of_all(
    database: Database, other_database: Database, owner_id: str
) -> None:
    kept = [await _kept(database, a_session(owner_id)) for _ in range(30)]

    async def write(ledger: Database, turn: int) -> None:
        shuffled = random.Random(turn).sample(kept, len(kept))
        await SqlSessions(ledger).write_behind({session.id: Reached(turn, NOW + turn * SECOND) for session in shuffled})

    async def end(ledger: Database) -> None:
        async with ledger.begin() as tx:
            await SqlSessions(ledger).end_all(tx, user_id=owner_id, why="all", now=NOW)

    await asyncio.gather(
        *(write((database, other_database)[turn % 2], turn) for turn in (4, 9, 1, 10, 3, 8, 2, 7)),
        end(other_database),
    )

    for session in kept:
        assert await _now_kept(database, session.id) == replace(
            session,
            floor=10,
            floor_at=NOW + 10 * SECOND,
            last_used_at=NOW + 10 * SECOND,
            ended_at=NOW,
            ended_why="all",
        )
