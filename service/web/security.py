"""Who may call a route: what a route's author writes, and what runs before the route does.

    @router.get("/reports", summary="List reports")
    async def list_reports(caller: Annotated[Principal, require("reports:read")]) -> list[Report]: ...

A route says `require(scopes…)`, `authenticated()` or `dependencies=[public]`; the application does not start with one
that says nothing. The guard runs before the body is read, so a stranger learns nothing from a malformed one (401
before 422). Which credential kinds a route takes is `schemes`: ANY, or SESSION for what only a person who has signed
in may do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Depends
from fastapi.openapi.models import HTTPBearer
from fastapi.params import Security
from starlette.requests import HTTPConnection
from starlette.types import Scope

from gatepost.guard import Guard, GuardedRoute, find_passed
from gatepost.principal import Principal, Scheme
from gatepost.scopes import is_scope
from service import clock
from service.clients.client import FIRST_PARTY
from service.credentials.resolver import Presented, Resolver
from service.pending import Pending
from service.protocol.errors import CredentialNotAllowed, CsrfFailed, InsufficientScope
from service.protocol.query import find_values
from service.web.address import AddressRule
from service.web.cookies import Cookies, DeviceCookie
from service.web.occasion import principal_calls
from service.web.strict_body import StrictBodyRoute
from service.web.throttle import Throttle
from service.web.watch import CALLER

ANY: tuple[Scheme, ...] = ("bearer", "api_key", "basic", "cookie")
SESSION: tuple[Scheme, ...] = ("bearer", "cookie")
GUARDED_BY = "gatepost.door"
REALM = "gatepost"
RESOURCE_METADATA = "gatepost.resource_metadata"
"""In the scope of a request: where the metadata of this API is (RFC 9728 §5.1), for Bearer challenges."""

CSRF_HEADER = b"x-gatepost-csrf"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Gate:
    """What guards need at run time; the composition root puts one on the application's state."""

    resolver: Resolver
    cookies: Cookies
    device: DeviceCookie
    address: AddressRule
    throttle: Throttle
    api_key_in_query: bool
    origins: frozenset[bytes]

    def recall(self, scope: Scope) -> Principal | None:
        """The caller, when this request carries one credential in a field and nothing else that could be one, and it
        was found good before with nothing changed since. None says: ask `principal`. Raises as that does."""
        place, sent = self._find_only(scope)
        if place == b"authorization":
            return self.resolver.recall(sent, now=clock.now())
        return self.resolver.recall_key(sent, now=clock.now()) if place else None

    def begin(self, scope: Scope) -> Principal | Pending[Principal] | None:
        """The same, also for a token that is new here, and where no more is missing than one answer of the engine,
        which has been asked."""
        place, sent = self._find_only(scope)
        if place != b"authorization":
            return self.resolver.recall_key(sent, now=clock.now()) if place else None
        now = clock.now()
        return self.resolver.recall(sent, now=now) or self.resolver.begin(sent, now=now)

    def _find_only(self, scope: Scope) -> tuple[bytes, bytes]:
        """The only field of a request in which a credential may be, and what stands there; nothing where there is none,
        or anything else that could be one."""
        place = sent = b""
        for name, value in scope["headers"]:
            if name == b"authorization" or name == b"x-api-key":
                if place:
                    return b"", b""
                place, sent = name, value
            elif name == b"cookie":
                return b"", b""
        return (b"", b"") if self.api_key_in_query and scope["query_string"] else (place, sent)

    async def principal(self, scope: Scope) -> Principal:
        """The caller of this request. Raises the refusals of `Resolver.resolve`, and `CsrfFailed`."""
        principal = self.recall(scope) or await self._resolved(scope)
        self.let_know(scope, principal)
        return principal

    def let_know(self, scope: Scope, principal: Principal) -> None:
        """Whoever looks on, and the audit, are told who calls."""
        scope[CALLER] = principal
        principal_calls(principal)

    async def _resolved(self, scope: Scope) -> Principal:
        authorizations: list[bytes] = []
        api_keys: list[bytes] = []
        cookies: list[str] = []
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorizations.append(value)
            elif name == b"x-api-key":
                api_keys.append(value)
            elif name == b"cookie":
                cookies += self.cookies.find_access(value)
        if self.api_key_in_query and scope["query_string"]:
            api_keys += [key.encode() for key in find_values(scope["query_string"], "api_key")]
        if cookies:
            self.check_not_forged(scope)
        presented = Presented(authorizations, api_keys, cookies)
        return await self.resolver.resolve(presented, address=lambda: self.address.of(scope), now=clock.now())

    def check_not_forged(self, scope: Scope, *, method: str | None = None) -> None:
        """A cookie travels by itself; only our own pages can add the header (RFC 10017). `method` is that of another
        request, on whose behalf this one asks. Raises `CsrfFailed`."""
        if (scope["method"] if method is None else method) in _SAFE_METHODS:
            return
        has_header = False
        for name, value in scope["headers"]:
            if name == CSRF_HEADER:
                has_header = True
            elif name == b"origin" and value not in self.origins:
                raise CsrfFailed(detail="foreign Origin")
        if not has_header:
            raise CsrfFailed(detail="no CSRF header")


class Door(Guard):
    """Lets in a caller with all of `needed`, by one of `schemes`."""

    model = HTTPBearer()
    scheme_name = "bearer"

    def __init__(self, needed: frozenset[str], schemes: tuple[Scheme, ...]) -> None:
        self.needed = needed
        self.schemes = schemes

    async def __call__(self, connection: HTTPConnection) -> Principal:
        """The caller of this request. Raises the refusals of `Gate.principal`, `TooManyRequests`, `InsufficientScope`,
        `CredentialNotAllowed`."""
        principal = find_passed(self, connection)
        if principal is not None:
            return principal
        scope = connection.scope
        scope[GUARDED_BY] = self
        gate: Gate = scope["app"].state.gate
        principal = await gate.principal(scope)
        await gate.throttle.api.charge(scope, principal, now=clock.now())
        if principal.scheme not in self.schemes or (self.schemes == SESSION and principal.session_id is None):
            raise CredentialNotAllowed(detail=f"{principal.scheme} where {', '.join(self.schemes)} is due")
        if not self.needed <= principal.scopes:
            raise InsufficientScope(self.needed)
        return principal


def require(*scopes: str, schemes: tuple[Scheme, ...] = ANY) -> Security:
    """The dependency of a route that needs all of `scopes`; gives the `Principal`.

    Raises `ValueError` without scopes: a requirement that was left empty must not let everybody in.
    """
    if not scopes or not all(map(is_scope, scopes)):
        raise ValueError("name at least one well-formed scope; for any good credential say authenticated()")
    return Security(Door(frozenset(scopes), schemes), scopes=scopes)


def authenticated(*, schemes: tuple[Scheme, ...] = ANY) -> Security:
    """The dependency of a route that any good credential of these kinds may call; gives the `Principal`."""
    return Security(Door(frozenset(), schemes))


def is_application(caller: Principal) -> bool:
    """Whether an application calls, with what a person has granted it, and not the person."""
    return caller.kind == "user" and caller.client_id not in (None, FIRST_PARTY)


async def _everyone() -> None:
    """Marks a route as open to all, on purpose."""


public = Depends(_everyone)


async def _charge_network(connection: HTTPConnection) -> None:
    gate: Gate = connection.scope["app"].state.gate
    await gate.throttle.open_call(lambda: gate.address.of(connection.scope), now=clock.now())


charged_to_network = Depends(_charge_network)
"""The dependency of routes at which nobody is known yet: their calls are charged to the network they come from."""


class Route(GuardedRoute, StrictBodyRoute):
    """A route with a policy: first its guard, then its body's type, length and strict JSON, then FastAPI."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        if self.door is None and not any(needed.call is _everyone for needed in self.dependant.dependencies):
            raise ValueError(f"{path} has no policy: say require(…), authenticated() or public")

    @property
    def door(self) -> Door | None:
        """What guards this route; None for a public one."""
        doors = [needed.call for needed in self.dependant.dependencies if isinstance(needed.call, Door)]
        return doors[0] if doors else None
