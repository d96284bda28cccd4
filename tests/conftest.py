"""Fixtures that every room's tests share: the loop, and URLs of real stores.

`…_url`, `redis_backend` and `sql_backend` lead to servers that the whole run shares, emptied or fresh for each test;
`own_…` are servers for one test, which it may freeze, kill and restart. All start on first use, once per xdist worker.
"""

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from service.app import House
from service.settings import Settings, load_settings
from service.storage.sql.migrations import upgrade
from tests.node.programs import INSTALLED, find_chromium, run_program
from tests.rooms import quiet_house
from tests.servers.gatepost import settings_for
from tests.servers.postgres import PostgresDatabases, PostgresServer, run_apart
from tests.servers.process import fast_folder, fast_parent
from tests.servers.valkey import ValkeyBehindSentinels, ValkeyCluster, ValkeyServer

_number = count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The full form of the slow proofs: `pytest tests/fleet --rounds 1000`."""
    parser.addoption("--rounds", type=int, default=0, help="rounds of each race and of the revocation figures")


def pytest_configure() -> None:
    """`tmp_path`, and so each SQLite file, beside the servers' files."""
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(fast_parent()))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on plain asyncio; session scope lets async fixtures have any scope."""
    return "asyncio"


@pytest.fixture(scope="session")
def server_folder() -> Path:
    """Where servers keep their files: in memory where there is room, with a path short enough for sockets."""
    return fast_folder()


@pytest.fixture(scope="session")
def valkey_server(server_folder: Path) -> Iterator[ValkeyServer]:
    """The shared Valkey: for looking, never for freezing or killing."""
    server = ValkeyServer(server_folder / "valkey")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def valkey_url(valkey_server: ValkeyServer) -> str:
    """An empty Valkey, by unix socket."""
    valkey_server.flush()
    return valkey_server.url


@pytest.fixture
def valkey_tcp_url(valkey_server: ValkeyServer) -> str:
    """An empty Valkey, by loopback."""
    valkey_server.flush()
    return valkey_server.tcp_url


@pytest.fixture(scope="session")
def valkey_cluster(server_folder: Path) -> Iterator[ValkeyCluster]:
    """The shared cluster of three: for looking, never for freezing or killing."""
    cluster = ValkeyCluster(server_folder / "cluster")
    cluster.start()
    yield cluster
    cluster.kill()


@pytest.fixture
def valkey_cluster_url(valkey_cluster: ValkeyCluster) -> str:
    """An empty cluster, as `redis+cluster://host:port,host:port,host:port`."""
    valkey_cluster.flush()
    return valkey_cluster.url


@pytest.fixture(params=["single", "cluster"])
def redis_backend(request: pytest.FixtureRequest) -> str:
    """The URL of an empty store, one test for each layout that Gatepost knows."""
    url: str = request.getfixturevalue({"single": "valkey_url", "cluster": "valkey_cluster_url"}[request.param])
    return url


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[PostgresServer]:
    """The shared PostgreSQL: for looking, never for freezing or killing."""
    server = PostgresServer(server_folder / "postgres")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_databases(request: pytest.FixtureRequest) -> PostgresDatabases:
    """Makes databases: on `TEST_POSTGRES_URL` when that is set, else on the shared server."""
    return PostgresDatabases(os.environ.get("TEST_POSTGRES_URL") or request.getfixturevalue("postgres_server").url())


@pytest.fixture
def empty_postgres_url(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """A PostgreSQL database without tables."""
    with postgres_databases.fresh() as url:
        yield url


@pytest.fixture
def empty_sqlite_url(server_folder: Path) -> Iterator[str]:
    """A SQLite database without tables."""
    file = server_folder / f"{next(_number)}.sqlite"
    yield f"sqlite+aiosqlite:///{file}"
    for left in file.parent.glob(f"{file.name}*"):
        left.unlink()


@pytest.fixture(params=["sqlite", "postgres"])
def sql_backend(request: pytest.FixtureRequest) -> str:
    """The URL of a database without tables, one test for each kind that Gatepost knows."""
    url: str = request.getfixturevalue(f"empty_{request.param}_url")
    return url


@pytest.fixture(scope="session")
def postgres_template(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """The name of a migrated database, to copy."""
    with postgres_databases.fresh() as url:
        run_apart(upgrade(url))
        yield make_url(url).database or ""


@pytest.fixture
def postgres_url(postgres_databases: PostgresDatabases, postgres_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database."""
    with postgres_databases.fresh(postgres_template) as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(server_folder: Path) -> Path:
    """A migrated SQLite file, to copy."""
    file = server_folder / "template.sqlite"
    run_apart(upgrade(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture
def sqlite_url(empty_sqlite_url: str, sqlite_template: Path) -> str:
    """A migrated SQLite database."""
    shutil.copy(sqlite_template, make_url(empty_sqlite_url).database or "")
    return empty_sqlite_url


@pytest.fixture(params=["sqlite", "postgres"])
def sql_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated database, one test for each kind that Gatepost knows."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def own_valkey(server_folder: Path) -> Iterator[ValkeyServer]:
    """A Valkey for this test alone, to freeze, kill and restart; it keeps its data."""
    server = ValkeyServer(server_folder / f"valkey{next(_number)}", persistent=True)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_valkey_cluster(server_folder: Path) -> Iterator[ValkeyCluster]:
    """A cluster for this test alone; takes two seconds to form."""
    cluster = ValkeyCluster(server_folder / f"cluster{next(_number)}")
    cluster.start()
    yield cluster
    cluster.kill()


@pytest.fixture
def own_sentinels(server_folder: Path) -> Iterator[ValkeyBehindSentinels]:
    """A primary, its replica and three sentinels for this test alone."""
    servers = ValkeyBehindSentinels(server_folder / f"sentinels{next(_number)}")
    try:
        servers.start()
        yield servers
    finally:
        servers.kill()


@pytest.fixture
def own_postgres(server_folder: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL for this test alone, to freeze, kill and restart; takes a second to make."""
    server = PostgresServer(server_folder / f"postgres{next(_number)}")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def more_settings() -> dict[str, str]:
    """What a module's or a test's house is told beyond the defaults, as `TOKENS__STRICT="true"`."""
    return {}


@pytest.fixture
def settings(sqlite_url: str, valkey_url: str, more_settings: dict[str, str]) -> Settings:
    """The settings of one deployment over SQLite and an empty Valkey."""
    return load_settings(settings_for(sqlite_url, valkey_url, **more_settings))


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    """One worker's rooms, without its loops."""
    async with quiet_house(settings) as house:
        yield house


@pytest.fixture
async def other_house(settings: Settings, house: House) -> AsyncIterator[House]:
    """Another worker over the same stores."""
    async with quiet_house(settings) as other:
        yield other


@pytest.fixture(scope="session")
def node() -> Callable[..., Any]:
    """`node("look.mjs", question)` runs a program of `tests/node` and gives its answer. Without Node, no test of it."""
    if not INSTALLED.exists():
        pytest.skip("Node 20 with the packages of tests/node is missing; `run.py test` says why")
    return run_program


@pytest.fixture(scope="session")
def chromium(node: Callable[..., Any]) -> str:
    """The browser's path, for a program of `tests/node`. Without it, no test of it."""
    found = find_chromium()
    if found is None:
        pytest.skip("Chromium is missing; `run.py test` says why")
    return found
