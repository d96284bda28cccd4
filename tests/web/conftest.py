"""One running application for each module."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from tests.servers.valkey import ValkeyServer
from tests.web.running import Web, running_web

_number = count(1)


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    """What a module's application is told beyond the defaults."""
    return {}


@pytest.fixture(scope="module")
async def web(
    server_folder: Path, sqlite_template: Path, valkey_server: ValkeyServer, web_settings: dict[str, str]
) -> AsyncIterator[Web]:
    """The application over SQLite and an empty Valkey."""
    valkey_server.flush()
    file = server_folder / f"web{next(_number)}.sqlite"
    async with running_web(sqlite_template, file, valkey_server.url, **web_settings) as running:
        yield running
