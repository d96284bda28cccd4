"""The outermost layer, pure ASGI: request id, answer fields that every response carries, HEAD, the hot endpoints, and
the last net under everything."""

import secrets
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from itertools import count

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.errors import REQUEST_ID, problem, render_refusal
from service.web.refusals import BodyTooLarge
from service.web.strict_body import bounded

_log = structlog.get_logger("gatepost.web")
_REQUEST_ID_FIELD = b"x-request-id"
_ALLOWED_IN_ID = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_LONGEST_ID = 64
_POLICY = b"default-src 'none'; frame-ancestors 'none'"


class Edge:
    """Wraps the whole application. `hot` maps exact paths to ASGI endpoints that no other layer needs to see.

    `max_body` is the longest request body, in bytes.
    """

    def __init__(self, app: ASGIApp, *, hot: Mapping[str, ASGIApp], secure: bool, max_body: int) -> None:
        self._app = app
        self._hot = hot
        self._max_body = max_body
        self._start = secrets.token_hex(6).encode()
        self._count = count(1)
        self._always: list[tuple[bytes, bytes]] = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
        ]
        if secure:
            self._always.append((b"strict-transport-security", b"max-age=63072000; includeSubDomains"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; lifespan passes through, websockets are closed."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        request_id = self._request_id(scope["headers"])
        scope[REQUEST_ID] = request_id.decode()
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope["method"] = "GET"
        outgoing = _Outgoing(send, [(_REQUEST_ID_FIELD, request_id), *self._always], bodiless=is_head)
        structlog.contextvars.bind_contextvars(request_id=scope[REQUEST_ID])
        try:
            if scope["method"] != "GET":
                receive = bounded(receive, scope, self._max_body)
            await self._hot.get(scope["path"], self._app)(scope, receive, outgoing)
        except BodyTooLarge as refusal:
            await render_refusal(scope, refusal)(scope, receive, outgoing)
        except Exception:
            _log.exception("unforeseen", path=scope["path"])
            if not outgoing.started:
                answer = problem(
                    scope, HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong on our side."
                )
                await answer(scope, receive, outgoing)
        finally:
            structlog.contextvars.clear_contextvars()

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    def _request_id(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The caller's, when it is short and plain; else a new one."""
        for name, value in headers:
            if name == _REQUEST_ID_FIELD and 0 < len(value) <= _LONGEST_ID and _ALLOWED_IN_ID.issuperset(value):
                return value
        return b"%s-%x" % (self._start, next(self._count))


class _Outgoing:
    """The send of one request: adds the fields that are missing, drops the body of an answer to HEAD."""

    __slots__ = ("_bodiless", "_fields", "_send", "started")

    def __init__(self, send: Send, fields: list[tuple[bytes, bytes]], *, bodiless: bool) -> None:
        self._send = send
        self._fields = fields
        self._bodiless = bodiless
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = message["headers"] = [*message.get("headers", ()), *self._fields]
            names = {name for name, _ in headers}
            if b"cache-control" not in names:
                headers.append((b"cache-control", b"no-store"))
            if b"content-security-policy" not in names:
                headers.append((b"content-security-policy", _POLICY))
        elif self._bodiless and message.get("body"):
            message = {**message, "body": b""}
        await self._send(message)
