"""Two workers over PostgreSQL and a Valkey of their own."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from tests.servers.gatepost import Fleet, running_fleet, settings_for
from tests.servers.postgres import PostgresDatabases
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
