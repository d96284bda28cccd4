"""The ASGI application of one worker: rooms behind their routes, and in front of the router what needs none."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from service import __version__
from service.access.catalogue import Catalogue
from service.app.house import House, build_house
from service.app.stores import mail_folder
from service.app.telemetry import Telemetry
from service.settings import Settings
from service.settings.model import LimitSettings
from service.web import (
    account,
    address_pages,
    addresses,
    admin,
    api_keys,
    auth,
    consents,
    docs,
    errors,
    events,
    federation,
    health,
    identities,
    mailbox,
    metrics,
    openapi,
    profile,
    setup,
    usage,
    users,
    wellknown,
)
from service.web.address import AddressRule
from service.web.cookies import Cookies, DeviceCookie
from service.web.counting import CountsUsage
from service.web.edge import Edge, HotEndpoint
from service.web.management import management
from service.web.oauth import authorize, consent, device, linking, logout, metadata, sign_in
from service.web.oauth import federation as hosted_federation
from service.web.oauth.errors import DEVICE_AUTHORIZATION, INTROSPECT, REVOKE, TOKEN, USERINFO
from service.web.oauth.introspect import IntrospectEndpoint
from service.web.oauth.revoke import RevokeEndpoint
from service.web.oauth.token import FormEndpoint
from service.web.oauth.userinfo import UserInfoEndpoint
from service.web.pages import PageRoute
from service.web.rooms import Rooms
from service.web.security import Gate
from service.web.throttle import Policy, Throttle
from service.web.verify import PATH as VERIFY_PATH
from service.web.verify import VerifyEndpoint
from service.web.watch import Watch

ROOMS = (
    *(auth, federation, users, events, usage, profile, identities, addresses, consents, api_keys, admin),
    *(wellknown, metadata, health, metrics, setup),
    *(authorize, sign_in, hosted_federation, linking, consent, device, logout),
    *(address_pages, account, mailbox),
)
"""Every module with routes."""

_NO_SPANS: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI's own spans tell queries, with their codes and tokens, and its logs what exceptions say."""


def create_app(settings: Settings) -> Edge:
    """The ASGI application of one worker. Stores are opened by its lifespan."""
    house = build_house(settings)
    gate = gate_of(settings, house)
    telemetry = Telemetry(settings, house)
    app = _framework(house, telemetry)
    _describe(app, settings, house, gate)
    app.state.metrics = telemetry.text
    errors.install(app)
    for room in ROOMS:
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
        hot=_hot(house.rooms, gate, secure=settings.secure),
        secure=settings.secure,
        max_body=settings.server.max_body,
        origins=settings.server.cors_origins,
        unshared=[route.path for route in app.routes if isinstance(route, PageRoute)],
        resource_metadata=settings.public_url + metadata.PROTECTED_RESOURCE,
        address=gate.address,
        watches=[*_counting(house), *telemetry.watches],
        tracing=telemetry.traces,
        ports={settings.server.management_port: management(house.readiness, telemetry.text, secure=settings.secure)}
        if settings.server.management_port
        else {},
    )


def _counting(house: House) -> list[Watch]:
    """Who counts what is used, if anybody does."""
    return [] if house.usage is None else [CountsUsage(house.usage.sheet)]


def gate_of(settings: Settings, house: House) -> Gate:
    """What the guards of routes ask."""
    return Gate(
        resolver=house.resolver,
        cookies=Cookies(secure=settings.secure),
        device=DeviceCookie(secure=settings.secure),
        address=AddressRule(settings.server.trusted_proxies),
        throttle=throttle_of(settings.limits, house),
        api_key_in_query=settings.api_keys.allow_in_query,
        origins=frozenset(origin.encode() for origin in (settings.public_url, *settings.server.cors_origins)),
    )


def throttle_of(figures: LimitSettings, house: House) -> Throttle:
    """What requests are charged by."""
    permits, clients = house.permits, house.rooms.client_directory
    return Throttle(
        permits=permits,
        api=Policy("api", figures.api_rate, permits, clients),
        verify=Policy("verify", figures.verify_rate, permits, clients),
        oauth=Policy("oauth", figures.oauth_rate, permits, clients),
        network=figures.network_rate,
        pages=figures.page_rate,
    )


def _framework(house: House, telemetry: Telemetry) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with telemetry.open(), house.open():
            yield

    return FastAPI(
        title="Gatepost",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry=_NO_SPANS,
    )


def _describe(app: FastAPI, settings: Settings, house: House, gate: Gate) -> None:
    """Put on the application's state what routes look for there."""
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


def _hot(rooms: Rooms, gate: Gate, *, secure: bool) -> dict[str, HotEndpoint]:
    """What is answered without router and dependencies, by its path."""
    return {
        VERIFY_PATH: VerifyEndpoint(gate, secure=secure),
        TOKEN: FormEndpoint(rooms.tokens, gate, secure=secure),
        DEVICE_AUTHORIZATION: FormEndpoint(rooms.device_authorization, gate, secure=secure),
        INTROSPECT: IntrospectEndpoint(rooms.client_authentication, rooms.introspection, gate, secure=secure),
        REVOKE: RevokeEndpoint(rooms.client_authentication, rooms.token_revocation, gate, secure=secure),
        USERINFO: UserInfoEndpoint(rooms.bearer, rooms.directory, gate.throttle.oauth, secure=secure),
    }
