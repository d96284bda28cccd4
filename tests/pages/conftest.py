"""A served Gatepost for a browser: an issuer on loopback, a person, and another origin that it trusts."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from service import clock
from service.accounts.change import UserChange
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


@contextmanager
def serving(
    folder: Path, template: Path, redis_url: str, *, url: str, email: str = "ada@example.org", **more: str
) -> Iterator[Served]:
    """A Gatepost with a clerk whose address is proven, at `url`; `more` is what it is told beyond the defaults."""
    file = folder.with_suffix(".sqlite")
    shutil.copy(template, file)
    environ = settings_for(f"sqlite+aiosqlite:///{file}", redis_url, PUBLIC_URL=url, **more)
    settings = load_settings(environ)

    async def prepare() -> None:
        house = build_house(settings)
        async with house.open():
            people, now = house.rooms.directory, clock.now()
            person = await people.create(USERNAME, PASSWORD, email=email, roles=["clerk"], scopes=[], now=now)
            await people.change(person.id, UserChange(email_verified=True), now=now)

    asyncio.run(prepare())
    server = GatepostServer(folder, environ, port=urlsplit(url).port)
    server.start()
    try:
        yield Served(url, settings)
    finally:
        server.kill()


@pytest.fixture(scope="module")
def issuer(server_folder: Path, sqlite_template: Path, valkey_server: ValkeyServer, spa_port: int) -> Iterator[Served]:
    """An issuer for applications at 127.0.0.1, which is another site than its own."""
    valkey_server.flush()
    url = f"http://localhost:{free_ports(1)[0]}"
    trusted = f'["http://127.0.0.1:{spa_port}"]'
    folder = server_folder / f"pages{next(_number)}"
    with serving(folder, sqlite_template, valkey_server.url, url=url, SERVER__CORS_ORIGINS=trusted) as served:
        yield served
