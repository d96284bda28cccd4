"""uvicorn's HTTP protocol with two things more: bounds on what may come before a request is whole, which uvicorn itself
does not have, and answers that are at hand, sent at once."""

import time
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.web.edge import Edge

LONGEST_HEAD = 32 * 1024
"""Bytes of request line and fields that may have come without the end of them."""

MOST_FIELDS = 100
SLOWEST_REQUEST = 30.0
"""Seconds from the first byte to the last; a proxy that buffers sends all at once."""

SWEEP_EVERY = 5
_OK = b"HTTP/1.1 200 OK\r\n"
_TOO_LARGE = b"431 Request Header Fields Too Large"
_REFUSAL = b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\ncache-control: no-store\r\n\r\n"


class _TooLarge(Exception):
    """Ends the parsing of a request."""


class HttpProtocol(HttpToolsProtocol):
    """One connection. `waiting_since` is when the request began that is not whole yet, None when there is none."""

    alive: ClassVar[set["HttpProtocol"]] = set()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.waiting_since: float | None = time.monotonic()
        self._begun = 0
        self._in_head = False
        self._head = 0
        self._chunk = 0
        self._seen = 0
        self._too_large = False
        self._edge = self.app if isinstance(self.app, Edge) else None
        self._is_first = False
        self._held: RequestResponseCycle | None = None

    def connection_made(self, transport: Any) -> None:
        self.alive.add(self)
        if self._edge is not None and self._edge.ports:
            self.app = self._edge = self._edge.ports.get(transport.get_extra_info("sockname")[1], self._edge)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes of a head that goes on: fields are told by the parser only when they are whole."""
        begun, in_head = self._begun, self._in_head
        self._chunk = len(data)
        self._seen += self._chunk
        super().data_received(data)
        if self._held is not None:  # the rest of its body is still to come
            held, self._held = self._held, None
            super()._start_asgi_task(held, cast("Any", self._edge))
        if in_head and self._in_head and begun == self._begun:
            self._head += self._chunk
            if self._head > LONGEST_HEAD:
                self.refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        self.waiting_since = time.monotonic()
        self._begun += 1
        self._in_head = True
        self._head = 0
        self._seen = self._chunk
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        if len(self.headers) > MOST_FIELDS or (self._seen > LONGEST_HEAD and self._size() > LONGEST_HEAD):
            self._too_large = True
            raise _TooLarge
        self._is_first = True
        super().on_headers_complete()
        self._is_first = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Answer here what the edge lets us: one write, and no task where the answer is at hand. Not what waited for
        another request: each of a queue would be answered from within the end of the one before."""
        is_plain = cycle.keep_alive and not (cycle.waiting_for_100_continue or self.flow.write_paused)
        is_ours = is_plain and self._is_first and self._edge is app
        edge = self._edge if is_ours else None
        if edge is None or not edge.is_direct(_scope(cycle)):
            super()._start_asgi_task(cycle, app)
        elif cycle.scope["method"] == "POST":
            self._held = cycle
        else:
            self._answer(edge, cycle)

    def on_message_complete(self) -> None:
        self.waiting_since = None
        super().on_message_complete()
        if self._held is not None and self._edge is not None:
            held, self._held = self._held, None
            self._answer(self._edge, held)

    def _answer(self, edge: Edge, cycle: RequestResponseCycle) -> None:
        whole = edge.at_hand(_scope(cycle), bytes(cycle.body))
        if whole is not None:
            self._send(cycle, whole)
            return
        task = self.loop.create_task(self._answer_later(edge, cycle))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer_later(self, edge: Edge, cycle: RequestResponseCycle) -> None:
        whole = await edge.later(_scope(cycle), bytes(cycle.body))
        if whole is None:
            super()._start_asgi_task(cycle, cast("Any", edge))
        elif not self.transport.is_closing():
            self._send(cycle, whole)

    def _send(self, cycle: RequestResponseCycle, whole: bytes) -> None:
        fields = [b"%b: %b\r\n" % field for field in cycle.default_headers]
        if not cycle.keep_alive:  # the server has begun to stop meanwhile
            fields.append(b"connection: close\r\n")
        self.transport.write(b"".join((_OK, *fields, whole)))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

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
            cycle: RequestResponseCycle | None = self.cycle
            if cycle is None or cycle.response_complete:
                self.transport.write(_REFUSAL % status)
            self.transport.close()


def _scope(cycle: RequestResponseCycle) -> dict[str, Any]:
    return cast("dict[str, Any]", cycle.scope)


async def drop_slow() -> None:
    """Hang up on every connection whose request has been coming for too long."""
    oldest = time.monotonic() - SLOWEST_REQUEST
    for connection in list(HttpProtocol.alive):
        if connection.waiting_since is not None and connection.waiting_since < oldest:
            connection.refuse(b"408 Request Timeout")
