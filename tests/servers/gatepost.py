"""Gatepost for tests: worker processes of the shipped application on loopback, and a house to prepare accounts in."""

import asyncio
import os
import sys
import time
import urllib.error
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from secrets import token_bytes

import httpx2

from service import clock
from service.accounts.account import User
from service.app import House, build_house
from service.settings import Settings, load_settings
from service.settings.model import LimitSettings
from service.storage.sql.migrations import upgrade
from tests.servers.process import ServerProcess, fast_folder, free_ports

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "tall giraffes eat acacia"
LENIENT = {
    "LIMITS__CLOSE_AFTER": "100",
    "LIMITS__STOP_AFTER": "100",
    "LIMITS__SLOW_AFTER": "100",
    "LIMITS__NETWORK_FAILURES": "10000",
    "LIMITS__PROGRAM_FAILURES": "10000",
    "LIMITS__LETTERS_TO_ADDRESS": "10000",
    "LIMITS__LETTERS_FROM_NETWORK": "10000",
    "LIMITS__API_RATE": "unlimited",
    "LIMITS__NETWORK_RATE": "unlimited",
    "LIMITS__PAGE_RATE": "unlimited",
}
"""Figures under which a whole module of tests can fail from one address. Tests of limits say `**SHIPPED`."""

SHIPPED = {name: str(getattr(LimitSettings(), name.removeprefix("LIMITS__").lower())) for name in LENIENT}
"""The figures that Gatepost ships with."""


@cache
def var_folder() -> Path:
    """Where what runs in this process keeps its files."""
    return fast_folder()


def settings_for(database_url: str, redis_url: str, **more: str) -> dict[str, str]:
    """The environment of one deployment; `more` is `TOKENS__STRICT="true"` and the like."""
    return {
        "GATEPOST_PUBLIC_URL": "http://localhost:8000",  # one for all workers, whatever their ports
        "GATEPOST_DATABASE_URL": database_url,
        "GATEPOST_REDIS_URL": redis_url,
        "GATEPOST_SECRET_KEY": urlsafe_b64encode(token_bytes(32)).decode(),
        "GATEPOST_ACCESS__ROLES": '{"clerk": ["orders:read", "orders:write"]}',
        "GATEPOST_LOG__LEVEL": "debug",
        "GATEPOST_VAR": str(var_folder()),
    } | {f"GATEPOST_{name}": value for name, value in {**LENIENT, **more}.items()}


class GatepostServer(ServerProcess):
    """One worker process: `gatepost serve` over stores that are there."""

    def __init__(self, folder: Path, environ: Mapping[str, str], *, port: int | None = None) -> None:
        folder.mkdir()
        self.port = port or free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST_")}
        paths = os.pathsep.join([str(ROOT), str(ROOT / "sdk")])
        here = {
            "GATEPOST_SERVER__HOST": "127.0.0.1",
            "GATEPOST_SERVER__PORT": str(self.port),
            "GATEPOST_VAR": str(folder),
            "PYTHONPATH": paths,
        }
        super().__init__(
            [sys.executable, "-m", "service", "serve"],
            folder=folder,
            is_ready=lambda: is_alive(self.url),
            environ={**inherited, **environ, **here},
        )


@dataclass
class Fleet:
    """Some workers over the same stores, a client for each, and a house in this process to prepare accounts with."""

    settings: Settings
    house: House
    workers: list[GatepostServer]
    clients: list[httpx2.AsyncClient] = field(default_factory=list)

    async def add_user(self, username: str, **more: object) -> User:
        """A person with the role `clerk` and `PASSWORD`."""
        options: dict[str, object] = {"email": None, "roles": ["clerk"], "scopes": [], **more}
        return await self.house.rooms.directory.create(username, PASSWORD, now=clock.now(), **options)  # type: ignore[arg-type]  # keyword names are those of create

    async def sign_in(self, username: str, *, worker: int = 0, **more: str) -> dict[str, str]:
        """The answer of a sign-in."""
        body = {"username": username, "password": PASSWORD, **more}
        answer = await self.clients[worker].post("/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, str] = answer.json()
        return tokens

    async def ready(self) -> None:
        """Wait, 5 seconds at most, until each worker and the house here say that both stores answer."""
        deadline = time.monotonic() + 5
        while (here := await self.house.readiness()) and not (here.sql and here.redis):
            assert time.monotonic() < deadline, "the stores do not answer"
            await asyncio.sleep(0.05)
        for client in self.clients:
            while (await client.get("/readyz")).status_code != 200:
                assert time.monotonic() < deadline, "a worker's stores do not answer"
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running_fleet(folder: Path, environ: Mapping[str, str], *, workers: int) -> AsyncIterator[Fleet]:
    """Migrate, start the workers, and stop them at the end."""
    settings = load_settings(environ)
    await upgrade(settings.database_url.get_secret_value())
    house = build_house(settings)
    folder.mkdir()  # a test's scratch folder, in memory
    started = [GatepostServer(folder / str(number), environ) for number in range(workers)]
    try:
        async with house.open():
            for server in started:
                server.start()
            clients = [httpx2.AsyncClient(base_url=server.url, timeout=10) for server in started]
            fleet = Fleet(settings, house, started, clients)
            await fleet.ready()
            yield fleet
            for client in clients:
                await client.aclose()
    finally:
        for server in started:
            server.kill()


def bearer(token: str) -> dict[str, str]:
    """The Authorization field of a token."""
    return {"Authorization": f"Bearer {token}"}


class ServedGatepost(ServerProcess):
    """`gatepost serve` in local mode: embedded stores, everything under a folder of its own."""

    def __init__(self, folder: Path, **more: str) -> None:
        folder.mkdir()
        self.port = free_ports(1)[0]
        self.url = f"http://localhost:{self.port}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST_")}
        self.environ = {
            **inherited,
            "GATEPOST_VAR": str(folder / "var"),
            "GATEPOST_SERVER__PORT": str(self.port),
            "GATEPOST_PUBLIC_URL": self.url,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sdk")]),
        } | {f"GATEPOST_{name}": value for name, value in more.items()}
        command = [sys.executable, "-m", "service", "serve"]
        super().__init__(command, folder=folder, is_ready=lambda: is_alive(self.url), environ=self.environ)


def is_alive(url: str, path: str = "/livez") -> bool:
    """Whether a Gatepost answers at this address."""
    try:
        with urllib.request.urlopen(f"{url}{path}", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
