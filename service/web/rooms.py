"""The rooms that routes call, as dependencies: the composition root puts them on the application's state."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.access.catalogue import Catalogue
from service.accounts.directory import Directory
from service.accounts.own_profile import OwnProfile
from service.accounts.sign_in import PasswordSignIn
from service.addresses import Recovery, Registration, Verification
from service.api_keys.keyring import ApiKeyring
from service.audit import Verification as AuditVerification
from service.audit.search import FindsRecords
from service.authorize import AuthorizationDesk
from service.clients.authentication import ClientAuthentication
from service.clients.directory import ClientDirectory
from service.clients.registry import ClientRegistry
from service.codes.device import DeviceDesk
from service.consents.book import ConsentBook
from service.credentials.bearer import BearerCredential
from service.federation import Arrivals, FederationDesk, IdentityBook, ProviderDirectory, ProviderRegistry
from service.grants.device_code import DeviceAuthorization
from service.grants.endpoint import TokenEndpoint
from service.introspection import Introspection, TokenRevocation
from service.keys.keyring import Keyring
from service.limits import KnownDevices, ProgramGuard
from service.logout import LogoutDesk
from service.revocation.acts import Acts
from service.revocation.entry import RevocationLedger
from service.revocation.feed import RevocationFeed
from service.sessions.browser import BrowserSessions
from service.sessions.ending import SessionEnding
from service.sessions.overview import SessionOverview
from service.sessions.pairs import TokenPairs
from service.sessions.session import Sessions
from service.tokens.id_token import IdTokens
from service.usage import FindsTotals


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything that a route may call."""

    acts: Acts
    directory: Directory
    own_profile: OwnProfile
    sign_in: PasswordSignIn
    clients: ClientRegistry
    client_directory: ClientDirectory
    client_authentication: ClientAuthentication
    consents: ConsentBook
    recovery: Recovery
    registration: Registration
    verification: Verification
    sends_letters: bool
    known_devices: KnownDevices
    links: ProgramGuard
    api_keys: ApiKeyring
    keyring: Keyring
    pairs: TokenPairs
    ending: SessionEnding
    sessions: Sessions
    session_overview: SessionOverview
    browser_sessions: BrowserSessions
    authorization: AuthorizationDesk
    logout: LogoutDesk
    catalogue: Catalogue
    audit: FindsRecords
    audit_verification: AuditVerification
    revocations: RevocationLedger
    feed: RevocationFeed
    bearer: BearerCredential
    introspection: Introspection
    token_revocation: TokenRevocation
    tokens: TokenEndpoint
    devices: DeviceDesk
    device_authorization: DeviceAuthorization
    id_tokens: IdTokens
    providers: ProviderDirectory
    identity_providers: ProviderRegistry
    federation: FederationDesk
    arrivals: Arrivals
    identities: IdentityBook
    usage: FindsTotals
    federated_redirects: frozenset[str]


async def _rooms(request: Request) -> Rooms:
    rooms: Rooms = request.app.state.rooms
    return rooms


House = Annotated[Rooms, Depends(_rooms)]
