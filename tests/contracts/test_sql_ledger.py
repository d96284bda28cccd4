"""`Ledger`: transactions that commit or undo, refuse in time, race safely and leave no connection behind."""

import asyncio
import sys
import traceback
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from service.identifiers import new_id
from service.protocol.errors import Conflict, NotFound
from service.storage.sql import Database, SqlApiKeys, SqlSetupLinks, SqlUsers
from service.storage.sql.columns import UtcDateTime
from service.storage.sql.database import Question
from tests.contracts.sql_ground import (
    NOW,
    a_user,
    add_user,
    an_api_key,
    answered_within,
    opened,
    refused_within,
)

pytestmark = pytest.mark.anyio


async def test_a_block_that_ends_is_committed_and_one_that_raises_is_undone(
    database: Database, other_database: Database
) -> None:
    kept, undone = a_user(), a_user()

    async def fail() -> None:
        async with database.begin() as tx:
            await SqlUsers(database).add(tx, undone)
            raise LookupError("a defect of the caller")

    async with database.begin() as tx:
        await SqlUsers(database).add(tx, kept)
        assert await SqlUsers(other_database).find(kept.id) is None, "not before the block has ended"
    with pytest.raises(LookupError):
        await fail()

    assert await SqlUsers(other_database).find(kept.id) == kept
    assert await SqlUsers(other_database).find(undone.id) is None


async def test_a_clash_inside_a_block_undoes_what_went_before_it(database: Database) -> None:
    first, clash = a_user(), a_user()

    async def add_all() -> None:
        async with database.begin() as tx:
            for user in (clash, first, replace(clash, id=first.id)):
                await SqlUsers(database).add(tx, user)

    with pytest.raises(Conflict):
        await add_all()

    assert await SqlUsers(database).page(search="", after="", limit=9) == []


async def test_a_clash_that_the_caller_swallows_still_commits_nothing(database: Database) -> None:
    kept, other = a_user(), a_user()

    async def swallow() -> None:
        async with database.begin() as tx:
            await SqlUsers(database).add(tx, kept)
            with suppress(Conflict):
                await SqlUsers(database).add(tx, replace(other, id=kept.id))

    with pytest.raises(Conflict):
        await swallow()

    assert await SqlUsers(database).find(kept.id) is None


async def test_what_refers_to_nothing_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound):
        async with database.begin() as tx:
            await tx.run(
                text(
                    "INSERT INTO sessions (id, user_id, client_id, scopes, created_at, auth_time, amr, ends_at, "
                    "last_used_at, floor, user_agent, address, ended_why) "
                    f"VALUES ('s', 'nobody', 'c', '[]', '{NOW}', '{NOW}', '[]', '{NOW}', '{NOW}', 0, '', '', '')"
                )
            )


async def test_a_transaction_of_another_ledger_is_refused(database: Database) -> None:
    with pytest.raises(TypeError):
        await SqlUsers(database).add(object(), a_user())


def test_an_instant_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        UtcDateTime().process_bind_param(NOW.replace(tzinfo=None), None)  # type: ignore[arg-type]  # no dialect is asked


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true", "mysql://x/y"])
def test_a_database_that_cannot_keep_a_ledger_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="SQLite"):
        Database(url)


async def test_acknowledged_commits_survive_the_power_on_sqlite(sqlite_url: str) -> None:
    async with opened(sqlite_url) as database:
        pragmas = {
            name: (await database.fetch_all(text(f"PRAGMA {name}")))[0][0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }

    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


async def test_postgresql_gives_up_before_we_do(postgres_url: str) -> None:
    async with opened(postgres_url) as database:
        names = (
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "default_transaction_isolation",
            "TimeZone",
        )
        settings = {name: (await database.fetch_all(text(f"SHOW {name}")))[0][0] for name in names}

    assert settings == {
        "statement_timeout": "1300ms",
        "lock_timeout": "1100ms",
        "idle_in_transaction_session_timeout": "5s",
        "default_transaction_isolation": "read committed",
        "TimeZone": "UTC",
    }


async def test_cancelled_callers_leave_no_connection_and_no_transaction_behind(sql_url: str) -> None:
    async with opened(sql_url, pool_size=3) as database:
        users, user_id = SqlUsers(database), await add_user(database)

        async def hold() -> None:
            async with database.begin() as tx:
                await users.set_password(tx, user_id, "never")
                await asyncio.sleep(30)

        for round_number in range(5):
            tasks = [asyncio.create_task(hold()) for _ in range(6)]
            tasks += [asyncio.create_task(users.page(search="", after="", limit=9)) for _ in range(6)]
            await asyncio.sleep(0.002 * round_number)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        async with database.begin() as tx:
            assert await users.set_password(tx, user_id, "after") == 2
        await asyncio.gather(*(users.find(user_id) for _ in range(6)), *(add_user(database) for _ in range(6)))


async def test_a_block_that_lasts_too_long_is_undone_and_refused(database: Database, owner_id: str) -> None:
    async def dawdle() -> None:
        async with database.begin() as tx:
            await SqlUsers(database).set_password(tx, owner_id, "never")
            await asyncio.sleep(30)

    await refused_within(2, dawdle())

    await answered_within(1, lambda: add_user(database))
    found = await SqlUsers(database).find(owner_id)
    assert found is not None
    assert found.epoch == 1


def held(database: Database) -> AbstractAsyncContextManager[object]:
    """A connection that is in use for longer than any transaction may last."""
    return database._connected(database._reader, Question())


async def test_more_callers_than_connections_are_refused_in_time_and_served_once_one_is_free(sql_url: str) -> None:
    async with opened(sql_url, pool_size=2) as database:
        users, user_id = SqlUsers(database), await add_user(database)

        async with held(database), held(database):
            await asyncio.gather(
                *(refused_within(2, users.find(user_id)) for _ in range(5)),
                *(refused_within(2, add_user(database)) for _ in range(5)),
            )

        assert await users.find(user_id) is not None
        await asyncio.gather(*(add_user(database) for _ in range(10)))


async def test_a_row_that_another_holds_is_refused_in_time_and_stops_nobody_else(postgres_url: str) -> None:
    async with opened(postgres_url) as database, opened(postgres_url) as other:
        held, free = await add_user(database), await add_user(database)

        async def add_key(user_id: str) -> None:
            async with database.begin() as tx:
                await SqlApiKeys(database).add(tx, an_api_key(user_id), at_most=1_000)

        async with other._engine.begin() as holder:  # not through `begin`, whose own deadline would let go
            await holder.execute(text("SELECT 1 FROM users WHERE id = :id FOR UPDATE"), {"id": held})
            waiting = asyncio.create_task(refused_within(2, add_key(held)))
            while not waiting.done():
                await add_key(free)
                assert await SqlUsers(database).find(held) is not None
                await asyncio.sleep(0.02)
            assert await waiting > 1, "it was worth waiting for a while"

        await add_key(held)


async def test_a_statement_that_takes_too_long_is_refused_in_time_and_stops_nobody_else(postgres_url: str) -> None:
    async with opened(postgres_url) as database:
        slow = asyncio.create_task(refused_within(2, database.fetch_all(text("SELECT pg_sleep(30)"))))
        while not slow.done():
            await add_user(database)
            await asyncio.sleep(0.02)
        await slow

        await add_user(database)


async def test_of_two_that_wait_for_each_other_one_is_told_of_a_conflict(postgres_url: str) -> None:
    async with opened(postgres_url) as database:
        users, both, name = SqlUsers(database), asyncio.Barrier(2), database._engine.url.database
        ids = [await add_user(database), await add_user(database)]
        async with database.begin() as tx:
            await tx.run(text(f"ALTER DATABASE \"{name}\" SET deadlock_timeout = '50ms'"))
        await database._engine.dispose()  # the setting is for new connections

        async def lock(first: str, second: str) -> bool:
            try:
                async with database.begin() as tx:
                    await users.set_password(tx, first, "new")
                    await both.wait()
                    await users.set_password(tx, second, "new")
            except Conflict:
                return False
            return True

        assert sorted(await asyncio.gather(lock(*ids), lock(*ids[::-1]))) == [False, True]
        for user_id in ids:
            user = await users.find(user_id)
            assert user is not None
            assert user.epoch == 2


async def test_a_batch_that_lost_a_race_for_its_rows_is_worth_trying_again(postgres_url: str) -> None:
    async with opened(postgres_url) as database, opened(postgres_url) as other:
        users, name = SqlUsers(database), database._engine.url.database
        first, second = sorted([await add_user(database), await add_user(database)])
        async with database.begin() as tx:
            await tx.run(text(f"ALTER DATABASE \"{name}\" SET deadlock_timeout = '50ms'"))
        await database._engine.dispose()  # the setting is for new connections
        rename = text("UPDATE users SET username = :name WHERE id = :id")

        async with other.begin() as tx:
            await tx.run(text("SET LOCAL deadlock_timeout = '10s'"))
            await SqlUsers(other).set_password(tx, second, "new")
            batch = asyncio.create_task(
                refused_within(2, database.run_each(rename, [{"name": "x", "id": first}, {"name": "x", "id": second}]))
            )
            while not await other.fetch_all(text("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")):
                await asyncio.sleep(0.005)
            await SqlUsers(other).set_password(tx, first, "new")
        await batch

        user = await users.find(first)
        assert user is not None
        assert user.epoch == 2
        assert user.username != "x"


_RAISE_EPOCHS = """
import asyncio, sys
from service.storage.sql import Database, SqlUsers
async def main(url, user_id):
    database = Database(url)
    async def one():
        async with database.begin() as tx:
            user = await SqlUsers(database).find_locked(tx, user_id)
            await SqlUsers(database).set_password(tx, user_id, str(int(user.password_hash) + 1))
    for _ in range(10):
        await asyncio.gather(*(one() for _ in range(4)))
    await database.close()
asyncio.run(main(*sys.argv[1:]))
"""


async def test_processes_that_read_and_then_write_lose_no_update(database: Database, sql_url: str) -> None:
    user = a_user(password_hash="0")
    async with database.begin() as tx:
        await SqlUsers(database).add(tx, user)
    root = Path(__file__).parents[2]

    workers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", _RAISE_EPOCHS, sql_url, user.id),
            env={"PYTHONPATH": f"{root}:{root / 'sdk'}"},
            stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for worker in workers:
        _, problem = await worker.communicate()
        assert worker.returncode == 0, problem.decode()

    found = await SqlUsers(database).find(user.id)
    assert found is not None
    assert (found.password_hash, found.epoch) == ("80", 81)


async def test_readers_and_writers_of_two_workers_get_through_with_no_refusal(
    database: Database, other_database: Database
) -> None:
    user_id = await add_user(database)
    links = SqlSetupLinks(database)

    async def write(ledger: Database, number: int) -> None:
        async with ledger.begin() as tx:
            await links.add(tx, f"{id(ledger)} {number}".encode(), expires_at=NOW)

    for start in range(0, 100, 5):
        await asyncio.gather(
            *(write(ledger, number) for ledger in (database, other_database) for number in range(start, start + 5)),
            *(SqlUsers(ledger).find(user_id) for ledger in (database, other_database) for _ in range(5)),
        )

    assert (await database.fetch_all(text("SELECT count(*) FROM setup_links")))[0][0] == 200


async def test_what_a_driver_complains_of_does_not_tell_what_it_was_given(database: Database) -> None:
    given = new_id()
    with pytest.raises(Exception, match="nowhere") as caught:
        async with database.begin() as tx:
            await tx.run(text("SELECT x FROM nowhere WHERE x = :given"), {"given": given})
    assert given not in "".join(traceback.format_exception(caught.value))
