"""One Gatepost whose address is also its issuer, and a person in it; and how an example is run."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from service import clock
from service.accounts.account import User
from service.app import House
from service.clients.client import FIRST_PARTY
from service.sessions.pairs import Device, TokenPair
from service.settings import Settings, load_settings
from service.tokens.issue import AccessTokenIssuer
from tests.rooms import quiet_house
from tests.servers.gatepost import ROOT, GatepostServer, settings_for
from tests.servers.process import free_ports
from tests.servers.valkey import ValkeyServer

_number = count(1)
EXAMPLES = ROOT / "examples"
USERNAME = "zoe"
PASSWORD = 'giraffes: über "tall" \\ acacias €'
"""Every character that a shell, JSON, Basic or a careless encoding could spoil."""
COMMANDS: dict[str, Sequence[str]] = {".py": (sys.executable,), ".mjs": ("node",), ".sh": ("sh",)}
NEEDED = {"node": "Node.js 20 or newer", "curl": "curl 7.82 or newer", "sh": "a POSIX shell"}


@dataclass(frozen=True)
class Result:
    """How an example ended."""

    status: int
    output: str

    @property
    def lines(self) -> list[str]:
        """What it printed."""
        return self.output.splitlines()


@dataclass(frozen=True)
class Ground:
    """The server, a house over the same stores to prepare things with, and one person."""

    url: str
    settings: Settings
    house: House
    user: User

    async def sign_in(self) -> TokenPair:
        """A new session."""
        return await self.house.rooms.pairs.open(
            self.user, asked=None, amr=("pwd",), device=Device("", "127.0.0.1"), now=clock.now()
        )

    def old_token(self, pair: TokenPair) -> str:
        """A genuine access token of this session that expired a minute ago."""
        life = timedelta(minutes=5)
        issuer = AccessTokenIssuer(
            self.house.rooms.keyring, issuer=self.settings.issuer, audience=self.settings.audience, life=life
        )
        draft = issuer.draft(
            subject=self.user.id,
            client_id=FIRST_PARTY,
            scopes=pair.access.scopes,
            session_id=pair.session_id,
            epoch=self.user.epoch,
        )
        return issuer.issue(draft, now=clock.now() - life - timedelta(minutes=1)).token

    async def api_key(self) -> str:
        """A new key's text."""
        made = await self.house.rooms.api_keys.create(
            self.user.id, "example", scopes=[], within=frozenset(), networks=[], life=None, now=clock.now()
        )
        return made.text

    def environ(self, more: Mapping[str, str]) -> dict[str, str]:
        """What an example is told, beside the caller's own environment."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GP_", "GATEPOST_"))}
        return {**inherited, "GP_URL": self.url, "PYTHONPATH": str(ROOT / "sdk"), **more}

    def run(self, example: str, typed: str = "", **more: str) -> Result:
        """Run one to its end; `typed` is its standard input."""
        file = EXAMPLES / example
        command = COMMANDS[file.suffix]
        for program in (command[0], "curl"):
            assert shutil.which(program), f"install {NEEDED[program]}: the examples are run with it"
        done = subprocess.run(
            [*command, file], env=self.environ(more), input=typed, capture_output=True, text=True, timeout=30
        )
        return Result(done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def ground_settings() -> dict[str, str]:
    """What a module's server is told beyond the defaults."""
    return {"API_KEYS__ALLOW_IN_QUERY": "true"}


@pytest.fixture(scope="module")
async def ground(
    server_folder: Path, sqlite_template: Path, valkey_server: ValkeyServer, ground_settings: dict[str, str]
) -> AsyncIterator[Ground]:
    """A server whose address is its issuer."""
    valkey_server.flush()
    folder = server_folder / f"examples{next(_number)}"
    file = folder.with_suffix(".sqlite")
    shutil.copy(sqlite_template, file)
    (port,) = free_ports(1)
    environ = settings_for(
        f"sqlite+aiosqlite:///{file}",
        valkey_server.url,
        PUBLIC_URL=f"http://127.0.0.1:{port}",
        **ground_settings,
    )
    server = GatepostServer(folder, environ, port=port)
    settings = load_settings(environ)
    try:
        server.start()
        async with quiet_house(settings) as house:  # running an example stops its loop, which must not hold the ledger
            user = await house.rooms.directory.create(
                USERNAME, PASSWORD, email=None, roles=["clerk"], scopes=[], now=clock.now()
            )
            yield Ground(server.url, settings, house, user)
    finally:
        server.kill()


def stored(file: Path, access_token: str, refresh_token: str) -> Path:
    """A file of tokens as an earlier run would have left it."""
    file.write_text(json.dumps({"access_token": access_token, "refresh_token": refresh_token}))
    return file
