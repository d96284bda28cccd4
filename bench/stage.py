"""Stores, accounts and tokens for one run: real ones, made by the server's own rooms."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from service import clock
from service.accounts.account import User
from service.app import House, build_house
from service.clients.client import FIRST_PARTY
from service.sessions.pairs import Device, TokenPair
from service.settings import Settings, load_settings
from service.storage.sql.migrations import upgrade
from service.tokens.issue import AccessTokenIssuer
from tests.servers.gatepost import PASSWORD

USERNAME = "bench"
SCOPE = "orders:read"


@dataclass
class Stage:
    """One deployment on SQLite and Valkey, and a person and a client in it."""

    settings: Settings
    house: House
    user: User
    client_id: str
    client_secret: str = field(repr=False)
    api_key: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The person's Basic credential, as a field value."""
        return "Basic " + b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()

    async def sign_in(self) -> TokenPair:
        """A new session of the person, without the cost of a password."""
        return await self.house.rooms.pairs.open(
            self.user, asked=None, amr=("pwd",), device=Device("bench", "127.0.0.1"), now=clock.now()
        )

    def access_tokens(self, pair: TokenPair, count: int) -> list[str]:
        """So many different access tokens of one session."""
        issuer = AccessTokenIssuer(
            self.house.rooms.keyring,
            issuer=self.settings.issuer,
            audience=self.settings.audience,
            life=self.settings.tokens.access_life,
        )
        now = clock.now()
        return [self._access_token(issuer, pair, now) for _ in range(count)]

    def _access_token(self, issuer: AccessTokenIssuer, pair: TokenPair, now: datetime) -> str:
        return issuer.issue(
            subject=self.user.id,
            client_id=FIRST_PARTY,
            scopes=pair.access.scopes,
            session_id=pair.session_id,
            epoch=self.user.epoch,
            auth_time=now,
            amr=("pwd",),
            now=now,
        ).token


@asynccontextmanager
async def prepared(folder: Path, environ: dict[str, str]) -> AsyncIterator[Stage]:
    """Migrate, open the house in this process, make the accounts."""
    settings = load_settings(environ)
    await upgrade(settings.database_url.get_secret_value())
    house = build_house(settings)
    async with house.open():
        now = clock.now()
        user = await house.rooms.directory.create(USERNAME, PASSWORD, email=None, roles=["clerk"], scopes=[], now=now)
        client, secret = await house.rooms.clients.create(
            "bench kit", confidential=True, scopes=["revocations:read"], now=now
        )
        made = await house.rooms.api_keys.create(
            user.id, "bench", scopes=[SCOPE], within=frozenset({SCOPE}), networks=[], life=None, now=now
        )
        yield Stage(settings, house, user, client.id, secret or "", made.text)
