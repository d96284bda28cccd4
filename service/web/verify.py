"""`/auth/verify`: may this request pass? For reverse proxies and other services, one answer per request, pure ASGI."""

from functools import partial

from pydantic_core import to_json
from starlette.types import Scope

from gatepost.principal import Principal
from gatepost.scopes import ScopeSyntaxError, format_scope, parse_scope
from service import clock
from service.bounded import Bounded
from service.pending import Pending
from service.protocol.errors import InsufficientScope, InvalidRequest, InvalidToken
from service.protocol.query import find_values
from service.web.edge import Rendered, Rendering
from service.web.fields import Field
from service.web.once import OncePerObject
from service.web.security import ANY, GUARDED_BY, Door, Gate
from service.web.watch import CALLER

PATH = "/auth/verify"
_JUDGED_METHOD = frozenset({b"x-original-method", b"x-forwarded-method"})
"""Where proxies tell the method of the request that they ask about (docs/http.md)."""

_REFUSED = "gatepost.refused"
_DOORS = 1_000
_LONGEST_QUERY = 1_024
_ANYBODY_KNOWN = Door(frozenset(), ANY)


class VerifyEndpoint:
    """Answers 200 with the caller in `X-Auth-…` fields and as JSON, or the same 401, 403, 400 and 503 as any route.

    `?scope=` names what is needed (space separated). GET and HEAD only. A cookie needs the CSRF field when the proxy
    says that the request it asks about has an unsafe method: the cookie came with that one.
    """

    methods = ("GET",)

    def __init__(self, gate: Gate, *, secure: bool) -> None:
        self._gate = gate
        self._policy = gate.throttle.verify
        self._secure = secure
        self._doors: Bounded[bytes, Door] = Bounded(_DOORS)
        self._rendered = OncePerObject(self._render)

    def at_hand(self, scope: Scope, body: bytes) -> Rendered | Pending[Rendered] | None:
        """The answer to a caller whose credential was found good before, and may have to be asked about once more."""
        query = scope["query_string"]
        door = self._doors.get(query) if query else _ANYBODY_KNOWN
        if door is None:
            return None
        try:
            found = self._gate.begin(scope)
        except InvalidToken as refusal:  # to read it once more would double what it costs us
            scope[_REFUSED] = refusal
            return None
        if isinstance(found, Pending):
            scope[GUARDED_BY] = door
            return found.then(partial(self._let_in, scope, door), partial(self._let_in_later, scope, door))
        return None if found is None else self._let_in(scope, door, found)

    def _let_in(self, scope: Scope, door: Door, principal: Principal) -> Rendered | None:
        """The answer to a caller, when a permit is at hand and the door is open; changes nothing where it is not."""
        if not door.needed <= principal.scopes:
            return None
        scope[CALLER] = principal
        return self._rendered(principal) if self._policy.take(scope, principal, now=clock.now()) else None

    async def _let_in_later(self, scope: Scope, door: Door, principal: Principal) -> Rendered:
        self._gate.let_know(scope, principal)
        return await self._let_in_in_time(scope, door, principal)

    async def _let_in_in_time(self, scope: Scope, door: Door, principal: Principal) -> Rendered:
        """The same as `_let_in`, whatever it takes. Raises the refusals of a guarded route."""
        await self._policy.charge(scope, principal, now=clock.now())
        if principal.scheme == "cookie":  # never at hand: see `Gate.recall`
            for name, value in scope["headers"]:
                if name in _JUDGED_METHOD:
                    self._gate.check_not_forged(scope, method=value.decode("latin-1"))
        if not door.needed <= principal.scopes:
            raise InsufficientScope(door.needed)
        return self._rendered(principal)

    async def answer(self, scope: Scope, body: bytes) -> Rendered:
        """The answer. Raises the refusals of a guarded route."""
        scope[GUARDED_BY] = _ANYBODY_KNOWN
        query = scope["query_string"]
        door = scope[GUARDED_BY] = self._doors.get(query) or _parse_door(query)
        if _REFUSED in scope:
            raise scope[_REFUSED]
        principal = await self._gate.principal(scope)
        self._keep(query, door)
        return await self._let_in_in_time(scope, door, principal)

    def _keep(self, query: bytes, door: Door) -> None:
        """What somebody who is known has asked for. A key in the query must not stay as the name of it."""
        if query and len(query) <= _LONGEST_QUERY and query not in self._doors and not find_values(query, "api_key"):
            self._doors.keep(query, door)

    def _render(self, principal: Principal) -> Rendered:
        fields, body = _shown(principal)
        return Rendering(fields, secure=self._secure)(body)


def _parse_door(query: bytes) -> Door:
    """What a query asks for. Raises `InvalidRequest`."""
    values = find_values(query, "scope")
    if len(values) > 1:
        raise InvalidRequest(public="Send scope once.")
    try:
        return Door(frozenset(parse_scope(values[0])), ANY) if values else _ANYBODY_KNOWN
    except ScopeSyntaxError:
        raise InvalidRequest(public="The scope is malformed.") from None


def _shown(principal: Principal) -> tuple[list[Field], bytes]:
    scopes = format_scope(principal.scopes)
    shown = {
        "sub": principal.subject,
        "kind": principal.kind,
        "scheme": principal.scheme,
        "scope": scopes,
        "client_id": principal.client_id,
        "session_id": principal.session_id,
        "credential_id": principal.credential_id,
    }
    fields = [
        (b"x-auth-subject", principal.subject),
        (b"x-auth-kind", principal.kind),
        (b"x-auth-scheme", principal.scheme),
        (b"x-auth-scopes", scopes),
        (b"x-auth-client", principal.client_id),
        (b"x-auth-session", principal.session_id),
    ]
    body = to_json(shown)
    headers = [(name, value.encode()) for name, value in fields if value is not None]
    return [*headers, (b"content-type", b"application/json")], body
