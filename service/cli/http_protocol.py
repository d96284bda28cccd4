"""uvicorn's HTTP protocol with two things more: bounds on what may come before a request is whole, which uvicorn itself
does not have, and answers that are at hand, sent at once."""

import asyncio
import time
from functools import partial
from typing import Any, ClassVar, NamedTuple, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

import service.cli.lean  # noqa: F401 - workers load this module first of all
from service.web.edge import ALIKE, Alike, Edge

LONGEST_HEAD = 32 * 1024
"""Bytes of request line and fields that may have come without the end of them."""

MOST_FIELDS = 100
SLOWEST_REQUEST = 30.0
"""Seconds from the first byte to the last; a proxy that buffers sends all at once. So long may an answer stand still
too, of which no part is read."""

SWEEP_EVERY = 5
_VERSIONS = ("1.1", "1.0")
_OK = b"HTTP/1.1 200 OK\r\n"
_CLOSE = b"connection: close\r\n"
_TOO_LARGE = b"431 Request Header Fields Too Large"
_REFUSAL = b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\ncache-control: no-store\r\n\r\n"


class _Refused(Exception):
    """Ends the parsing of a request."""


class HttpProtocol(HttpToolsProtocol):
    """One connection. A request that comes whole behind another with the same head, byte for byte, is not read anew:
    the parser would say the same.

    `waiting_since` is when the request began that is not whole yet, None when there is none; `idle_since` when a
    request was answered at once, None after any other; `stalled_since` when it was first seen that what was sent is not
    read.
    Trailer fields of a chunked body are passed over (RFC 9110 §6.5.1): what stands there came past every proxy that
    looks at a head.
    """

    alive: ClassVar[set["HttpProtocol"]] = set()
    fields: ClassVar[list[tuple[bytes, bytes]]] = []
    rendered: ClassVar[bytes] = b""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.waiting_since: float | None = time.monotonic()
        self.idle_since: float | None = None
        self.stalled_since: float | None = None
        self._moved = False
        self._in_head = False
        self._head = 0
        self._chunk = 0
        self._seen = 0
        self._too_large = False
        self._edge = self.app if isinstance(self.app, Edge) and not self.root_path else None
        self._direct: Edge | None = None
        self._body = b""
        self._known: _Known | None = None
        self._learning: Any = None

    def connection_made(self, transport: Any) -> None:
        self.alive.add(self)
        if self._edge is not None and self._edge.ports:
            self.app = self._edge = self._edge.ports.get(transport.get_extra_info("sockname")[1], self._edge)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes of a head, or of trailers, that goes on: fields are told by the parser only when they are
        whole."""
        idle_since, self.idle_since = self.idle_since, None
        known = self._known
        if known is not None:
            if len(data) == known.size and data.startswith(known.head) and self._is_free and not self.flow.write_paused:
                self._unset_keepalive_if_required()
                self._answer(known.edge, known.scope.copy(), data[len(known.head) :])
                return
            self._known = None
        self._moved = False
        self._chunk = len(data)
        self._seen += self._chunk
        self._learning = None
        was_between = self.waiting_since is None or not self.scope  # there is none before the first request
        super().data_received(data)
        if was_between and self._learning is not None:
            self._learn(data, *self._learning)
        if self._direct is not None:  # the rest of its body is still to come
            self._direct = None
            self._start_asgi_task(self._take_over(self.scope, self._body), self.app)
        is_whole = self.waiting_since is None
        if not self._moved:
            self._head += self._chunk
            if is_whole and self._is_free:  # an empty line between requests begins none
                self.idle_since = idle_since or time.monotonic()
        if self._head > LONGEST_HEAD or (not (is_whole or self._in_head) and len(self.headers) > MOST_FIELDS):
            self.refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        self.waiting_since = time.monotonic()
        self.idle_since = None
        self._moved = self._in_head = True
        self._head = 0
        self._seen = self._chunk
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._moved = True
        self._head = 0
        if len(self.headers) > MOST_FIELDS or (self._seen > LONGEST_HEAD and self._size() > LONGEST_HEAD):
            self._too_large = True
            raise _Refused
        if self.parser.get_http_version() not in _VERSIONS:  # the parser takes 0.9, whose answers have no head
            raise _Refused
        self._direct = self._find_direct()
        self._body = b""
        if self._direct is None:
            super().on_headers_complete()
        self.headers = []  # the parser tells of trailers as it does of fields

    def on_body(self, body: bytes) -> None:
        self._moved = True
        self._head = 0
        if self._direct is None:
            super().on_body(body)
        elif self.scope["method"] == "POST":
            self._body += body

    def on_message_complete(self) -> None:
        self.waiting_since = None
        self._moved = True
        if len(self.headers) > MOST_FIELDS:
            self._too_large = True
            raise _Refused
        edge, self._direct = self._direct, None
        if edge is None:
            super().on_message_complete()
            return
        self._learning = edge, self.scope.copy()
        self._answer(edge, self.scope, self._body)

    def _learn(self, data: bytes, edge: Edge, scope: Any) -> None:
        """Keep the head of a request that came whole and alone."""
        size = data.find(b"\r\n\r\n") + 4
        if len(data) == size + len(self._body):
            scope[ALIKE] = Alike()
            self._known = _Known(data[:size], len(data), edge, scope)

    def _answer(self, edge: Edge, scope: Any, body: bytes) -> None:
        answer = edge.at_hand(scope, body)
        if isinstance(answer, bytes):
            self._write(answer)
            self.server_state.total_requests += 1
            self.idle_since = time.monotonic()
        elif answer is None:
            self._answer_in_task(edge, scope, body)
        else:
            place = _Asked()
            self.cycle = cast("Any", place)
            answer.when_settled(partial(self._go_on, edge, scope, body, place))

    def _go_on(self, edge: Edge, scope: Any, body: bytes, place: "_Asked") -> None:
        """A store has answered."""
        whole = edge.asked(scope)
        if whole is None:
            self._answer_in_task(edge, scope, body, place)
            return
        if not self.transport.is_closing():
            self._write(whole, is_last=not place.keep_alive)
        place.response_complete = True
        if self.pipeline:
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        if self.waiting_since is None:
            self.idle_since = time.monotonic()

    def _find_direct(self) -> Edge | None:
        """The edge, when it lets us answer this request, as soon as its body is whole; else it is an ordinary one. Not
        what waits for another request: each of a queue would be answered from within the end of the one before."""
        edge, parser = self._edge, self.parser
        if edge is None or not self._is_free or self.expect_100_continue or self.flow.write_paused or b"#" in self.url:
            return None
        if parser.get_http_version() != "1.1" or not parser.should_keep_alive() or parser.should_upgrade():
            return None
        raw_path, _, query = self.url.partition(b"?")
        scope: Any = self.scope
        scope["method"] = parser.get_method().decode("ascii")
        scope["path"] = raw_path.decode("latin-1")
        scope["raw_path"] = raw_path
        scope["query_string"] = query
        return edge if edge.is_direct(scope) else None

    @property
    def _is_free(self) -> bool:
        """Whether nothing is being answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _take_over(self, scope: Any, body: bytes) -> RequestResponseCycle:
        """Have uvicorn take over a request that was to be direct, with as much of its body as has come."""
        cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=True,
            on_response=self.on_response_complete,
        )
        cycle.body += body
        if self._is_free or isinstance(self.cycle, _Asked):
            self.cycle = cycle
        return cycle

    def _answer_in_task(self, edge: Edge, scope: Any, body: bytes, place: "_Asked | None" = None) -> None:
        cycle = self._take_over(scope, body)
        cycle.more_body = False
        if place is not None:
            cycle.keep_alive = place.keep_alive
        task = self.loop.create_task(self._answer_later(edge, cycle))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer_later(self, edge: Edge, cycle: RequestResponseCycle) -> None:
        whole = await edge.later(cast("Any", cycle.scope), bytes(cycle.body))
        if whole is None:
            super()._start_asgi_task(cycle, cast("Any", edge))
        elif not self.transport.is_closing():
            self._write(whole, is_last=not cycle.keep_alive)  # the server has begun to stop meanwhile
            cycle.response_started = cycle.response_complete = True
            self.on_response_complete()

    def _write(self, whole: bytes, *, is_last: bool = False) -> None:
        self.transport.write(b"".join((_OK, self._default_fields(), _CLOSE if is_last else b"", whole)))
        if is_last:
            self.transport.close()

    def _default_fields(self) -> bytes:
        """Those that uvicorn has for every answer, such as the date; it makes new ones each second."""
        cls, fields = HttpProtocol, self.server_state.default_headers
        if cls.fields is not fields:
            cls.fields, cls.rendered = fields, b"".join(b"%b: %b\r\n" % field for field in fields)
        return cls.rendered

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when parsing has ended."""
        if self._too_large:
            self.refuse(_TOO_LARGE)
        else:
            super().send_400_response(msg)

    def _size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def refuse(self, status: bytes) -> None:
        """Answer, when nothing is being answered yet, and hang up."""
        if not self.transport.is_closing():
            if self._is_free:
                self.transport.write(_REFUSAL % status)
            self.transport.close()

    def resume_writing(self) -> None:
        self.stalled_since = None
        super().resume_writing()


class _Known(NamedTuple):
    """A head after which a connection was answered directly, with what is known of any request that has it, and the
    bytes of the whole. At the same place the parser makes the same of the same bytes."""

    head: bytes
    size: int
    edge: Edge
    scope: Any


class _Asked:
    """Stands where uvicorn looks for the request that is being answered, while a store is asked about it."""

    response_complete = False
    keep_alive = True
    message_event = asyncio.Event()


async def drop_slow() -> None:
    """Hang up on every connection whose request has been coming for too long, on those that uvicorn does not know to be
    idle, and, without more ado, on those that do not read what they asked for."""
    now = time.monotonic()
    for connection in list(HttpProtocol.alive):
        if connection.waiting_since is not None and connection.waiting_since < now - SLOWEST_REQUEST:
            connection.refuse(b"408 Request Timeout")
        elif connection.idle_since is not None and connection.idle_since < now - connection.timeout_keep_alive:
            connection.timeout_keep_alive_handler()
        if not (connection.transport.is_closing() or connection.flow.write_paused):
            connection.stalled_since = None
        elif connection.stalled_since is None:
            connection.stalled_since = now
        elif connection.stalled_since < now - SLOWEST_REQUEST:
            connection.transport.abort()
