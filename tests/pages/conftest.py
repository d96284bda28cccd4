"""A served Gatepost for a browser: an issuer on loopback, a person, and another origin that it trusts."""

import asyncio
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from service import clock
from service.app import build_house
from service.settings import load_settings
from tests.real_clients.conftest import USERNAME, Served
from tests.servers.gatepost import PASSWORD, GatepostServer, settings_for
from tests.servers.process import free_ports
from tests.servers.valkey import ValkeyServer

_number = count(1)


@pytest.fixture(scope="module")
def spa_port() -> int:
    """Where the single-page application is served, on an origin of its own."""
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def issuer(server_folder: Path, sqlite_template: Path, valkey_server: ValkeyServer, spa_port: int) -> Iterator[Served]:
    """A Gatepost with a person who is a clerk."""
    valkey_server.flush()
    folder = server_folder / f"pages{next(_number)}"
    file = folder.with_suffix(".sqlite")
    shutil.copy(sqlite_template, file)
    (port,) = free_ports(1)
    url = f"http://localhost:{port}"  # another site than applications at 127.0.0.1
    environ = settings_for(
        f"sqlite+aiosqlite:///{file}",
        valkey_server.url,
        PUBLIC_URL=url,
        SERVER__CORS_ORIGINS=f'["http://127.0.0.1:{spa_port}"]',
    )
    settings = load_settings(environ)

    async def prepare() -> None:
        house = build_house(settings)
        async with house.open():
            await house.rooms.directory.create(
                USERNAME, PASSWORD, email="ada@example.org", roles=["clerk"], scopes=[], now=clock.now()
            )

    asyncio.run(prepare())
    server = GatepostServer(folder, environ, port=port)
    server.start()
    try:
        yield Served(url, settings)
    finally:
        server.kill()
