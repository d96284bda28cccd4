"""Stores, accounts and tokens for one run: real ones, made by the server's own rooms."""

from base64 import b64encode
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from gatepost.encoding import encode_segment
from service import clock
from service.accounts.account import User
from service.app import House, build_house
from service.clients.client import FIRST_PARTY, Client
from service.clients.metadata import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, REFRESH_TOKEN, ClientMetadata
from service.codes.desk import CodeDesk
from service.codes.grant import AuthorizationGrant
from service.codes.text import CodeMint
from service.identifiers import new_id
from service.introspection import SEES_ALL
from service.sessions.pairs import Device, Granted, TokenPair
from service.settings import Settings, load_settings
from service.signed_text import MacKey
from service.storage.redis import RedisCodes
from service.storage.sql.migrations import upgrade
from service.tokens.issue import AccessTokenIssuer
from tests.rooms import add_user
from tests.servers.gatepost import PASSWORD

USERNAME = "bench"
SCOPE = "orders:read"
CALLBACK = "https://app.example/callback"
VERIFIER = "v" * 43
_CODES_EACH = 60


@dataclass
class Stage:
    """One deployment on SQLite and Valkey, and a person and a client in it."""

    settings: Settings
    house: House
    user: User
    client_id: str
    client_secret: str = field(repr=False)
    api_key: str = field(repr=False)
    application: Client
    application_secret: str = field(repr=False)
    observer: Client
    observer_secret: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The person's Basic credential, as a field value."""
        return "Basic " + b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()

    async def sign_in(self) -> TokenPair:
        """A new session of the person, without the cost of a password."""
        return await self.house.rooms.pairs.open(
            self.user, asked=None, amr=("pwd",), device=Device("bench", "127.0.0.1"), now=clock.now()
        )

    async def granted(self, *, scopes: Collection[str]) -> Granted:
        """A session that the person has granted to the application."""
        grant, now = self._grant(scopes, self.user), clock.now()
        return await self.house.rooms.pairs.open_granted(
            grant, self.application, with_refresh=True, audience=(), now=now
        )

    async def codes(self, count: int) -> list[str]:
        """So many codes for the application, as the authorization endpoint gives them out: of new people, sixty codes
        each, as one person has a hundred sessions at most."""
        desk = CodeDesk(
            RedisCodes(self.house.link, prefix=self.settings.redis_prefix),
            CodeMint([MacKey(secret.id, secret.derive("authorization codes")) for secret in self.settings.secrets()]),
            self.house.rooms.ending,
        )
        people = [await add_user(self.house, f"bench-{new_id()}") for _ in range(count // _CODES_EACH + 1)]
        grants = [self._grant({"openid", SCOPE}, people[number // _CODES_EACH]) for number in range(count)]
        return [await desk.issue(grant) for grant in grants]

    def _grant(self, scopes: Collection[str], user: User) -> AuthorizationGrant:
        return AuthorizationGrant(
            user_id=user.id,
            session_id=new_id(),
            client_id=self.application.id,
            redirect_uri=CALLBACK,
            code_challenge=encode_segment(sha256(VERIFIER.encode()).digest()).decode(),
            scopes=frozenset(scopes),
            audience=(),
            nonce=None,
            auth_time=clock.now(),
            amr=("pwd",),
            acr=None,
            parent_id=None,
            epoch=user.epoch,
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
        draft = issuer.draft(
            subject=self.user.id,
            client_id=FIRST_PARTY,
            scopes=pair.access.scopes,
            session_id=pair.session_id,
            epoch=self.user.epoch,
            auth_time=now,
            amr=("pwd",),
        )
        return issuer.issue(draft, now=now).token


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
        application, application_secret = await house.rooms.clients.create(
            "bench application",
            confidential=True,
            scopes=[SCOPE],
            now=now,
            metadata=ClientMetadata(
                redirect_uris=(CALLBACK,),
                grant_types=frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS}),
                id_token_alg="ES256",
            ),
        )
        observer, observer_secret = await house.rooms.clients.create(
            "bench resource server", confidential=True, scopes=[SEES_ALL], now=now
        )
        yield Stage(
            settings,
            house,
            user,
            client.id,
            secret or "",
            made.text,
            application,
            application_secret or "",
            observer,
            observer_secret or "",
        )
