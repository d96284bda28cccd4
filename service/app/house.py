"""One worker, whole: what runs beside the requests, and its beginning and end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from service import clock
from service.app.usage import UsageJoinery
from service.audit import Sealer as AuditSealer
from service.audit.heads import Head
from service.credentials.resolver import Resolver
from service.crypto.passwords import Argon2Passwords
from service.limits import Permits
from service.logout import LogoutSender, LogoutTokens
from service.mail import LetterSender, LetterWriter
from service.outgoing import OutgoingHttp
from service.protocol.errors import StoreUnavailable
from service.revocation.feed import RevocationFeed
from service.sessions.session import Reached
from service.sessions.write_behind import WriteBehind
from service.settings import Settings
from service.storage.breached_file import BreachedFile
from service.storage.redis import (
    RedisLink,
)
from service.storage.sql import (
    Database,
)
from service.usage import Recorder
from service.web.health import Readiness
from service.web.oauth.browser import Browsers
from service.web.rooms import Rooms


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
    permits: Permits
    notices: LogoutSender
    audit: AuditSealer
    read_heads: Callable[[Iterable[str]], Awaitable[list[Head]]]
    letters: LetterSender | None
    breached: BreachedFile | None
    outgoing: OutgoingHttp
    reached: WriteBehind[Reached]
    used_keys: WriteBehind[datetime]
    usage: Recorder | None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Fill the near-cache, read the keys, run the loops; on the way out write what is waiting."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.database.close)
            stack.push_async_callback(self.link.close)
            stack.callback(self.passwords.close)
            if self.breached is not None:
                stack.callback(self.breached.close)
            stack.push_async_callback(self.outgoing.close)
            for started in (self.reached, self.used_keys, self.feed, self.rooms.keyring, self.notices, self.audit):
                await started.start()
                stack.push_async_callback(started.stop)
            for wanted in (self.letters, self.usage):
                if wanted is not None:
                    await wanted.start()
                    stack.push_async_callback(wanted.stop)
            yield

    async def readiness(self) -> Readiness:
        """Whether SQL and Redis answer now, and whether the signing keys have been read."""
        sql, redis = await asyncio.gather(_answers(self.database.check), _answers(self.link.ping))
        return Readiness(sql=sql, redis=redis, keys=self.rooms.keyring.can_sign(clock.now()))


def build_house(settings: Settings) -> House:
    """Join stores and rooms. Opens no connection yet."""
    made = UsageJoinery(settings)
    keyring = made.keyring
    logout_tokens = LogoutTokens(keyring, issuer=settings.issuer, algorithms=keyring.published_algorithms)
    writer = LetterWriter(made.users, made.links, public_url=settings.public_url)
    browser_keys = [secret.derive("hosted forms") for secret in made.secrets]
    return House(
        rooms=_rooms(made),
        resolver=made.resolver,
        database=made.database,
        link=made.link,
        feed=made.feed,
        passwords=made.passwords,
        permits=Permits(made.rates),
        browsers=Browsers(made.browser_sessions, made.sealer, browser_keys, secure=settings.secure),
        notices=LogoutSender(
            made.notices,
            made.client_directory,
            logout_tokens,
            made.outgoing,
            posted=made.notices_posted,
            now=clock.now,
        ),
        letters=LetterSender(made.letters, writer, made.carrier, posted=made.letters_posted, now=clock.now)
        if settings.sends_letters
        else None,
        breached=made.breached,
        audit=made.audit_sealer,
        read_heads=made.read_heads,
        outgoing=made.outgoing,
        reached=made.reached,
        used_keys=made.used_keys,
        usage=made.recorder,
    )


def _rooms(made: UsageJoinery) -> Rooms:
    return Rooms(
        acts=made.acts,
        directory=made.directory,
        own_profile=made.own_profile,
        sign_in=made.sign_in,
        clients=made.clients,
        client_directory=made.client_directory,
        client_authentication=made.client_authentication,
        consents=made.consents,
        recovery=made.recovery,
        registration=made.registration,
        verification=made.verification,
        known_devices=made.known_devices,
        links=made.program_guard(made.limits.links),
        sends_letters=made.settings.sends_letters,
        api_keys=made.api_keys,
        keyring=made.keyring,
        pairs=made.pairs,
        ending=made.ending,
        sessions=made.sessions,
        session_overview=made.session_overview,
        browser_sessions=made.browser_sessions,
        authorization=made.authorization,
        logout=made.logout,
        catalogue=made.catalogue,
        audit=made.audit,
        audit_verification=made.audit_verification,
        revocations=made.revocations,
        feed=made.feed,
        bearer=made.bearer,
        introspection=made.introspection,
        token_revocation=made.token_revocation,
        tokens=made.tokens,
        devices=made.devices,
        device_authorization=made.device_authorization,
        id_tokens=made.id_tokens,
        providers=made.providers,
        identity_providers=made.identity_providers,
        federation=made.federation,
        arrivals=made.arrivals,
        identities=made.identities,
        usage=made.usage,
        federated_redirects=frozenset(made.settings.federation.redirect_uris),
    )


async def _answers(question: Callable[[], Awaitable[None]]) -> bool:
    try:
        await question()
    except StoreUnavailable:
        return False
    return True
