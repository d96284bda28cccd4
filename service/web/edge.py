"""The outermost layer, pure ASGI: request id, answer fields that every response carries, HEAD, cross-origin rules, the
hot endpoints, the last net under everything, and who is told of each answer."""

import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import count
from time import perf_counter
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service import logs
from service.audit import begin_occasion, occasion
from service.pending import Pending
from service.protocol.errors import Refusal
from service.web.address import AddressRule
from service.web.cors import with_cors
from service.web.errors import REQUEST_ID, problem, render_refusal, unfinished
from service.web.fields import RATE_FIELDS, REQUEST_ID_FIELD, Field, Outgoing, completed
from service.web.occasion import request_occasion
from service.web.refusals import BodyTooLarge, MethodNotAllowed
from service.web.security import RESOURCE_METADATA
from service.web.strict_body import bounded
from service.web.watch import UNMATCHED, Tracing, Watch

_log = structlog.get_logger("gatepost.web")
_OUTGOING = "gatepost.outgoing"
_FAILED = "gatepost.failed"
_BEGAN = "gatepost.began"
_PENDING = "gatepost.pending"
ALIKE = "gatepost.alike"
"""In the scope of a request whose head came before on its connection: an `Alike`."""

_ALLOWED_IN_ID = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_LONGEST_ID = 64
_NOT_IN_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Alike:
    """What the requests of one connection have in common that came one after the other with the same head. The endpoint
    that they go to may keep here what it made of the last of them."""

    __slots__ = ("kept", "request_id")

    def __init__(self) -> None:
        self.kept: Any = None
        self.request_id: bytes | None = None
        """The caller's own, empty where it has none; None before anybody has looked."""


class Rendered(NamedTuple):
    """A 200 that can be sent again and again. `fields` are its own but for the length; `head` is all that go over the
    wire, as they do, but for the request id."""

    fields: Sequence[Field]
    body: bytes
    head: bytes


class HotEndpoint(Protocol):
    """One address that needs neither router nor dependencies."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Those that it answers, HEAD aside."""

    def at_hand(self, scope: Scope, body: bytes) -> Rendered | Pending[Rendered] | None:
        """The answer, when it takes no waiting, or none but for one question to a store that it has asked. None says
        `answer`, and so does whatever it raises; until then it has changed nothing."""

    async def answer(self, scope: Scope, body: bytes) -> Rendered:
        """The answer; the body is whole, and empty for GET. Raises a `Refusal`."""


class Rendering:
    """Renders bodies under the same fields. Raises `ValueError` for a value that would end its line."""

    def __init__(self, headers: Iterable[Field], *, secure: bool) -> None:
        self._fields = tuple(headers)
        if any(_NOT_IN_VALUE.search(value) for _, value in self._fields):
            raise ValueError("a field value has a control character")
        self._head = b"".join(b"%b: %b\r\n" % field for field in completed(self._fields, secure=secure))

    def __call__(self, body: bytes) -> Rendered:
        """A 200 with every field that it carries."""
        return Rendered(self._fields, body, b"content-length: %d\r\n%b" % (len(body), self._head))


class Edge:
    """Wraps the whole application. `hot` maps exact paths to endpoints that no other layer needs to see.

    `max_body` is the longest request body, in bytes. `origins` may read every answer but those at the paths of
    `unshared`. `resource_metadata` is the address that Bearer challenges name. `watches` are told of each answer,
    `tracing` of each beginning too.
    `ports` are what the server answers with at other ports of its own, if it has them.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hot: Mapping[str, HotEndpoint],
        secure: bool,
        max_body: int,
        origins: Sequence[str] = (),
        unshared: Collection[str] = (),
        resource_metadata: str | None = None,
        address: AddressRule | None = None,
        watches: Sequence[Watch] = (),
        tracing: Tracing | None = None,
        ports: Mapping[int, "Edge"] = MappingProxyType({}),
    ) -> None:
        self.ports = ports
        self._app = app
        self._is_shared = bool(origins)
        self._within_origins = with_cors(self._serve, origins, unshared)
        self._resource_metadata = resource_metadata
        self._address = address or AddressRule(())
        self._hot = hot
        self._max_body = max_body
        self._start = secrets.token_hex(6).encode()
        self._count = count(1)
        self._secure = secure
        self._watches = tuple(watches) if tracing is None else (*watches, tracing)
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; lifespan passes through, websockets are closed."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        began = scope.get(_BEGAN) or perf_counter()
        request_id = self._request_id(scope)
        method: str = scope["method"]
        is_head = method == "HEAD"
        if is_head:
            scope = {**scope, "method": "GET"}  # a copy: the server still has to know that no body follows
        scope[REQUEST_ID] = request_id.decode()
        scope[RESOURCE_METADATA] = self._resource_metadata
        outgoing = scope[_OUTGOING] = Outgoing(send, scope, request_id, secure=self._secure, bodiless=is_head)
        logged = logs.request_id.set(scope[REQUEST_ID])
        traced = None if self._tracing is None else self._tracing.begin(scope)
        try:
            with occasion(request_occasion(scope, scope[REQUEST_ID], self._address)):
                await self._within_origins(scope, receive, outgoing)
        finally:
            if outgoing.status:
                self._tell(scope, method, self._route(scope), outgoing.status, began)
            if self._tracing is not None:
                self._tracing.leave(scope, traced)
            logs.request_id.reset(logged)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Inside the cross-origin rules, or a page could not read that its upload was too large."""
        try:
            if _FAILED in scope:
                raise scope[_FAILED]
            if scope["method"] != "GET":
                receive = bounded(receive, scope, self._max_body)
            hot = self._hot.get(scope["path"])
            if hot is None:
                await self._app(scope, receive, send)
                return
            if scope["method"] not in hot.methods:
                heads = ("HEAD",) if "GET" in hot.methods else ()
                raise MethodNotAllowed(", ".join(sorted((*hot.methods, *heads))))
            answer = await hot.answer(scope, await _whole_body(scope, receive))
            fields = ((b"content-length", b"%d" % len(answer.body)), *answer.fields)
            await send({"type": "http.response.start", "status": 200, "headers": fields})
            await send({"type": "http.response.body", "body": answer.body})
        except Exception as error:
            last = _last_answer(scope, error)
            if not scope[_OUTGOING].status:
                await last(scope, receive, send)

    def is_direct(self, scope: Scope) -> bool:
        """Whether a server may ask `at_hand`, `asked` and `later`, and send what they give as it is, instead of calling
        this application (`service/cli/http_protocol.py`). The body of a POST has to be whole by then."""
        hot = self._hot.get(scope["path"])
        if hot is None or scope["method"] not in hot.methods:
            return False
        return not (self._is_shared and any(name == b"origin" for name, _ in scope["headers"]))

    def at_hand(self, scope: Scope, body: bytes) -> bytes | Pending[Rendered] | None:
        """What follows the status line of a 200 that takes no waiting. What is pending says: ask `asked` when it is
        settled; None says: ask `later`. Raises nothing."""
        scope[_BEGAN] = perf_counter()
        answer: Rendered | Pending[Rendered] | None = None
        if len(body) <= self._max_body:
            try:
                answer = self._hot[scope["path"]].at_hand(scope, body)
            except Exception:  # `later` meets the same
                answer = None
        if answer is None:
            return None
        if isinstance(answer, Rendered):
            return self._complete(scope, answer)
        scope[_PENDING] = answer
        return answer

    def asked(self, scope: Scope) -> bytes | None:
        """What follows the status line of a 200, as a store has answered; None says: ask `later`. Raises nothing."""
        pending: Pending[Rendered] = scope.pop(_PENDING)  # it knows the scope: neither would go by itself
        try:
            answer = pending.at_once()
        except Exception:  # `later` meets the same
            answer = None
        if answer is None:
            scope[_PENDING] = pending
            return None
        return self._complete(scope, answer)

    async def later(self, scope: Scope, body: bytes) -> bytes | None:
        """What follows the status line of a 200. None says: call this application, which knows of the failure and
        answers it. Raises nothing. Call it in a task of its own: it sets what that logs and audits."""
        scope[REQUEST_ID] = self._request_id(scope).decode()
        logs.request_id.set(scope[REQUEST_ID])
        begin_occasion(request_occasion(scope, scope[REQUEST_ID], self._address))
        try:
            if self._tracing is not None:
                self._tracing.begin(scope)
            if len(body) > self._max_body:
                raise BodyTooLarge(detail="whole length")
            pending: Pending[Rendered] | None = scope.pop(_PENDING, None)
            if pending is None:
                answer = await self._hot[scope["path"]].answer(scope, body)
            else:
                answer = await pending.in_time()
        except Exception as failure:
            scope[_FAILED] = failure
            return None
        return self._complete(scope, answer)

    def _complete(self, scope: Scope, answer: Rendered) -> bytes:
        self._tell(scope, scope["method"], scope["path"], 200, scope[_BEGAN])
        return _sent(answer, self._request_id(scope), scope)

    def _route(self, scope: Scope) -> str:
        """The template that this request came to."""
        path: str = scope["path"]
        if path not in self._hot:
            path = getattr(scope.get("route"), "path", UNMATCHED)
        return path

    def _tell(self, scope: Scope, method: str, route: str, status: int, began: float) -> None:
        """Tell whoever looks on. Nobody's answer depends on them."""
        for watch in self._watches:
            try:
                watch.answered(scope, method, route, status, began)
            except Exception:
                _log.exception("watch failed")

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    def _request_id(self, scope: Scope) -> bytes:
        """What was settled before; the caller's, when it is short and plain; else a new one."""
        if REQUEST_ID in scope:
            return str(scope[REQUEST_ID]).encode()
        alike: Alike | None = scope.get(ALIKE)
        if alike is None:
            sent = _sent_id(scope["headers"])
        elif alike.request_id is None:
            sent = alike.request_id = _sent_id(scope["headers"])
        else:
            sent = alike.request_id
        return sent or b"%b-%x" % (self._start, next(self._count))


def _sent_id(headers: Iterable[Field]) -> bytes:
    for name, value in headers:
        if name == REQUEST_ID_FIELD and 0 < len(value) <= _LONGEST_ID and _ALLOWED_IN_ID.issuperset(value):
            return value
    return b""


def _sent(answer: Rendered, request_id: bytes, scope: Scope) -> bytes:
    if RATE_FIELDS in scope:
        own = b"".join([b"%b: %b\r\n" % field for field in scope[RATE_FIELDS]])
        return b"%b%bx-request-id: %b\r\n\r\n%b" % (answer.head, own, request_id, answer.body)
    return b"%bx-request-id: %b\r\n\r\n%b" % (answer.head, request_id, answer.body)


async def _whole_body(scope: Scope, receive: Receive) -> bytes:
    """The body of a POST. Raises `BodyTooLarge`, `ClientDisconnect`."""
    body, more = b"", scope["method"] == "POST"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _last_answer(scope: Scope, error: Exception) -> Response:
    if isinstance(error, Refusal):
        return render_refusal(scope, error)
    if isinstance(error, ClientDisconnect):
        return unfinished(scope)
    _log.exception("unforeseen", path=scope["path"])
    return problem(scope, HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong on our side.")
