"""The ledger while its server is frozen, dead, unreachable or locked: a typed refusal within 2 s, recovery within 5 s.

Nothing is restarted on our side, no answer contradicts what was acknowledged, and no connection is left behind.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import make_url, text

from service.protocol.errors import StoreUnavailable
from service.storage.sql import Database, SqlUsers
from service.storage.sql.engine import DEADLINE
from service.storage.sql.migrations import upgrade
from tests.contracts.sql_ground import a_user, add_user, answered_within, opened, refused_within
from tests.fair_clock import fair_clock
from tests.servers.postgres import PostgresServer, run_apart
from tests.servers.proxy import TcpProxy

pytestmark = pytest.mark.anyio
AT_ONCE = 0.1


@pytest.fixture
def own_ledger(own_postgres: PostgresServer) -> PostgresServer:
    """A PostgreSQL for this test alone, with all tables."""
    run_apart(upgrade(own_postgres.url()))
    return own_postgres


@pytest.fixture(params=["socket", "loopback"])
async def remote(request: pytest.FixtureRequest, own_ledger: PostgresServer) -> AsyncIterator[Database]:
    """The ledger on that server."""
    async with opened(own_ledger.url() if request.param == "socket" else own_ledger.tcp_url(), pool_size=5) as database:
        yield database


def calls(database: Database, user_id: str) -> list[Callable[[], Awaitable[object]]]:
    """One of each way into the ledger."""
    users = SqlUsers(database)
    return [
        lambda: users.find(user_id),
        lambda: users.find_by_login("nobody"),
        lambda: users.page(search="a", after="", limit=9),
        lambda: add_user(database),
        lambda: users.rehash(user_id, old="old", new="new"),
        database.check,
    ]


async def backends(database: Database) -> set[int]:
    """The process ids behind the pool's connections."""
    rows = await database.fetch_all(text("SELECT pid FROM pg_stat_activity WHERE application_name = 'gatepost'"))
    return {row[0] for row in rows}


async def stuck_on_its_own(database: Database) -> None:
    """A transaction whose connection alone stops to answer."""
    async with database.begin() as tx:
        pid: int = (await tx.run(text("SELECT pg_backend_pid()"))).scalar_one()
        psutil.Process(pid).suspend()
        try:
            await tx.run(text("SELECT 1"))
        finally:
            psutil.Process(pid).resume()


async def test_a_frozen_server_refuses_everybody_in_time_then_at_once_and_is_found_again(
    own_ledger: PostgresServer, remote: Database
) -> None:
    user_id = await add_user(remote)
    await asyncio.gather(*(call() for call in calls(remote, user_id) * 3))  # so that the pool is full of connections

    own_ledger.freeze()
    await asyncio.gather(*(refused_within(2, call()) for call in calls(remote, user_id) * 8))
    took = await asyncio.gather(*(refused_within(2, call()) for call in calls(remote, user_id)))
    assert sorted(took)[-2] < AT_ONCE, "all but the one that looks whether it is back"
    for _ in range(2):
        await asyncio.sleep(0.3)
        await refused_within(2, remote.check())
    own_ledger.resume()

    assert await answered_within(5, remote.check) < 1
    await asyncio.gather(*(call() for call in calls(remote, user_id) * 8))
    assert len(await backends(remote)) <= 5


@pytest.mark.parametrize("moment", ["before a statement", "while the caller dawdles", "before the commit"])
async def test_a_transaction_in_which_the_server_freezes_is_refused_in_time_and_undone_or_whole(
    own_ledger: PostgresServer, moment: str
) -> None:
    async with opened(own_ledger.url()) as database, opened(own_ledger.url()) as other:
        users, first, second = SqlUsers(database), a_user(), a_user()

        async def act() -> None:
            async with database.begin() as tx:
                await users.add(tx, first)
                if moment == "before a statement":
                    own_ledger.freeze()
                if moment == "while the caller dawdles":
                    own_ledger.freeze()
                    await asyncio.sleep(30)
                await users.add(tx, second)
                if moment == "before the commit":
                    own_ledger.freeze()

        await refused_within(2, act())
        own_ledger.resume()

        await answered_within(5, database.check)
        await answered_within(5, lambda: add_user(database))
        both = [await SqlUsers(other).find(user.id) is not None for user in (first, second)]
        assert both == ([both[0]] * 2 if moment == "before the commit" else [False, False])
        assert len(await backends(other)) <= 3


async def test_a_dead_server_is_refused_and_one_that_is_started_again_is_used_at_once(
    own_ledger: PostgresServer, remote: Database
) -> None:
    user_id = await add_user(remote)
    await asyncio.gather(*(call() for call in calls(remote, user_id) * 3))

    own_ledger.kill()
    await asyncio.gather(*(refused_within(2, call()) for call in calls(remote, user_id) * 3))
    await refused_within(AT_ONCE, remote.check())
    own_ledger.start()

    assert await answered_within(5, remote.check) < 1
    await asyncio.gather(*(call() for call in calls(remote, user_id) * 3))
    assert await SqlUsers(remote).find(user_id) is not None, "what was acknowledged is there"


async def test_a_callers_own_failure_is_not_hidden_by_an_undoing_that_fails(own_ledger: PostgresServer) -> None:
    async with opened(own_ledger.url()) as database:

        async def fail() -> None:
            async with database.begin() as tx:
                await SqlUsers(database).add(tx, a_user())
                own_ledger.kill()
                raise LookupError("a defect of the caller")

        with pytest.raises(LookupError):
            await fail()
        own_ledger.start()

        await answered_within(5, lambda: add_user(database))


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_server_that_restarted_while_nobody_asked_is_not_noticed(own_ledger: PostgresServer, how: str) -> None:
    async with opened(own_ledger.url()) as database:
        user_id = await add_user(database)
        await asyncio.gather(*(call() for call in calls(database, user_id) * 3))

        getattr(own_ledger, how)()
        own_ledger.start()
        await asyncio.sleep(0.05)

        await asyncio.gather(*(call() for call in calls(database, user_id) * 3))


async def test_a_worker_that_started_before_its_server_finds_it(own_ledger: PostgresServer) -> None:
    own_ledger.stop()
    async with opened(own_ledger.url()) as database:
        await refused_within(2, database.check())
        await refused_within(2, add_user(database))
        own_ledger.start()

        assert await answered_within(5, lambda: add_user(database)) < 1


async def test_a_network_that_swallows_everything_is_refused_in_time_and_found_again(
    own_ledger: PostgresServer,
) -> None:
    async with TcpProxy(own_ledger.port) as proxy, opened(own_ledger.tcp_url(port=proxy.port)) as database:
        user_id = await add_user(database)
        await asyncio.gather(*(call() for call in calls(database, user_id) * 5))

        proxy.black_hole()
        await asyncio.gather(*(refused_within(2, call()) for call in calls(database, user_id) * 3))
        await refused_within(AT_ONCE, database.check())
        await proxy.restore()

        assert await answered_within(5, database.check) < 2
        await asyncio.gather(*(call() for call in calls(database, user_id) * 5))


def freeze_connections(server: PostgresServer) -> None:
    """From now on no connection that exists is answered, and nobody is told; new ones are served. So it is behind a
    firewall that has forgotten its connections."""
    for process in psutil.Process(server.pid).children():
        if "[local]" in " ".join(process.cmdline()):
            process.suspend()


async def test_when_one_connection_falls_silent_the_idle_ones_beside_it_are_not_used_again(
    own_ledger: PostgresServer,
) -> None:
    async with opened(own_ledger.url(), pool_size=8) as database:
        user_id = await add_user(database)
        await asyncio.gather(*(call() for call in calls(database, user_id) * 5))
        assert len(await backends(database)) == 8

        freeze_connections(own_ledger)
        await refused_within(2, database.check())

        assert await answered_within(5, database.check) < 1
        await asyncio.gather(*(call() for call in calls(database, user_id) * 5))


async def test_a_server_that_is_slow_for_one_call_and_answers_the_others_keeps_its_connections(
    own_ledger: PostgresServer,
) -> None:
    async with opened(own_ledger.url(), pool_size=4) as database:
        await asyncio.gather(*(database.fetch_all(text("SELECT pg_sleep(0.1)")) for _ in range(4)))
        pids = await backends(database)

        slow = asyncio.create_task(refused_within(2, stuck_on_its_own(database)))
        while not slow.done():
            await database.check()
            await asyncio.sleep(0.02)
        await slow

        await database.check()
        await asyncio.gather(*(database.fetch_all(text("SELECT pg_sleep(0.1)")) for _ in range(4)))
        assert len(await backends(database) - pids) == 1, "in the place of the one that did not answer"


async def test_one_connection_that_the_server_ends_stops_nobody_else(remote: Database) -> None:
    user_id = await add_user(remote)

    async def lose() -> None:
        async with remote.begin() as tx:
            own = (await tx.run(text("SELECT pg_backend_pid()"))).scalar_one()
            await remote.fetch_all(text("SELECT pg_terminate_backend(:own)"), {"own": own})
            await SqlUsers(remote).set_password(tx, user_id, "never")

    for _ in range(3):
        await refused_within(2, lose())
        await asyncio.gather(*(call() for call in calls(remote, user_id)))

    user = await SqlUsers(remote).find(user_id)
    assert user is not None
    assert user.epoch == 1


async def test_a_server_that_takes_no_more_connections_or_no_password_is_a_refusal(own_ledger: PostgresServer) -> None:
    url = make_url(own_ledger.url())
    for wrong in (url.set(database="missing"), url.set(username="missing")):
        async with opened(wrong.render_as_string(hide_password=False)) as database:
            await refused_within(2, database.check())
            await refused_within(2, add_user(database))


async def test_a_standby_that_takes_no_writes_still_answers_questions(own_ledger: PostgresServer) -> None:
    async with opened(own_ledger.url()) as database:
        user_id = await add_user(database)
        async with database.begin() as tx:
            await tx.run(text("ALTER DATABASE postgres SET default_transaction_read_only = on"))
        await database._engine.dispose()  # the setting is for new connections

        await refused_within(2, add_user(database))
        assert await SqlUsers(database).find(user_id) is not None


async def test_a_process_that_stood_still_does_not_take_the_server_for_away(sqlite_url: str) -> None:
    """Whoever was waiting is refused, as nobody can say; whoever comes next is answered."""
    async with opened(sqlite_url) as database:

        async def wait_while_everything_stands_still() -> None:
            async with database._within_deadline(database._reads) as question:
                with question.asked():
                    await asyncio.sleep(0)
                    time.sleep(DEADLINE + 0.5)
                    await asyncio.sleep(10)

        with pytest.raises(StoreUnavailable, match="no answer in time"):
            await wait_while_everything_stands_still()
        await database.check()


async def test_tables_that_are_not_there_yet_are_a_refusal(sql_backend: str) -> None:
    async with opened(sql_backend) as database:
        await refused_within(2, SqlUsers(database).find("anybody"))
        await refused_within(2, add_user(database))

        await upgrade(sql_backend)
        await answered_within(1, lambda: add_user(database))


_HOLD_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA locking_mode = " + sys.argv[2])
connection.execute("BEGIN EXCLUSIVE")
connection.execute("UPDATE setup_links SET taken_at = taken_at")
print("held", flush=True)
sys.stdin.read()
connection.execute("COMMIT")
"""


@contextmanager
def locked_by_another_process(url: str, mode: str = "NORMAL") -> Iterator[None]:
    """Another process holds the write lock of the file; with EXCLUSIVE nobody may read either."""
    command = [sys.executable, "-c", _HOLD_LOCK, make_url(url).database or "", mode]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    try:
        yield
    finally:
        holder.communicate()


async def test_a_file_that_another_process_has_locked_refuses_writers_in_time_and_still_answers_readers(
    sqlite_url: str,
) -> None:
    async with opened(sqlite_url) as database:
        user_id = await add_user(database)

        with locked_by_another_process(sqlite_url):
            took = await asyncio.gather(*(refused_within(2, add_user(database)) for _ in range(10)))
            assert max(took) > 1, "it was worth waiting for a while"
            await refused_within(AT_ONCE, add_user(database))
            assert await SqlUsers(database).find(user_id) is not None

        assert await answered_within(5, lambda: add_user(database)) < 1
        await asyncio.gather(*(add_user(database) for _ in range(10)))


async def test_a_lock_that_is_held_for_a_moment_is_waited_for_while_readers_go_on(sqlite_url: str) -> None:
    async with opened(sqlite_url, pool_size=3) as database:
        user_id = await add_user(database)

        with locked_by_another_process(sqlite_url):
            writing = [asyncio.create_task(add_user(database)) for _ in range(6)]
            await asyncio.sleep(0.3)
            began = fair_clock()
            assert await SqlUsers(database).find(user_id) is not None
            assert fair_clock() - began < AT_ONCE
            assert not any(task.done() for task in writing)

        await asyncio.gather(*writing)


async def test_a_file_that_nobody_may_read_is_refused_in_time_and_found_again(sqlite_url: str) -> None:
    async with opened(sqlite_url) as database, opened(sqlite_url) as fresh:
        with locked_by_another_process(sqlite_url, "EXCLUSIVE"):
            for _ in range(2):
                await refused_within(2, SqlUsers(database).find("anybody"))
                await refused_within(2, add_user(database))
            await refused_within(AT_ONCE, database.check())

        await answered_within(5, lambda: add_user(database))
        assert await answered_within(5, fresh.check) < 1


async def test_a_folder_that_is_not_there_is_a_refusal_until_it_is(tmp_path: Path) -> None:
    file = tmp_path / "later" / "gatepost.db"
    async with opened(f"sqlite:///{file}") as database:
        await refused_within(2, database.check())
        await refused_within(2, add_user(database))

        await upgrade(f"sqlite:///{file}")
        assert await answered_within(5, lambda: add_user(database)) < 1
