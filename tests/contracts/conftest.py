"""The ledger for contract tests: a fresh database with today's tables, on SQLite and on PostgreSQL in turn."""

import shutil
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest

from service.storage.sql import Database, SqlUsers
from service.storage.sql.migrations import upgrade
from tests.contracts.rows import a_user
from tests.servers.postgres import PostgresDatabases, run_apart

_number = count(1)


@pytest.fixture(scope="session")
def migrated_sqlite(server_folder: Path) -> Path:
    """A SQLite file with all tables, to be copied."""
    file = server_folder / "template.sqlite"
    run_apart(upgrade(f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def migrated_postgres(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """The name of a PostgreSQL database with all tables, to be copied."""
    with postgres_databases.fresh() as url:
        run_apart(upgrade(url))
        yield url.partition("?")[0].rpartition("/")[2]


@pytest.fixture
def sqlite_ledger_url(migrated_sqlite: Path, server_folder: Path) -> Iterator[str]:
    """A SQLite database with all tables."""
    file = server_folder / f"ledger{next(_number)}.sqlite"
    shutil.copy(migrated_sqlite, file)
    yield f"sqlite:///{file}"
    for left in file.parent.glob(f"{file.name}*"):
        left.unlink()


@pytest.fixture
def postgres_ledger_url(migrated_postgres: str, postgres_databases: PostgresDatabases) -> Iterator[str]:
    """A PostgreSQL database with all tables."""
    with postgres_databases.fresh(migrated_postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database with all tables, one test for each kind that Gatepost knows."""
    url: str = request.getfixturevalue(f"{request.param}_ledger_url")
    return url


@pytest.fixture
async def database(ledger_url: str) -> AsyncIterator[Database]:
    """The ledger as one worker has it."""
    opened = Database(ledger_url)
    yield opened
    await opened.close()


@pytest.fixture
async def other_database(ledger_url: str) -> AsyncIterator[Database]:
    """The same ledger as another worker has it: its own connections and its own locks."""
    opened = Database(ledger_url)
    yield opened
    await opened.close()


@pytest.fixture
async def owner_id(database: Database) -> str:
    """A person who is in the ledger."""
    person = a_user()
    async with database.begin() as tx:
        await SqlUsers(database).add(tx, person)
    return person.id
