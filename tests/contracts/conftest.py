"""What contract tests hold to account: the ledger as two workers have it, on SQLite and on PostgreSQL in turn, and the
link to Redis, over one server and over a cluster."""

from collections.abc import AsyncIterator

import pytest

from service.storage.redis import RedisLink
from service.storage.sql import Database
from tests.contracts.redis_ground import linked
from tests.contracts.sql_ground import add_user, opened


@pytest.fixture
async def database(sql_url: str) -> AsyncIterator[Database]:
    """A fresh ledger as one worker has it."""
    async with opened(sql_url) as database:
        yield database


@pytest.fixture
async def other_database(sql_url: str) -> AsyncIterator[Database]:
    """The same ledger as another worker has it: its own connections and its own locks."""
    async with opened(sql_url) as database:
        yield database


@pytest.fixture
async def link(redis_backend: str) -> AsyncIterator[RedisLink]:
    """An empty Redis as one worker has it."""
    async with linked(redis_backend) as link:
        yield link


@pytest.fixture
async def owner_id(database: Database) -> str:
    """A person who is in the ledger."""
    return await add_user(database)
