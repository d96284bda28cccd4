"""`/auth/verify`: may this request pass? For reverse proxies and other services, one answer per request, pure ASGI."""

import json
from collections import OrderedDict
from functools import lru_cache

from starlette.types import Scope

from gatepost.principal import Principal
from gatepost.scopes import ScopeSyntaxError, format_scope, parse_scope
from service.protocol.errors import InsufficientScope, InvalidRequest
from service.protocol.query import find_values
from service.web.edge import Field, completed
from service.web.refusals import MethodNotAllowed
from service.web.security import ANY, GUARDED_BY, Door, Gate

PATH = "/auth/verify"
_REMEMBERED = 10_000
_DOOR = Door(frozenset(), ANY)
_encode = json.JSONEncoder(separators=(",", ":")).encode


class VerifyEndpoint:
    """Answers 200 with the caller in `X-Auth-…` fields and as JSON, or the same 401, 403, 400 and 503 as any route.

    `?scope=` names what is needed (space separated). GET and HEAD only. It changes nothing, so a cookie needs no CSRF
    field here.
    """

    def __init__(self, gate: Gate, *, secure: bool) -> None:
        self._gate = gate
        self._secure = secure
        self._rendered: OrderedDict[int, tuple[Principal, list[Field], bytes]] = OrderedDict()

    async def __call__(self, scope: Scope) -> tuple[list[Field], bytes]:
        """The fields and the body of one answer. Raises the refusals of a guarded route, and `MethodNotAllowed`."""
        door = scope[GUARDED_BY] = _DOOR
        if scope["method"] != "GET":
            raise MethodNotAllowed("GET, HEAD")
        if scope["query_string"]:
            # A key in the query must not stay in memory as the name of what it asked for.
            find = _door.__wrapped__ if b"api_key" in scope["query_string"] else _door
            door = scope[GUARDED_BY] = find(scope["query_string"])
        principal = await self._gate.principal(scope)
        if not door.needed <= principal.scopes:
            raise InsufficientScope(door.needed)
        return self._answer(principal)

    def _answer(self, principal: Principal) -> tuple[list[Field], bytes]:
        """The rendered answer. Principals of remembered credentials are the same object on every request."""
        known = self._rendered.get(id(principal))
        if known is None or known[0] is not principal:
            headers, body = _render(principal)
            known = (principal, completed(headers, secure=self._secure), body)
            self._rendered[id(principal)] = known
            if len(self._rendered) > _REMEMBERED:
                self._rendered.popitem(last=False)
        return known[1], known[2]


@lru_cache(256)
def _door(query: bytes) -> Door:
    """What a query asks for. Raises `InvalidRequest`."""
    values = find_values(query, "scope")
    if len(values) > 1:
        raise InvalidRequest(public="Send scope once.")
    try:
        return Door(frozenset(parse_scope(values[0])), ANY) if values else _DOOR
    except ScopeSyntaxError:
        raise InvalidRequest(public="The scope is malformed.") from None


def _render(principal: Principal) -> tuple[list[Field], bytes]:
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
    body = _encode(shown).encode()
    headers = [(name, value.encode()) for name, value in fields if value is not None]
    headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return headers, body
