"""A served Gatepost on loopback, with a person and the clients that a test registers."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from service import clock
from service.app import build_house
from service.clients.metadata import ClientMetadata
from service.settings import Settings, load_settings
from service.storage.sql.migrations import upgrade
from tests.real_clients.person import Person
from tests.servers.gatepost import PASSWORD, GatepostServer, settings_for
from tests.servers.process import free_ports
from tests.servers.valkey import ValkeyServer

USERNAME = "ada"
_number = count(1)


@dataclass(frozen=True)
class Served:
    """The issuer, and ways to register clients with it."""

    url: str
    settings: Settings

    def register(self, name: str, *scopes: str, metadata: ClientMetadata) -> tuple[str, str | None]:
        """A client's id and secret."""

        async def create() -> tuple[str, str | None]:
            house = build_house(self.settings)
            async with house.open():
                client, secret = await house.rooms.clients.create(
                    name,
                    confidential=metadata.auth_method != "none",
                    scopes=scopes,
                    metadata=metadata,
                    now=clock.now(),
                )
                return client.id, secret

        return asyncio.run(create())

    def go(self, url: str, *, until: str) -> str:
        """Where the person comes back to, from a new browser that was opened at `url`."""
        with Person(USERNAME, PASSWORD) as person:
            return person.go(url, until=until)


@pytest.fixture(scope="package")
def served(server_folder: Path, valkey_server: ValkeyServer) -> Iterator[Served]:
    folder = server_folder / f"real-clients{next(_number)}"  # made again when other tests ran in between
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    environ = settings_for(f"sqlite+aiosqlite:///{folder}.sqlite", valkey_server.url, PUBLIC_URL=url)
    settings = load_settings(environ)

    async def prepare() -> None:
        await upgrade(settings.database_url.get_secret_value())
        house = build_house(settings)
        async with house.open():
            await house.rooms.directory.create(
                USERNAME, PASSWORD, email="ada@example.org", roles=["clerk"], scopes=[], now=clock.now()
            )

    valkey_server.flush()
    asyncio.run(prepare())
    server = GatepostServer(folder, environ, port=port)
    server.start()
    yield Served(url, settings)
    server.kill()
