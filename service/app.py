"""The composition root: settings → stores → rooms → FastAPI. The one file that sees everything."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from fastapi import FastAPI

from gatepost.tokens import TokenReader
from service import __version__, clock
from service.access.catalogue import Catalogue
from service.accounts.directory import Directory
from service.accounts.passwords import PasswordPolicy
from service.accounts.sign_in import PasswordSignIn
from service.addresses import LinkDesk, Recovery, Registration, Verification
from service.api_keys.keyring import ApiKeyring
from service.authorize import AuthorizationDesk
from service.authorize.hints import Hints
from service.clients.authentication import ClientAuthentication
from service.clients.directory import DOCS_CLIENT_ID, ClientDirectory, docs_client
from service.clients.registry import ClientRegistry
from service.codes.desk import CodeDesk
from service.codes.device import DeviceDesk
from service.codes.text import CodeMint, DeviceCodeMint
from service.consents.book import ConsentBook
from service.credentials.api_key import ApiKeyCredential
from service.credentials.basic import BasicCredential
from service.credentials.bearer import BearerCredential
from service.credentials.resolver import Resolver
from service.crypto.jose import JoseForge
from service.crypto.passwords import Argon2Passwords
from service.crypto.sealing import Sealer
from service.grants.authorization_code import AuthorizationCodeGrant
from service.grants.client_credentials import ClientCredentialsGrant
from service.grants.device_code import DeviceAuthorization, DeviceCodeGrant
from service.grants.endpoint import TokenEndpoint
from service.grants.person import PersonTokens
from service.grants.refresh_token import RefreshTokenGrant
from service.grants.resources import ResourceRule
from service.introspection import Introspection, TokenRevocation
from service.keys.keyring import Keyring
from service.logout import LogoutDesk, LogoutSender, LogoutTokens
from service.mail import Carrier, LetterSender, LetterWriter
from service.outgoing import MailFolder, OutgoingHttp, SmtpCarrier
from service.protocol.errors import StoreUnavailable
from service.revocation.acts import Acts
from service.revocation.feed import RevocationFeed
from service.sessions.browser import BrowserSessions
from service.sessions.ending import SessionEnding
from service.sessions.pairs import TokenPairs
from service.sessions.refresh_token import RefreshTokenMint
from service.sessions.rotation import Rotation
from service.sessions.session import Reached
from service.sessions.write_behind import WriteBehind
from service.settings import LONGEST_ACCESS_LIFE, Settings
from service.signed_text import MacKey
from service.storage.redis import (
    RedisAttempts,
    RedisCodes,
    RedisDeviceRequests,
    RedisLink,
    RedisRefreshFamilies,
    RedisRevocationEngine,
)
from service.storage.sql import (
    Database,
    SqlApiKeys,
    SqlClients,
    SqlConsents,
    SqlLetters,
    SqlLinks,
    SqlLogoutNotices,
    SqlRevocations,
    SqlSessions,
    SqlSetupLinks,
    SqlSigningKeys,
    SqlUsers,
)
from service.tokens.id_token import IdTokens
from service.tokens.issue import AccessTokenIssuer
from service.tokens.verify import ForAnyAudience, TokenVerifier
from service.web import (
    address_pages,
    addresses,
    admin,
    api_keys,
    auth,
    consents,
    docs,
    errors,
    health,
    mailbox,
    openapi,
    setup,
    users,
    wellknown,
)
from service.web.address import AddressRule
from service.web.cookies import Cookies
from service.web.edge import Edge
from service.web.health import Readiness
from service.web.oauth import authorize, consent, device, logout, metadata, sign_in
from service.web.oauth.browser import Browsers
from service.web.oauth.errors import DEVICE_AUTHORIZATION, INTROSPECT, REVOKE, TOKEN, USERINFO
from service.web.oauth.introspect import IntrospectEndpoint
from service.web.oauth.revoke import RevokeEndpoint
from service.web.oauth.token import FormEndpoint
from service.web.oauth.userinfo import UserInfoEndpoint
from service.web.pages import PageRoute
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
    browsers: Browsers
    notices: LogoutSender
    letters: LetterSender | None
    outgoing: OutgoingHttp
    reached: WriteBehind[Reached]
    used_keys: WriteBehind[datetime]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Fill the near-cache, read the keys, run the loops; on the way out write what is waiting."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.database.close)
            stack.push_async_callback(self.link.close)
            stack.callback(self.passwords.close)
            stack.push_async_callback(self.outgoing.close)
            for started in (self.reached, self.used_keys, self.feed, self.rooms.keyring, self.notices):
                await started.start()
                stack.push_async_callback(started.stop)
            if self.letters is not None:
                await self.letters.start()
                stack.push_async_callback(self.letters.stop)
            yield

    async def readiness(self) -> Readiness:
        """Whether SQL and Redis answer now, and whether the signing keys have been read."""
        sql, redis = await asyncio.gather(_answers(self.database.check), _answers(self.link.ping))
        return Readiness(sql=sql, redis=redis, keys=self.rooms.keyring.can_sign(clock.now()))


def carrier_of(settings: Settings) -> Carrier:
    """What letters travel by."""
    folder = mail_folder(settings)
    if folder is not None:
        return MailFolder(folder, sender=settings.mail_sender)
    return SmtpCarrier(settings.mail.smtp_url.get_secret_value(), sender=settings.mail_sender)


def mail_folder(settings: Settings) -> Path | None:
    """Where letters lie when local mode has no mail server."""
    has_server = bool(settings.mail.smtp_url.get_secret_value())
    return settings.var.resolve() / "mail" if settings.mode == "local" and not has_server else None


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
    notices = SqlLogoutNotices(database)
    ending = SessionEnding(acts, sessions, notices)
    sign_in = PasswordSignIn(users, passwords)
    policy = PasswordPolicy(minimum=settings.passwords.minimum_length)
    sealer = Sealer(secrets)
    forge = JoseForge(sealer)
    stored_clients, stored_consents = SqlClients(database), SqlConsents(database)
    clients = ClientDirectory(
        stored_clients, feed, preset=[docs_client(settings.public_url, catalogue.names)], now=clock.now
    )
    registry = ClientRegistry(acts, stored_clients, catalogue, clients)
    keyring = Keyring(
        acts,
        SqlSigningKeys(database),
        forge,
        algorithms=tokens.algorithms,
        lead=settings.keys.publish_lead,
        rotate_every=settings.keys.rotate_every,
        token_life=LONGEST_ACCESS_LIFE,  # a client may have a longer one than the service's
        now=clock.now,
    )
    reached = WriteBehind[Reached](sessions.write_behind)
    used_keys = WriteBehind[datetime](stored_keys.touch)
    browser_sessions = BrowserSessions(
        acts,
        users,
        sessions,
        ending,
        reached,
        [MacKey(secret.id, secret.derive("browser sessions")) for secret in secrets],
        idle=settings.browser.session_idle,
        absolute=settings.browser.session_life,
    )
    hints = Hints(keyring, forge, issuer=settings.issuer)
    outgoing = OutgoingHttp()
    rotation = Rotation(
        families,
        sessions,
        ending,
        feed.revoked,
        reached,
        catalogue,
        grace=tokens.refresh_grace,
        idle=tokens.session_idle,
        preset=[DOCS_CLIENT_ID],
    )
    mint = RefreshTokenMint([MacKey(secret.id, secret.derive("refresh tokens")) for secret in secrets])
    access_tokens = AccessTokenIssuer(
        keyring, issuer=settings.issuer, audience=settings.audience, life=tokens.access_life
    )
    pairs = TokenPairs(
        acts,
        users,
        sessions,
        families,
        rotation,
        mint,
        access_tokens,
        catalogue,
        stored_consents,
        idle=tokens.session_idle,
        absolute=tokens.session_life,
    )
    reader = TokenReader(settings.issuer, settings.audience, leeway=timedelta(seconds=10))
    bearer = BearerCredential(TokenVerifier(reader, keyring, feed.revoked), feed, engine, strict=tokens.strict)
    for_any = TokenVerifier(ForAnyAudience(reader), keyring, feed.revoked, remembered=10_000)
    issued = BearerCredential(for_any, feed, engine, strict=tokens.strict)
    resolver = Resolver(
        ApiKeyCredential(stored_keys, feed, catalogue, used_keys),
        BasicCredential(sign_in, registry, feed, catalogue),
        bearer,
    )
    letters, links = SqlLetters(database), LinkDesk(database, SqlLinks(database))
    directory = Directory(acts, users, SqlSetupLinks(database), passwords, policy, catalogue, ending)
    consent_book = ConsentBook(acts, stored_consents, ending)
    codes = CodeDesk(
        RedisCodes(link, prefix=settings.redis_prefix),
        CodeMint([MacKey(secret.id, secret.derive("authorization codes")) for secret in secrets]),
        ending,
    )
    devices = DeviceDesk(
        RedisDeviceRequests(link, prefix=settings.redis_prefix),
        RedisAttempts(link, kind="device", prefix=settings.redis_prefix),
        DeviceCodeMint([MacKey(secret.id, secret.derive("device codes")) for secret in secrets]),
        ending,
    )
    id_tokens = IdTokens(keyring, issuer=settings.issuer, algorithms=keyring.published_algorithms)
    authentication = ClientAuthentication(clients, registry)
    resources = ResourceRule(settings.audience)
    person = PersonTokens(pairs, id_tokens, users, resources)
    rooms = Rooms(
        acts=acts,
        directory=directory,
        sign_in=sign_in,
        clients=registry,
        client_directory=clients,
        client_authentication=authentication,
        consents=consent_book,
        recovery=Recovery(acts, users, letters, links, passwords, policy, directory),
        registration=Registration(
            acts,
            letters,
            links,
            directory,
            mode=settings.accounts.registration,
            roles=frozenset(settings.accounts.registration_roles),
        ),
        verification=Verification(acts, users, letters, links, passwords),
        sends_letters=settings.sends_letters,
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
        browser_sessions=browser_sessions,
        authorization=AuthorizationDesk(
            clients, hints, consent_book, codes, catalogue, issuer=settings.issuer, audience=settings.audience
        ),
        logout=LogoutDesk(clients, hints),
        catalogue=catalogue,
        revocations=revocations,
        feed=feed,
        bearer=bearer,
        introspection=Introspection(issued, mint, rotation, issuer=settings.issuer),
        token_revocation=TokenRevocation(issued, mint, acts, sessions, ending),
        tokens=TokenEndpoint(
            authentication,
            [
                AuthorizationCodeGrant(codes, person),
                RefreshTokenGrant(pairs, person),
                ClientCredentialsGrant(access_tokens, resources),
                DeviceCodeGrant(devices, person),
            ],
        ),
        devices=devices,
        device_authorization=DeviceAuthorization(
            authentication, devices, resources, page=f"{settings.public_url}/device"
        ),
        id_tokens=id_tokens,
    )
    logout_tokens = LogoutTokens(keyring, issuer=settings.issuer, algorithms=keyring.published_algorithms)
    browser_keys = [secret.derive("hosted forms") for secret in secrets]
    return House(
        rooms=rooms,
        resolver=resolver,
        database=database,
        link=link,
        feed=feed,
        passwords=passwords,
        browsers=Browsers(browser_sessions, sealer, browser_keys, secure=settings.secure),
        notices=LogoutSender(notices, clients, logout_tokens, outgoing, now=clock.now),
        letters=LetterSender(
            letters,
            LetterWriter(users, links, public_url=settings.public_url),
            carrier_of(settings),
            now=clock.now,
        )
        if settings.sends_letters
        else None,
        outgoing=outgoing,
        reached=reached,
        used_keys=used_keys,
    )


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
    app.state.browsers = house.browsers
    app.state.default_mode = settings.browser.default_mode
    app.state.readiness = house.readiness
    app.state.metadata = metadata.describe(
        issuer=settings.issuer,
        public_url=settings.public_url,
        grant_types=house.rooms.tokens.grant_types,
        algorithms=house.rooms.keyring.published_algorithms,
        scopes=Catalogue(scopes=settings.access.scopes, roles=settings.access.roles).names,
        locales=("en", "ar"),
    )
    app.state.public_url = settings.public_url
    app.state.mail_folder = mail_folder(settings)
    errors.install(app)
    for room in (auth, users, addresses, consents, api_keys, admin, wellknown, metadata, health, setup):
        app.router.routes.extend(room.router.routes)  # include_router would look each up twice
    for room in (authorize, sign_in, consent, device, logout, address_pages, mailbox):
        app.router.routes.extend(room.router.routes)  # include_router would look each up twice
    openapi.install(
        app,
        public_url=settings.public_url,
        scopes=Catalogue(scopes=settings.access.scopes).descriptions,
        cookie=gate.cookies.access_name,
        api_key_in_query=gate.api_key_in_query,
    )
    docs.install(app)
    rooms = house.rooms
    secure = settings.secure
    return Edge(
        app,
        hot={
            VERIFY_PATH: VerifyEndpoint(gate, secure=secure),
            TOKEN: FormEndpoint(rooms.tokens, secure=secure),
            DEVICE_AUTHORIZATION: FormEndpoint(rooms.device_authorization, secure=secure),
            INTROSPECT: IntrospectEndpoint(rooms.client_authentication, rooms.introspection, secure=secure),
            REVOKE: RevokeEndpoint(rooms.client_authentication, rooms.token_revocation, secure=secure),
            USERINFO: UserInfoEndpoint(rooms.bearer, rooms.directory, secure=secure),
        },
        secure=secure,
        max_body=settings.server.max_body,
        origins=settings.server.cors_origins,
        unshared=[route.path for route in app.routes if isinstance(route, PageRoute)],
        resource_metadata=settings.public_url + metadata.PROTECTED_RESOURCE,
    )


async def _answers(question: Callable[[], Awaitable[None]]) -> bool:
    try:
        await question()
    except StoreUnavailable:
        return False
    return True
