"""What may come before a request is whole: how much, how many, how long; and answers that are sent at once. uvicorn's
server, a small application."""

import asyncio
import random
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.cli import http_protocol
from service.cli.http_protocol import LONGEST_HEAD, MOST_FIELDS, HttpProtocol, drop_slow
from service.pending import Pending
from service.protocol.errors import InvalidToken
from service.web.edge import ALIKE, Alike, Edge, Rendered, Rendering

pytestmark = pytest.mark.anyio
PLAIN = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
WAIT = 0.05
HOT = b"GET /hot HTTP/1.1\r\nHost: a\r\nX-Request-ID: r\r\n\r\n"


def posted(body: bytes, *, declared: int | None = None) -> bytes:
    head = b"POST /hot HTTP/1.1\r\nHost: a\r\nX-Request-ID: r\r\nContent-Length: %d\r\n\r\n"
    return head % (len(body) if declared is None else declared) + body


WAITING = {b"wait": b"hot later wait", b"ask": b"hot asked ask", b"ask, wait": b"hot in time hot asked ask, wait"}
"""What is not answered at once, and the answers."""


class Hot:
    """Has its answer at hand, unless the body says otherwise; says how it came to the body."""

    methods = ("GET", "POST")
    render = Rendering([(b"content-type", b"text/plain")], secure=False)

    def at_hand(self, scope: Scope, body: bytes) -> Rendered | Pending[Rendered] | None:
        if body == b"broken":
            raise RuntimeError("whatever it is")
        if body.startswith(b"ask"):
            return self.asked(body)
        return None if body in (b"wait", b"refused") else self.render(b"hot" + body)

    def asked(self, body: bytes) -> Pending[Rendered]:
        """Something that a store answers after a while, with more or less ado."""
        asked: Pending[bytes] = Pending()
        asyncio.get_running_loop().call_later(WAIT, asked.settle, b"hot asked ")

        def make(told: bytes) -> Rendered | None:
            if body == b"ask, refused":
                raise InvalidToken
            return None if body == b"ask, wait" else self.render(told + body)

        async def otherwise(told: bytes) -> Rendered:
            await asyncio.sleep(WAIT)
            if body == b"ask, refused":
                raise InvalidToken
            return self.render(b"hot in time " + told + body)

        return asked.then(make, otherwise)

    async def answer(self, scope: Scope, body: bytes) -> Rendered:
        if body == b"refused":
            raise InvalidToken
        await asyncio.sleep(WAIT if body == b"wait" else 0)
        return self.render(b"hot" if scope["method"] == "GET" else b"hot later " + body)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body, and answers with its size; at `/early` does not read it."""
    size, more = 0, scope["path"] != "/early"
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = str(size).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    await send({"type": "http.response.body", "body": body})


class Told(list[tuple[str, str, int]]):
    """What a watch was told; `names` are those of the fields of each request, `alike` what it had in common with the
    one before. Each scope is marked, and `marked` says which were before."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[list[bytes]] = []
        self.alike: list[Alike | None] = []
        self.marked: list[bool] = []

    def answered(self, scope: Scope, method: str, route: str, status: int, began: float) -> None:
        self.names.append([name for name, _ in scope["headers"]])
        self.alike.append(scope.get(ALIKE))
        self.marked.append("mark" in scope)
        scope["mark"] = True
        self.append((method, route, status))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def port(told: Told) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        edge = Edge(application, hot={"/hot": Hot()}, secure=False, max_body=1_000_000, watches=[told])
        config = uvicorn.Config(
            edge,
            http=HttpProtocol,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            log_config=None,
            timeout_graceful_shutdown=5,  # a connection that a failed test left behind must not keep the whole run
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await serving
    assert HttpProtocol.alive == set()


async def answer_to(port: int, *parts: bytes) -> bytes:
    """Everything that comes back until the server hangs up, or has been silent for a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02)
        while part := await asyncio.wait_for(reader.read(65_536), 0.5):
            answer += part
    except (TimeoutError, ConnectionError):
        pass
    writer.close()
    return answer


async def test_ordinary_requests_pass_one_after_the_other_and_pipelined(port: int) -> None:
    posted = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
    answer = await answer_to(port, posted + PLAIN[:20], PLAIN[20:] + PLAIN)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert b"\r\n\r\n200000HTTP/1.1" in answer


async def test_each_answer_is_told_once_also_when_nobody_waits_for_it_any_more(port: int, told: Told) -> None:
    def posted(body: bytes) -> bytes:
        return b"POST /hot HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    await answer_to(port, HOT + HOT + PLAIN, posted(b"wait"), posted(b"refused"), posted(b"broken"))
    got, post = ("GET", "/hot", 200), ("POST", "/hot", 200)
    assert told == [got, got, ("GET", "unmatched", 200), post, ("POST", "/hot", 401), post]
    told.clear()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(posted(b"wait"))
    await writer.drain()
    await asyncio.sleep(WAIT / 3)
    writer.close()
    await asyncio.sleep(WAIT * 2)
    assert told == [post]
    told.clear()
    await answer_to(port, b"nonsense\r\n\r\n", b"x" * 100_000)
    assert told == [], "what is no request is nobody's"


async def test_a_head_that_ends_and_another_that_begins_are_counted_apart(port: int) -> None:
    posted = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50_000
    answer = await answer_to(port, posted[:20], posted[20:] + PLAIN[:20], PLAIN[20:])
    assert answer.count(b"HTTP/1.1 200 OK") == 2


async def test_a_request_line_and_fields_at_the_bound_pass_and_above_are_refused(port: int) -> None:
    def request(fields: int, size: int) -> bytes:
        head = [b"GET / HTTP/1.1", b"Host: a", *[b"F%d: x" % number for number in range(fields - 2)]]
        used = sum(len(name) + len(value) for name, _, value in (line.partition(b": ") for line in head[1:])) + len(
            "/B"
        )
        return b"\r\n".join([*head, b"B: " + b"x" * (size - used), b"", b""])

    assert (await answer_to(port, request(MOST_FIELDS, LONGEST_HEAD))).startswith(b"HTTP/1.1 200")
    for refused in (request(MOST_FIELDS + 1, 4_000), request(10, LONGEST_HEAD + 1), request(5_000, 100_000)):
        answer = await answer_to(port, refused + PLAIN)
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert answer.count(b"HTTP/1.1") == 1


async def test_a_field_that_never_ends_is_cut_off(port: int) -> None:
    answer = await answer_to(port, b"GET / HTTP/1.1\r\nHost: a\r\nF: ", *[b"x" * 9_000] * 4)
    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("begun", [b"", PLAIN[:10], b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"])
async def test_a_request_that_takes_too_long_is_cut_off(
    port: int, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = asyncio.create_task(answer_to(port, begun))
    await asyncio.sleep(0.2)
    await drop_slow()
    assert len(HttpProtocol.alive) == 1
    monkeypatch.setattr(http_protocol, "SLOWEST_REQUEST", 0.1)
    await drop_slow()
    answer = await asking
    assert answer == b"" if begun.endswith(b"ab") else answer.startswith(b"HTTP/1.1 408 ")


async def test_a_connection_that_waits_between_requests_is_left_alone(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(PLAIN)
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.2)
        monkeypatch.setattr(http_protocol, "SLOWEST_REQUEST", 0.1)
        await drop_slow()
    writer.close()


async def test_what_is_at_hand_is_sent_at_once_and_is_the_same(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = await answer_to(port, HOT)
    monkeypatch.setattr(Hot, "at_hand", lambda *_: None)
    assert at_once == await answer_to(port, HOT)
    assert at_once.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
    assert at_once.endswith(b"x-request-id: r\r\n\r\nhot")


@pytest.mark.parametrize("last", [HOT, posted(b"ask")])
async def test_a_connection_that_was_answered_without_uvicorn_is_kept_for_as_long_as_any(
    port: int, last: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(HOT)
        assert (await reader.readuntil(b"\r\n\r\nhot")).startswith(b"HTTP/1.1 200")
        await drop_slow()
    [connection] = HttpProtocol.alive
    for waiting, answer in WAITING.items():
        monkeypatch.setattr(connection, "timeout_keep_alive", 0)
        writer.write(posted(waiting))
        await asyncio.sleep(WAIT / 2)
        await drop_slow()  # not while it is being answered
        connection.timeout_keep_alive = 60
        assert (await reader.readuntil(answer)).startswith(b"HTTP/1.1 200")
    writer.write(last)
    await reader.readuntil(b"\r\n\r\nhot" if last == HOT else WAITING[b"ask"])
    connection.timeout_keep_alive = 0
    await drop_slow()
    assert await reader.read() == b""
    writer.close()


CHUNKED = b"POST /hot HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"


@pytest.mark.spec("RFC 9110 §6.5.1")
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("path", [b"/hot", b"/"])
async def test_what_stands_in_trailers_is_no_field(port: int, told: Told, path: bytes, apart: bool) -> None:
    head = CHUNKED.replace(b"/hot", path)
    trailers = b"X-Forwarded-For: 10.0.0.1\r\nX-Request-ID: from-a-trailer\r\n\r\n"
    answer = await answer_to(port, *((head, trailers) if apart else (head + trailers,)))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"from-a-trailer" not in answer
    assert told.names
    assert all(names == [b"host", b"transfer-encoding"] for names in told.names)


@pytest.mark.parametrize(
    "trailers",
    [
        [b"a: b\r\n" * (MOST_FIELDS + 2)],
        [b"a: b\r\n" * (MOST_FIELDS + 1) + b"\r\n"],
        [b"a: " + b"x" * LONGEST_HEAD, b"x", b"x"],
        [b"x" * 20_000] * 3,
    ],
)
async def test_trailers_have_the_bounds_of_fields(port: int, trailers: list[bytes]) -> None:
    answer = await answer_to(port, CHUNKED, *trailers)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))
    assert HttpProtocol.alive == set()


async def test_a_body_of_small_chunks_is_no_head(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await answer_to(port, head, *[b"1\r\nx\r\n" * 4_000] * 3, b"0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n12000")


@pytest.mark.parametrize("asked", [HOT, PLAIN])
async def test_an_empty_line_between_requests_keeps_no_connection(
    port: int, asked: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asked + b"\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\r\n")
    await asyncio.sleep(0.05)
    [connection] = HttpProtocol.alive
    assert connection.idle_since is not None
    monkeypatch.setattr(connection, "timeout_keep_alive", 0)
    await drop_slow()
    assert (await reader.read()) in (b"", b"0", b"hot")
    writer.close()


async def test_an_ordinary_request_behind_one_that_was_answered_at_once_is_not_idle(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HOT + b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1")
    await reader.readuntil(b"\r\n\r\nhot")
    [connection] = HttpProtocol.alive
    monkeypatch.setattr(connection, "timeout_keep_alive", 0)
    await drop_slow()
    writer.write(b"2")
    assert (await reader.readuntil(b"\r\n\r\n2")).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_who_does_not_read_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    writer.write(HOT * 20_000)  # more than any socket holds of answers
    await asyncio.sleep(0.3)
    await drop_slow()
    [connection] = HttpProtocol.alive
    assert connection.stalled_since is not None
    monkeypatch.setattr(http_protocol, "SLOWEST_REQUEST", 0.0)
    connection.waiting_since = None
    await drop_slow()
    await asyncio.sleep(0.05)
    assert HttpProtocol.alive == set()
    writer.transport.abort()


async def test_who_reads_slowly_is_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    writer.write(HOT * 20_000)
    await asyncio.sleep(0.3)
    await drop_slow()
    [connection] = HttpProtocol.alive
    assert connection.stalled_since is not None
    while connection.flow.write_paused:
        await reader.read(65_536)
    assert connection.stalled_since is None
    writer.transport.abort()  # what was not sent yet would be waited for by both, a server that stops too


async def test_answers_come_in_the_order_of_their_requests(port: int) -> None:
    posted = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    answer = await answer_to(port, HOT * 3 + posted + HOT * 2_000 + posted + HOT)
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK\r\n")]
    assert bodies == [b"", *[b"hot"] * 3, b"3", *[b"hot"] * 2_000, b"3", b"hot"]


@pytest.mark.parametrize(
    ("line", "fields", "status", "closes"),
    [
        (b"GET /hot HTTP/1.0", b"", 200, True),
        (b"GET /hot HTTP/1.1", b"Connection: close\r\n", 200, True),
        (b"GET /hot HTTP/1.1", b"Expect: 100-continue\r\nContent-Length: 3\r\n", 200, False),
        (b"GET /hot HTTP/1.1", b"Content-Length: 3\r\n", 200, False),
        (b"HEAD /hot HTTP/1.1", b"", 200, False),
    ],
)
async def test_an_unusual_request_for_what_is_at_hand(
    port: int, line: bytes, fields: bytes, status: int, closes: bool
) -> None:
    body = b"abc" if b"Length" in fields else b""
    answer = await answer_to(port, line + b"\r\nHost: a\r\n" + fields + b"\r\n" + body + PLAIN)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1 200 OK") == (1 if closes else 2)
    assert (b"\r\n\r\nhot" in answer) is not line.startswith(b"HEAD")
    assert b"hotabc" not in answer


async def test_a_connection_that_is_answered_at_once_can_be_ended_in_good_order(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HOT)
    assert (await reader.readuntil(b"\r\n\r\nhot")).startswith(b"HTTP/1.1 200")
    for connection in list(HttpProtocol.alive):
        connection.shutdown()
    assert await reader.read() == b""
    writer.close()


def bodies_of(answer: bytes) -> list[bytes]:
    assert answer.count(b"HTTP/1.1 ") == answer.count(b"HTTP/1.1 200 OK\r\n")
    return [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK\r\n")[1:]]


async def test_a_form_that_comes_whole_is_answered_at_once_and_any_other_in_its_turn(port: int) -> None:
    whole, waiting, broken = posted(b"abc"), posted(b"wait"), posted(b"broken")
    assert bodies_of(await answer_to(port, whole)) == [b"hotabc"]
    sizes = range(1, len(whole))
    answers = await asyncio.gather(*(answer_to(port, whole[:size], whole[size:] + HOT) for size in sizes))
    for size, answer in zip(sizes, answers, strict=True):
        in_head = size < whole.index(b"\n\r\n") + 3
        assert bodies_of(answer) == [b"hotabc" if in_head else b"hot later abc", b"hot"], size
    answer = await answer_to(port, whole + waiting + whole + broken + HOT + whole)
    assert bodies_of(answer) == [
        b"hotabc",
        b"hot later wait",
        b"hot later abc",
        b"hot later broken",
        b"hot",
        b"hot later abc",
    ]


async def test_what_comes_behind_what_waits_keeps_its_turn(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for first in WAITING:
        answer = await answer_to(port, posted(first) + posted(b"wait") + HOT, PLAIN)
        assert bodies_of(answer) == [WAITING[first], b"hot later wait", b"hot", b"0"], first
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(posted(b"ask") + HOT[:9])
    await reader.readuntil(WAITING[b"ask"])
    [connection] = HttpProtocol.alive
    monkeypatch.setattr(connection, "timeout_keep_alive", 0)
    await drop_slow()  # a request that is coming is not idleness
    writer.write(HOT[9:])
    assert (await reader.readuntil(b"\r\n\r\nhot")).startswith(b"HTTP/1.1 200")
    writer.close()


@pytest.mark.parametrize(
    ("waiting", "refused_too"), [*zip(WAITING, (b"refused", b"refused", b"ask, refused"), strict=True)]
)
async def test_what_waits_is_answered_in_its_turn_and_refused_with_the_same_id(
    port: int, told: Told, waiting: bytes, refused_too: bytes
) -> None:
    answer = await answer_to(port, posted(waiting) + HOT + PLAIN)
    assert bodies_of(answer) == [WAITING[waiting], b"hot", b"0"]
    assert told == [("POST", "/hot", 200), ("GET", "/hot", 200), ("GET", "unmatched", 200)]
    apart = await answer_to(port, posted(waiting), HOT[:9], HOT[9:] + posted(b"abc", declared=5), b"de")
    assert bodies_of(apart) == [WAITING[waiting], b"hot", b"hot later abcde"]
    refused, _, after = (await answer_to(port, posted(refused_too), HOT)).partition(b"HTTP/1.1 200 OK\r\n")
    assert refused.startswith(b"HTTP/1.1 401 ")
    assert b"x-request-id: r\r\n" in refused
    assert b'"request_id": "r"' in refused
    assert after.endswith(b"hot")


class Spied:
    """A transport that notes what is written to it."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.wrote: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.wrote.append(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


@pytest.mark.parametrize("waiting", WAITING)
async def test_a_caller_who_hangs_up_while_an_answer_waits_disturbs_nobody(
    port: int, told: Told, waiting: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(posted(waiting))
    await asyncio.sleep(WAIT / 5)
    [connection] = HttpProtocol.alive
    spied = Spied(connection.transport)
    monkeypatch.setattr(connection, "transport", spied)
    writer.close()
    assert await reader.read() == b""
    await asyncio.sleep(3 * WAIT)
    assert told == [("POST", "/hot", 200)]
    assert spied.wrote == []  # uvloop raises where nothing can be written any more
    assert bodies_of(await answer_to(port, posted(waiting))) == [WAITING[waiting]]


@pytest.mark.parametrize("waiting", WAITING)
async def test_a_server_that_stops_sends_the_answer_that_waits_and_says_that_it_was_the_last(
    port: int, waiting: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(posted(waiting))
    await asyncio.sleep(WAIT / 5)
    for connection in list(HttpProtocol.alive):
        connection.shutdown()
    answer = await reader.read()
    assert bodies_of(answer) == [WAITING[waiting]]
    assert b"\r\nconnection: close\r\n" in answer
    writer.close()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What uvicorn's parser was given, part by part."""
    given: list[bytes] = []
    parse = HttpToolsProtocol.data_received

    def noting(self: HttpToolsProtocol, data: bytes) -> None:
        given.append(data)
        parse(self, data)

    monkeypatch.setattr(HttpToolsProtocol, "data_received", noting)
    return given


async def test_requests_with_one_head_have_the_id_that_they_bring_or_each_its_own(port: int) -> None:
    own, twice = (
        HOT.replace(b"X-Request-ID: r\r\n", b""),
        HOT.replace(b"X-Request-ID: r", b"X-Request-ID:\r\nX-Request-ID: r"),
    )
    ids = re.findall(rb"x-request-id: ([^\r]+)", await answer_to(port, *[own] * 4, *[HOT] * 3, *[twice] * 3, own))
    assert len({*ids[:4], *ids[10:]}) == 5
    assert ids[4:10] == [b"r"] * 6


async def test_a_head_that_came_before_is_not_read_again(port: int, told: Told, read: list[bytes]) -> None:
    first, second = posted(b"abc"), posted(b"xyz")
    answer = await answer_to(port, HOT, HOT, first, second, first, first + b"\r\n", first, HOT, HOT)
    assert bodies_of(answer) == [b"hot", b"hot", b"hotabc", b"hotxyz", *[b"hotabc"] * 3, b"hot", b"hot"]
    assert read == [HOT, first, first + b"\r\n", first, HOT]
    assert told.marked == [False] * 9
    assert [alike is None for alike in told.alike] == [True, False, True, False, False, True, True, True, False]
    assert told.alike[3] is told.alike[4]
    assert len({id(alike) for alike in told.alike if alike is not None}) == 3
    assert told.names[0] == told.names[1] == [b"host", b"x-request-id"]


LONG = b"GET /hot HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"


@pytest.mark.spec("HTTP-10")
@pytest.mark.parametrize(
    ("parts", "bodies"),
    [
        ([HOT, posted(b"", declared=len(HOT)), HOT, HOT], [b"hot", b"hot later " + HOT, b"hot"]),
        ([posted(b"abc"), posted(b"", declared=3), b"xyz"], [b"hotabc", b"hot later xyz"]),
        ([posted(b"abc"), posted(b"ab", declared=3), b"c" + posted(b"abc")], [b"hotabc", *[b"hot later abc"] * 2]),
        ([HOT, HOT.replace(b"/hot", b"/not"), HOT], [b"hot", b"0", b"hot"]),
        ([HOT, HOT[:30], HOT[30:], HOT], [b"hot"] * 3),
        ([HOT, HOT[:30], HOT[30:] + HOT, HOT], [b"hot"] * 4),
        ([HOT, HOT + HOT, HOT + PLAIN + HOT, HOT], [b"hot", b"hot", b"hot", b"hot", b"0", b"hot", b"hot"]),
        ([HOT, b"\r\n", HOT, b"\r\n" + HOT, HOT], [b"hot"] * 4),
        ([LONG] * 3 + [HOT], [b"hot"] * 4),
        ([CHUNKED + b"\r\n"] * 3 + [HOT], [b"hotabc"] * 3 + [b"hot"]),
        ([posted(b"ask"), posted(b"abc") + HOT], [b"hot asked ask", b"hot later abc", b"hot"]),
        ([posted(b"ask")] * 3, [b"hot asked ask", b"hot later ask", b"hot later ask"]),
    ],
)
async def test_what_only_looks_like_a_request_that_came_before_is_read(
    port: int, parts: list[bytes], bodies: list[bytes]
) -> None:
    assert bodies_of(await answer_to(port, *parts)) == bodies


CHUNKS = b"POST /hot HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.spec("HTTP-10")
@pytest.mark.parametrize(
    "malformed",
    [
        CHUNKS + b"Content-Length: 3\r\n\r\n0\r\n\r\n",
        b"POST /hot HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /hot HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"POST /hot HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /hot HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        b"POST /hot HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc",
        CHUNKS + b"\r\nx\r\nabc\r\n0\r\n\r\n",
        CHUNKS + b"\r\n3\r\nabcd\r\n0\r\n\r\n",
        CHUNKS + b"\r\n-3\r\nabc\r\n0\r\n\r\n",
        b"POST /hot HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"GET /hot HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
        b"GET /hot HTTP/1.1\r\nHost: a\r\nX-One : b\r\n\r\n",
        b"GET /hot HTTP/1.1\r\nHost: a\r\nX-One: \x00\r\n\r\n",
        b"GET /hot HTTP/1.1\r\nHost: a\r\nX-O\x00ne: b\r\n\r\n",
        b"GET /hot HTTP/1.1\nHost: a\n\n",
        b"GET /hot\r\n\r\n",
        b"GET /hot HTTP/1.1\r\nHost: a\r\nX-One: " + b"a" * LONGEST_HEAD + b"\r\n\r\n",
        b"GET /hot HTTP/1.1\r\nHost: a\r\n" + b"X-One: a\r\n" * 2_000 + b"\r\n",
    ],
)
@pytest.mark.parametrize("before", [b"", HOT])
async def test_what_could_be_read_in_two_ways_is_refused_once(port: int, malformed: bytes, before: bytes) -> None:
    answer = await answer_to(port, *([before] if before else []), malformed + HOT, HOT)
    assert answer.count(b"HTTP/1.1 200 OK") == (1 if before else 0)
    assert answer.count(b"HTTP/1.1 4") == 1
    assert answer.count(b"HTTP/1.1 ") == (2 if before else 1)


@pytest.mark.spec("HTTP-10")
async def test_the_rest_of_a_body_is_no_part_of_a_head_that_is_known_again(port: int) -> None:
    early = b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"
    answer = await answer_to(port, early, b"cde" + HOT, b"cde" + HOT)
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"400"]


async def test_who_does_not_read_gets_no_answer_to_a_head_that_came_before(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(HOT)
        await reader.readuntil(b"\r\n\r\nhot")
    [connection] = HttpProtocol.alive
    connection.flow.pause_writing()
    writer.write(HOT)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.1)
    connection.flow.resume_writing()
    assert (await reader.readuntil(b"\r\n\r\nhot")).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_however_requests_come_each_has_its_answer(port: int) -> None:
    chances = random.Random(7)
    kinds = [
        HOT,
        HOT,
        HOT,
        posted(b"abc"),
        posted(b"abc"),
        posted(b"xyz"),
        CHUNKED + b"\r\n",
        PLAIN,
        LONG,
        posted(b"ask"),
    ]
    told = {HOT: b"hot", LONG: b"hot", PLAIN: b"0", posted(b"xyz"): b"hotxyz", posted(b"ask"): b"hotask"}

    async def conversation() -> None:
        requests = [chances.choice(kinds) for _ in range(12)]
        parts: list[bytes] = []
        for request in requests:
            cut = chances.choice([0, 0, 0, chances.randrange(len(request)), len(request) - 1])
            joined = parts.pop() if parts and chances.random() < 0.2 else b""
            parts += [part for part in (joined + request[:cut], request[cut:]) if part]
        answer = await answer_to(port, *parts)
        bodies = [body.replace(b" asked ", b"").replace(b" later ", b"") for body in bodies_of(answer)]
        assert bodies == [told.get(request, b"hotabc") for request in requests], parts

    await asyncio.gather(*(conversation() for _ in range(40)))


async def test_a_connection_that_speaks_again_is_not_idle_while_it_is_answered(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(4):
        writer.write(posted(b"wait"))
        for connection in HttpProtocol.alive:
            monkeypatch.setattr(connection, "timeout_keep_alive", WAIT / 2)
        await reader.readuntil(WAITING[b"wait"])
        assert HttpProtocol.alive, number
    writer.close()


async def test_a_form_whose_body_never_comes_leaves_nothing_behind(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(posted(b"ab", declared=5))
    await asyncio.sleep(0.05)
    writer.close()
    assert await reader.read() == b""
    assert bodies_of(await answer_to(port, posted(b"abc"))) == [b"hotabc"]


async def test_a_form_in_chunks_is_read_whole(port: int) -> None:
    head = b"POST /hot HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert bodies_of(await answer_to(port, head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")) == [b"hotabcde"]
    assert bodies_of(await answer_to(port, head + b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")) == [b"hot later abcde"]
