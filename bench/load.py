"""A small HTTP/1.1 load client: keep-alive connections to loopback, one request in flight on each, no pipelining."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast

import httptools

Source = Callable[[int, bytes], bytes | None]
"""The next request of a connection, by its number and the body of the answer before (empty at first); None ends it."""

CONNECTIONS = 32
_PATIENCE = 10.0


@dataclass(slots=True)
class Slice:
    """What one burst of load gave. `latencies` are in seconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)


class UnexpectedAnswer(Exception):
    """The server answered something other than 200; what it said."""


class _Connection(asyncio.Protocol):
    def __init__(self, number: int, source: Source, until: float, latencies: list[float]) -> None:
        self._number = number
        self._source = source
        self._until = until
        self._latencies = latencies
        self._body = b""
        self._parser = httptools.HttpResponseParser(self)
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, problem: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(problem or UnexpectedAnswer("the server closed the connection"))

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._latencies.append(perf_counter() - self._asked_at)
        status = self._parser.get_status_code()
        if status == 200:
            self._ask()
        else:
            self._end(UnexpectedAnswer(f"{status} {self._body[:300]!r}"))

    def _ask(self) -> None:
        request = self._source(self._number, self._body)  # the last answer is taken in too, though nothing follows it
        self._asked_at = perf_counter()
        if request is None or (self._body and self._asked_at >= self._until):  # once at least
            self._end()
        else:
            self._transport.write(request)

    def _end(self, problem: Exception | None = None) -> None:
        if not self.ended.done():
            self.ended.set_exception(problem) if problem else self.ended.set_result(None)
        self._transport.close()


async def load(port: int, source: Source, *, seconds: float, connections: int = CONNECTIONS) -> Slice:
    """Keep every connection busy until the time is over or its source ends.

    Raises `UnexpectedAnswer`, `TimeoutError`.
    """
    done = Slice()
    loop = asyncio.get_running_loop()
    began = perf_counter()
    opened = [
        await loop.create_connection(
            lambda number=number: _Connection(number, source, began + seconds, done.latencies), "127.0.0.1", port
        )
        for number in range(connections)
    ]
    async with asyncio.timeout(seconds + _PATIENCE):
        await asyncio.gather(*(connection.ended for _, connection in opened))
    done.seconds = perf_counter() - began
    return done


def request(
    path: str, *, method: str = "GET", body: bytes = b"", kind: str = "application/json", **fields: str
) -> bytes:
    """The bytes of one request; `authorization="…"` becomes a field, `kind` is the type of the body."""
    named = {"host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in fields.items()}}
    if body:
        named |= {"content-type": kind, "content-length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def same(what: bytes) -> Source:
    """The same request again and again."""
    return lambda _number, _body: what


def each_once(requests: list[bytes]) -> Source:
    """Each request once, by whichever connection is free; it empties the list."""
    return lambda _number, _body: requests.pop() if requests else None
