"""One running application for each module."""

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.servers.valkey import ValkeyServer
from tests.telemetry.spans import Spans, collecting
from tests.web.oauth.browsing import Surfer, surfing
from tests.web.running import Web, running_web

_number = count(1)


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    """What a module's application is told beyond the defaults."""
    return {}


@pytest.fixture(scope="module")
def module_sqlite_url(server_folder: Path, sqlite_template: Path) -> Iterator[str]:
    """A migrated SQLite database for a whole module."""
    file = server_folder / f"web{next(_number)}.sqlite"
    file.write_bytes(sqlite_template.read_bytes())
    yield f"sqlite+aiosqlite:///{file}"
    for left in file.parent.glob(f"{file.name}*"):
        left.unlink()


@pytest.fixture(scope="module")
async def spans() -> AsyncIterator[Spans]:
    """A collector of spans, for modules that tell their application of it: `TELEMETRY__TRACES`."""
    async with collecting() as spans:
        yield spans


@pytest.fixture(scope="module")
async def web(module_sqlite_url: str, valkey_server: ValkeyServer, web_settings: dict[str, str]) -> AsyncIterator[Web]:
    """The application over SQLite and an empty Valkey."""
    valkey_server.flush()
    async with running_web(module_sqlite_url, valkey_server.url, **web_settings) as running:
        yield running


@pytest.fixture
async def surfer(web: Web) -> AsyncIterator[Surfer]:
    """A browser without cookies."""
    async with surfing(web) as surfer:
        yield surfer


@pytest.fixture
async def other_surfer(web: Web) -> AsyncIterator[Surfer]:
    """Somebody else's browser."""
    async with surfing(web) as surfer:
        yield surfer
