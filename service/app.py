"""The composition root: settings → stores → rooms → FastAPI. The one file that sees everything."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import FastAPI

from gatepost.tokens import TokenReader
from service import __version__, clock
from service.access.catalogue import Catalogue
from service.accounts.directory import Directory
from service.accounts.passwords import PasswordPolicy
from service.accounts.sign_in import PasswordSignIn
from service.api_keys.keyring import ApiKeyring
from service.clients.registry import ClientRegistry
from service.credentials.api_key import ApiKeyCredential
from service.credentials.basic import BasicCredential
from service.credentials.bearer import BearerCredential
from service.credentials.resolver import Resolver
from service.crypto.jose import JoseForge
from service.crypto.passwords import Argon2Passwords
from service.crypto.sealing import Sealer
from service.keys.keyring import Keyring
from service.protocol.errors import StoreUnavailable
from service.revocation.acts import Acts
from service.revocation.feed import RevocationFeed
from service.sessions.ending import SessionEnding
from service.sessions.pairs import TokenPairs
from service.sessions.refresh_token import RefreshTokenMint
from service.sessions.rotation import Rotation
from service.sessions.session import Reached
from service.sessions.write_behind import WriteBehind
from service.settings import LONGEST_ACCESS_LIFE, Settings
from service.signed_text import MacKey
from service.storage.redis import RedisLink, RedisRefreshFamilies, RedisRevocationEngine
from service.storage.sql import (
    Database,
    SqlApiKeys,
    SqlClients,
    SqlRevocations,
    SqlSessions,
    SqlSetupLinks,
    SqlSigningKeys,
    SqlUsers,
)
from service.tokens.issue import AccessTokenIssuer
from service.tokens.verify import TokenVerifier
from service.web import admin, api_keys, auth, docs, errors, health, openapi, setup, users, wellknown
from service.web.address import AddressRule
from service.web.cookies import Cookies
from service.web.edge import Edge
from service.web.health import Readiness
from service.web.rooms import Rooms
from service.web.security import Gate
from service.web.verify import PATH as VERIFY_PATH
from service.web.verify import VerifyEndpoint


@dataclass(frozen=True, slots=True)
class House:
    """Everything of one worker, joined. `open` starts what runs in the background and closes all at the end."""

    rooms: Rooms
    resolver: Resolver
    database: Database
    link: RedisLink
    feed: RevocationFeed
    passwords: Argon2Passwords
    reached: WriteBehind[Reached]
    used_keys: WriteBehind[datetime]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Fill the near-cache, read the keys, run the loops; on the way out write what is waiting."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.database.close)
            stack.push_async_callback(self.link.close)
            stack.callback(self.passwords.close)
            for started in (self.reached, self.used_keys, self.feed, self.rooms.keyring):
                await started.start()
                stack.push_async_callback(started.stop)
            yield

    async def readiness(self) -> Readiness:
        """Whether SQL and Redis answer now, and whether the signing keys have been read."""
        sql, redis = await asyncio.gather(_answers(self.database.check), _answers(self.link.ping))
        return Readiness(sql=sql, redis=redis, keys=self.rooms.keyring.can_sign(clock.now()))


def build_house(settings: Settings) -> House:
    """Join stores and rooms. Opens no connection yet."""
    secrets = settings.secrets()
    database = Database(settings.database_url.get_secret_value())
    link = RedisLink.from_url(settings.redis_url.get_secret_value())
    users, sessions, stored_keys = SqlUsers(database), SqlSessions(database), SqlApiKeys(database)
    revocations = SqlRevocations(database)
    families = RedisRefreshFamilies(link, prefix=settings.redis_prefix)
    engine = RedisRevocationEngine(link, prefix=settings.redis_prefix)
    tokens = settings.tokens

    catalogue = Catalogue(scopes=settings.access.scopes, roles=settings.access.roles)
    feed = RevocationFeed(
        revocations, engine, longest_life=LONGEST_ACCESS_LIFE, max_age=tokens.max_feed_age, now=clock.now
    )
    link.on_return = feed.drain_outbox
    acts = Acts(database, revocations, engine, feed)
    passwords = Argon2Passwords(threads=settings.passwords.hash_threads, waiting=settings.passwords.hash_queue)
    ending = SessionEnding(acts, sessions)
    sign_in = PasswordSignIn(users, passwords)
    policy = PasswordPolicy(minimum=settings.passwords.minimum_length)
    registry = ClientRegistry(acts, SqlClients(database), catalogue)
    keyring = Keyring(
        acts,
        SqlSigningKeys(database),
        JoseForge(Sealer(secrets)),
        algorithms=tokens.algorithms,
        lead=settings.keys.publish_lead,
        rotate_every=settings.keys.rotate_every,
        token_life=LONGEST_ACCESS_LIFE,  # a client may have a longer one than the service's
        now=clock.now,
    )
    reached = WriteBehind[Reached](sessions.write_behind)
    used_keys = WriteBehind[datetime](stored_keys.touch)
    rotation = Rotation(
        families,
        sessions,
        ending,
        feed.revoked,
        reached,
        catalogue,
        grace=tokens.refresh_grace,
        idle=tokens.session_idle,
    )
    pairs = TokenPairs(
        acts,
        users,
        sessions,
        families,
        rotation,
        RefreshTokenMint([MacKey(secret.id, secret.derive("refresh tokens")) for secret in secrets]),
        AccessTokenIssuer(keyring, issuer=settings.issuer, audience=settings.audience, life=tokens.access_life),
        catalogue,
        idle=tokens.session_idle,
        absolute=tokens.session_life,
    )
    reader = TokenReader(settings.issuer, settings.audience, leeway=timedelta(seconds=10))
    resolver = Resolver(
        ApiKeyCredential(stored_keys, feed, catalogue, used_keys),
        BasicCredential(sign_in, registry, feed, catalogue),
        BearerCredential(TokenVerifier(reader, keyring, feed.revoked), feed, engine, strict=tokens.strict),
    )
    rooms = Rooms(
        acts=acts,
        directory=Directory(acts, users, SqlSetupLinks(database), passwords, policy, catalogue, ending),
        sign_in=sign_in,
        clients=registry,
        api_keys=ApiKeyring(
            acts,
            stored_keys,
            users,
            catalogue,
            feed.revoked,
            default_life=settings.api_keys.default_life,
            longest_life=settings.api_keys.longest_life,
            at_most=settings.api_keys.per_user,
        ),
        keyring=keyring,
        pairs=pairs,
        ending=ending,
        sessions=sessions,
        revocations=revocations,
        feed=feed,
    )
    return House(rooms, resolver, database, link, feed, passwords, reached, used_keys)


def create_app(settings: Settings) -> Edge:
    """The ASGI application of one worker. Stores are opened by its lifespan."""
    house = build_house(settings)
    gate = Gate(
        resolver=house.resolver,
        cookies=Cookies(secure=settings.secure),
        address=AddressRule(settings.server.trusted_proxies),
        api_key_in_query=settings.api_keys.allow_in_query,
        origins=frozenset(origin.encode() for origin in (settings.public_url, *settings.server.cors_origins)),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with house.open():
            yield

    app = FastAPI(
        title="Gatepost",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.gate = gate
    app.state.rooms = house.rooms
    app.state.default_mode = settings.browser.default_mode
    app.state.readiness = house.readiness
    errors.install(app)
    for room in (auth, users, api_keys, admin, wellknown, health, setup):
        app.router.routes.extend(room.router.routes)  # include_router would look each up twice
    openapi.install(
        app,
        public_url=settings.public_url,
        scopes=Catalogue(scopes=settings.access.scopes).descriptions,
        cookie=gate.cookies.access_name,
        api_key_in_query=gate.api_key_in_query,
    )
    docs.install(app)
    return Edge(
        app,
        hot={VERIFY_PATH: VerifyEndpoint(gate, secure=settings.secure)},
        secure=settings.secure,
        max_body=settings.server.max_body,
        origins=settings.server.cors_origins,
    )


async def _answers(question: Callable[[], Awaitable[None]]) -> bool:
    try:
        await question()
    except StoreUnavailable:
        return False
    return True
