"""How the rooms of one worker are joined: each is made once, of those that it needs, when it is first asked for."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime, timedelta
from functools import cached_property
from urllib.parse import urlsplit

from gatepost.tokens import TokenReader
from service import clock
from service.access.catalogue import Catalogue
from service.accounts.directory import Directory
from service.accounts.doors import AccountDoors
from service.accounts.own_profile import OwnProfile
from service.accounts.passwords import PasswordPolicy, PasswordRules
from service.accounts.sign_in import PasswordSignIn
from service.addresses import LinkDesk, Recovery, Registration, Verification
from service.api_keys.keyring import ApiKeyring
from service.app.stores import Stores
from service.audit import Journal, Refusals
from service.audit import Sealer as AuditSealer
from service.audit import Verification as AuditVerification
from service.audit.heads import Head, HeadBook, read_head
from service.authorize import AuthorizationDesk
from service.authorize.hints import Hints
from service.clients.authentication import ClientAuthentication
from service.clients.directory import DOCS_CLIENT_ID, ClientDirectory, docs_client
from service.clients.registry import ClientRegistry
from service.clients.secrets import ClientSecrets
from service.codes.desk import CodeDesk
from service.codes.device import DeviceDesk
from service.codes.text import CodeMint, DeviceCodeMint
from service.consents.book import ConsentBook
from service.credentials.api_key import ApiKeyCredential
from service.credentials.basic import BasicCredential
from service.credentials.bearer import BearerCredential
from service.credentials.resolver import Resolver
from service.grants.authorization_code import AuthorizationCodeGrant
from service.grants.client_credentials import ClientCredentialsGrant
from service.grants.device_code import DeviceAuthorization, DeviceCodeGrant
from service.grants.endpoint import TokenEndpoint
from service.grants.person import PersonTokens
from service.grants.refresh_token import RefreshTokenGrant
from service.grants.resources import ResourceRule
from service.introspection import Introspection, TokenRevocation
from service.keys.keyring import Keyring
from service.limits import Guard, KnownDevices, Meter, Policy, ProgramGuard
from service.logout import LogoutDesk
from service.revocation.acts import Acts
from service.revocation.feed import RevocationFeed
from service.sessions.browser import BrowserSessions
from service.sessions.ending import SessionEnding
from service.sessions.overview import SessionOverview
from service.sessions.pairs import TokenPairs
from service.sessions.refresh_token import RefreshTokenMint
from service.sessions.rotation import Rotation
from service.sessions.session import Reached
from service.sessions.write_behind import WriteBehind
from service.settings import LONGEST_ACCESS_LIFE
from service.signed_text import MacKey
from service.storage.sql import (
    SqlLinks,
    SqlSetupLinks,
    SqlSigningKeys,
)
from service.tokens.id_token import IdTokens
from service.tokens.issue import AccessTokenIssuer
from service.tokens.verify import ForAnyAudience, TokenVerifier


class Joinery(Stores):
    """The rooms, by the names under which routes know them."""

    @cached_property
    def catalogue(self) -> Catalogue:
        return Catalogue(scopes=self.settings.access.scopes, roles=self.settings.access.roles)

    @cached_property
    def feed(self) -> RevocationFeed:
        max_age = self.settings.tokens.max_feed_age
        feed = RevocationFeed(
            self.revocations, self.engine, longest_life=LONGEST_ACCESS_LIFE, max_age=max_age, now=clock.now
        )
        self.link.on_return = feed.drain_outbox
        return feed

    @cached_property
    def acts(self) -> Acts:
        return Acts(self.database, self.revocations, self.engine, self.feed, self.journal)

    @cached_property
    def audit_keys(self) -> list[MacKey]:
        return self.mac_keys("audit rows")

    @cached_property
    def journal(self) -> Journal:
        return Journal(self.audit, self.audit_keys)

    @cached_property
    def refusals(self) -> Refusals:
        return Refusals(self.database, self.journal, now=clock.now)

    @cached_property
    def head_book(self) -> HeadBook:
        asked = self.settings
        return HeadBook(
            self.keyring,
            self.head_keepers,
            issuer=asked.issuer,
            algorithm=self.keyring.published_algorithms[0],
            every=asked.audit.head_every,
        )

    @cached_property
    def audit_sealer(self) -> AuditSealer:
        return AuditSealer(
            self.database,
            self.audit,
            self.journal,
            self.head_book,
            self.audit_keys[0],
            posted=self.audit_posted,
            keep=self.settings.audit.keep or None,
            now=clock.now,
        )

    @cached_property
    def audit_verification(self) -> AuditVerification:
        return AuditVerification(self.audit, self.audit_keys)

    async def read_heads(self, lines: Iterable[str]) -> list[Head]:
        """Heads of the audit, signed by any key that there ever was. Raises `ValueError`, `StoreUnavailable`."""
        keys = self.forge.verifying(await self.keyring.listed())
        return [read_head(line, keys, issuer=self.settings.issuer) for line in lines if line.strip()]

    @cached_property
    def ending(self) -> SessionEnding:
        at_most = self.settings.tokens.sessions_per_user
        return SessionEnding(self.acts, self.sessions, self.notices, at_most=at_most)

    @cached_property
    def keyring(self) -> Keyring:
        return Keyring(
            self.acts,
            SqlSigningKeys(self.database),
            self.forge,
            algorithms=self.settings.tokens.algorithms,
            lead=self.settings.keys.publish_lead,
            rotate_every=self.settings.keys.rotate_every,
            token_life=LONGEST_ACCESS_LIFE,  # a client may have a longer one than the service's
            now=clock.now,
        )

    # Limits

    @cached_property
    def limits(self) -> Policy:
        figures = dict(self.settings.limits)
        return Policy(**{field.name: figures[field.name] for field in fields(Policy)})

    @cached_property
    def guard(self) -> Guard:
        return Guard(self.failures, self.limits, self.refusals)

    def program_guard(self, meter: Meter) -> ProgramGuard:
        """One that remembers for itself which doors are closed."""
        return ProgramGuard(self.failures, meter, self.refusals)

    @cached_property
    def known_devices(self) -> KnownDevices:
        return KnownDevices(self.mac_keys("known devices"))

    # People

    @cached_property
    def policy(self) -> PasswordPolicy:
        asked, host = self.settings.passwords, urlsplit(self.settings.public_url).hostname or ""
        return PasswordPolicy(PasswordRules(minimum=asked.minimum_length, service=("gatepost", host)), self.breached)

    @cached_property
    def directory(self) -> Directory:
        return Directory(
            self.acts,
            self.users,
            SqlSetupLinks(self.database),
            self.passwords,
            self.policy,
            self.catalogue,
            self.ending,
            self.doors,
        )

    @cached_property
    def own_profile(self) -> OwnProfile:
        return OwnProfile(self.acts, self.users)

    @cached_property
    def sign_in(self) -> PasswordSignIn:
        return PasswordSignIn(self.users, self.passwords, self.guard, self.refusals)

    @cached_property
    def doors(self) -> AccountDoors:
        return AccountDoors(self.passwords, self.guard, self.refusals)

    @cached_property
    def links(self) -> LinkDesk:
        return LinkDesk(self.database, SqlLinks(self.database))

    @cached_property
    def recovery(self) -> Recovery:
        return Recovery(
            self.acts,
            self.users,
            self.letters,
            self.links,
            self.passwords,
            self.policy,
            self.directory,
            self.doors,
            self.guard,
        )

    @cached_property
    def registration(self) -> Registration:
        asked = self.settings.accounts
        return Registration(
            self.acts,
            self.letters,
            self.links,
            self.directory,
            self.guard,
            mode=asked.registration,
            roles=frozenset(asked.registration_roles),
        )

    @cached_property
    def verification(self) -> Verification:
        return Verification(self.acts, self.users, self.letters, self.links, self.doors, self.guard)

    @cached_property
    def api_keys(self) -> ApiKeyring:
        asked = self.settings.api_keys
        return ApiKeyring(
            self.acts,
            self.stored_keys,
            self.users,
            self.catalogue,
            self.feed.revoked,
            default_life=asked.default_life,
            longest_life=asked.longest_life,
            at_most=asked.per_user,
        )

    # Applications

    @cached_property
    def client_directory(self) -> ClientDirectory:
        preset = docs_client(self.settings.public_url, self.catalogue.names)
        return ClientDirectory(self.stored_clients, self.feed, preset=[preset], now=clock.now)

    @cached_property
    def clients(self) -> ClientRegistry:
        return ClientRegistry(self.acts, self.stored_clients, self.catalogue, self.client_directory)

    @cached_property
    def client_authentication(self) -> ClientAuthentication:
        return ClientAuthentication(self.client_directory, self.client_secrets)

    @cached_property
    def client_secrets(self) -> ClientSecrets:
        return ClientSecrets(self.clients, self.program_guard(self.limits.client))

    @cached_property
    def consents(self) -> ConsentBook:
        return ConsentBook(self.acts, self.stored_consents, self.ending)

    # Sessions and their tokens

    @cached_property
    def reached(self) -> WriteBehind[Reached]:
        return WriteBehind[Reached](self.sessions.write_behind)

    @cached_property
    def mint(self) -> RefreshTokenMint:
        return RefreshTokenMint(self.mac_keys("refresh tokens"))

    @cached_property
    def rotation(self) -> Rotation:
        return Rotation(
            self.families,
            self.sessions,
            self.ending,
            self.feed.revoked,
            self.reached,
            self.catalogue,
            grace=self.settings.tokens.refresh_grace,
            idle=self.settings.tokens.session_idle,
            preset=[DOCS_CLIENT_ID],
        )

    @cached_property
    def access_tokens(self) -> AccessTokenIssuer:
        asked = self.settings
        return AccessTokenIssuer(
            self.keyring, issuer=asked.issuer, audience=asked.audience, life=asked.tokens.access_life
        )

    @cached_property
    def pairs(self) -> TokenPairs:
        return TokenPairs(
            self.acts,
            self.users,
            self.sessions,
            self.families,
            self.rotation,
            self.mint,
            self.access_tokens,
            self.catalogue,
            self.stored_consents,
            self.ending,
            idle=self.settings.tokens.session_idle,
            absolute=self.settings.tokens.session_life,
        )

    @cached_property
    def browser_sessions(self) -> BrowserSessions:
        return BrowserSessions(
            self.acts,
            self.users,
            self.sessions,
            self.ending,
            self.reached,
            self.mac_keys("browser sessions"),
            idle=self.settings.browser.session_idle,
            absolute=self.settings.browser.session_life,
            recent=self.settings.browser.recent_sign_in,
        )

    @cached_property
    def session_overview(self) -> SessionOverview:
        return SessionOverview(
            self.sessions,
            self.client_directory,
            idle=self.settings.tokens.session_idle,
            hosted_idle=self.settings.browser.session_idle,
        )

    @cached_property
    def id_tokens(self) -> IdTokens:
        return IdTokens(self.keyring, issuer=self.settings.issuer, algorithms=self.keyring.published_algorithms)

    # Who is calling

    @cached_property
    def reader(self) -> TokenReader:
        return TokenReader(self.settings.issuer, self.settings.audience, leeway=timedelta(seconds=10))

    @cached_property
    def bearer(self) -> BearerCredential:
        ours = TokenVerifier(self.reader, self.keyring, self.feed.revoked)
        return BearerCredential(ours, self.feed, self.engine, strict=self.settings.tokens.strict)

    @cached_property
    def issued(self) -> BearerCredential:
        """The same for tokens of any audience."""
        anyones = TokenVerifier(ForAnyAudience(self.reader), self.keyring, self.feed.revoked, remembered=10_000)
        return BearerCredential(anyones, self.feed, self.engine, strict=self.settings.tokens.strict)

    @cached_property
    def used_keys(self) -> WriteBehind[datetime]:
        return WriteBehind[datetime](self.stored_keys.touch)

    @cached_property
    def resolver(self) -> Resolver:
        return Resolver(
            ApiKeyCredential(
                self.stored_keys,
                self.feed,
                self.catalogue,
                self.used_keys,
                self.program_guard(self.limits.api_keys),
            ),
            BasicCredential(self.sign_in, self.client_secrets, self.feed, self.catalogue),
            self.bearer,
        )

    # OAuth and OpenID Connect

    @cached_property
    def codes(self) -> CodeDesk:
        return CodeDesk(self.stored_codes, CodeMint(self.mac_keys("authorization codes")), self.ending)

    @cached_property
    def devices(self) -> DeviceDesk:
        mint = DeviceCodeMint(self.mac_keys("device codes"))
        return DeviceDesk(self.device_requests, self.guard, mint, self.ending)

    @cached_property
    def hints(self) -> Hints:
        return Hints(self.keyring, self.forge, issuer=self.settings.issuer)

    @cached_property
    def authorization(self) -> AuthorizationDesk:
        return AuthorizationDesk(
            self.client_directory,
            self.hints,
            self.consents,
            self.codes,
            self.catalogue,
            issuer=self.settings.issuer,
            audience=self.settings.audience,
        )

    @cached_property
    def logout(self) -> LogoutDesk:
        return LogoutDesk(self.client_directory, self.hints)

    @cached_property
    def resources(self) -> ResourceRule:
        return ResourceRule(self.settings.audience)

    @cached_property
    def tokens(self) -> TokenEndpoint:
        """Every grant that there is: discovery and what clients may be registered for follow from this list."""
        person = PersonTokens(self.pairs, self.id_tokens, self.users, self.resources)
        return TokenEndpoint(
            self.client_authentication,
            [
                AuthorizationCodeGrant(self.codes, person),
                RefreshTokenGrant(self.pairs, person),
                ClientCredentialsGrant(self.access_tokens, self.resources),
                DeviceCodeGrant(self.devices, person),
            ],
        )

    @cached_property
    def device_authorization(self) -> DeviceAuthorization:
        page = f"{self.settings.public_url}/device"
        return DeviceAuthorization(self.client_authentication, self.devices, self.resources, page=page)

    @cached_property
    def introspection(self) -> Introspection:
        return Introspection(self.issued, self.mint, self.rotation, issuer=self.settings.issuer)

    @cached_property
    def token_revocation(self) -> TokenRevocation:
        return TokenRevocation(self.issued, self.mint, self.acts, self.sessions, self.ending)
