"""Two workers over PostgreSQL and a Valkey of their own."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fleet.stand import Stand, Store
from tests.servers.gatepost import Fleet, running_fleet, settings_for
from tests.servers.postgres import PostgresDatabases, PostgresServer
from tests.servers.proxy import TcpProxy
from tests.servers.valkey import ValkeyServer

_number = count(1)


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> int:
    """How many rounds were asked for on the command line; 0 for the short form."""
    asked: int = request.config.getoption("--rounds")
    return asked


@pytest.fixture(scope="module")
async def fleet_valkey(server_folder: Path) -> AsyncIterator[ValkeyServer]:
    """A Valkey for the tests of one module, which may flush and restart it."""
    server = ValkeyServer(server_folder / f"fleet-valkey{next(_number)}", persistent=True)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def fleet_settings() -> dict[str, str]:
    """What a module's workers are told beyond the defaults."""
    return {}


@pytest.fixture(scope="module")
async def fleet(
    server_folder: Path,
    postgres_databases: PostgresDatabases,
    fleet_valkey: ValkeyServer,
    fleet_settings: dict[str, str],
) -> AsyncIterator[Fleet]:
    """Two workers; each is asked by its own client."""
    with postgres_databases.fresh() as database_url:
        environ = settings_for(database_url, fleet_valkey.url, **fleet_settings)
        async with running_fleet(server_folder / f"fleet{next(_number)}", environ, workers=2) as running:
            yield running


@pytest.fixture
async def stand(server_folder: Path, own_valkey: ValkeyServer, own_postgres: PostgresServer) -> AsyncIterator[Stand]:
    """One worker, both stores behind proxies."""
    async with TcpProxy(own_valkey.port) as to_redis, TcpProxy(own_postgres.port) as to_sql:
        redis_url = urlsplit(own_valkey.tcp_url)._replace(netloc=f"127.0.0.1:{to_redis.port}").geturl()
        environ = settings_for(own_postgres.tcp_url(port=to_sql.port), redis_url, TOKENS__MAX_FEED_AGE="4s")
        async with running_fleet(server_folder / f"stand{next(_number)}", environ, workers=1) as fleet:
            await fleet.add_user("ada")
            yield Stand(fleet, Store(own_valkey, to_redis), Store(own_postgres, to_sql))
