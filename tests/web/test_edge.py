"""The outermost layer over applications that misbehave, and over the shipped one."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.testing import capture_logs

from service.protocol.errors import InvalidToken, StoreUnavailable
from service.web.edge import Edge, HotEndpoint, Rendered, Rendering
from tests.web.running import Web, as_served, assert_problem

pytestmark = pytest.mark.anyio
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
BODY = {"type": "http.response.body", "body": b"ok"}


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    await send({**START})
    await send({**BODY})


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the password of the database is hunter2")


async def broken_half_way(scope: Scope, receive: Receive, send: Send) -> None:
    await send({**START})
    raise RuntimeError("hunter2")


async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
    raise StoreUnavailable("sql", retry_after=timedelta(seconds=7), detail="hunter2")


async def refusing_half_way(scope: Scope, receive: Receive, send: Send) -> None:
    await send({**START})
    raise InvalidToken(detail="too late")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    length = 0
    while True:
        message = await receive()
        length += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    said = f"{scope['method']} {length}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
    await send({"type": "http.response.body", "body": said})


def edge(app: ASGIApp = fine, *, hot: dict[str, HotEndpoint] | None = None, secure: bool = True) -> Edge:
    return Edge(app, hot=hot or {}, secure=secure, max_body=1_000)


async def ask(asked: Edge, method: str = "GET", path: str = "/", **more: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(asked), base_url="http://test") as client:
        return await client.request(method, path, **more)


async def sent(asked: Edge, **scope: Any) -> list[dict[str, Any]]:
    """Every message that goes out, as a server sees it."""
    messages: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    whole = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", **scope}
    await asked(whole, receive, send)
    return messages


@pytest.mark.parametrize("given", ["a", "7f3c-1", "A.b_c-9", "x" * 64])
async def test_a_plain_request_id_is_kept(given: str) -> None:
    answer = await ask(edge(broken), headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == given


@pytest.mark.spec("LOGIN-13")
@pytest.mark.parametrize(
    "given", ["", " ", "x" * 65, "a b", "a\tb", 'a"b', "a<b>", "a/b", "é", "a;b", "a\x1b[31m", "a,b"]
)
async def test_any_other_is_replaced(given: str) -> None:
    answer = await ask(edge(broken), headers={b"X-Request-ID": given.encode()})
    made = answer.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", made)
    assert answer.json()["request_id"] == made


async def test_of_several_ids_the_first_plain_one_counts_and_made_ones_are_never_the_same() -> None:
    both = edge()
    answer = await ask(both, headers=[("X-Request-ID", "a b"), ("X-Request-ID", "good"), ("X-Request-ID", "other")])
    assert answer.headers.get_list("x-request-id") == ["good"]
    made = [(await ask(one)).headers["x-request-id"] for one in (both, edge(), both, edge())]
    assert len(set(made)) == 4


async def test_an_unforeseen_exception_is_a_problem_without_a_trace_and_a_log_line_with_one() -> None:
    with capture_logs() as lines:
        answer = await ask(edge(broken), path="/reports", headers={"X-Request-ID": "r1"})
    assert_problem(answer, 500, "internal_error")
    assert "hunter2" not in answer.text
    assert "RuntimeError" not in answer.text
    assert "Traceback" not in answer.text
    assert [(line["event"], line["log_level"], line["path"]) for line in lines] == [("unforeseen", "error", "/reports")]


@pytest.mark.parametrize("app", [broken_half_way, refusing_half_way])
async def test_an_answer_that_has_begun_is_not_begun_again(app: ASGIApp) -> None:
    messages = await sent(edge(app))
    assert [message["type"] for message in messages] == ["http.response.start"]
    assert messages[0]["status"] == 200


async def test_a_refusal_that_reaches_the_edge_is_answered_as_anywhere() -> None:
    answer = await ask(edge(refusing))
    assert_problem(answer, 503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "7"
    assert "hunter2" not in answer.text


async def test_a_caller_who_leaves_ends_the_request() -> None:
    async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await sent(edge(cancelled))


class Hot:
    """Answers ok, or with what goes wrong; a path of `/now` has it at hand."""

    methods = ("GET",)

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.ok = Rendering([(b"content-type", b"text/plain")], secure=True)(b"ok")

    def at_hand(self, scope: Scope, body: bytes) -> Rendered | None:
        if self.error is not None:
            raise self.error
        return self.ok if scope["path"] == "/now" else None

    async def answer(self, scope: Scope, body: bytes) -> Rendered:
        if self.error is not None:
            raise self.error
        return self.ok


async def test_a_hot_endpoint_is_under_the_same_net() -> None:
    bad, refused = Hot(RuntimeError("hunter2")), Hot(InvalidToken(detail="hunter2"))
    asked = edge(broken, hot={"/good": Hot(), "/bad": bad, "/refused": refused})
    answer = await ask(asked, path="/good")
    assert (answer.status_code, answer.text) == (200, "ok")
    assert_carries_all(answer, secure=True)
    assert_problem(await ask(asked, path="/bad"), 500, "internal_error")
    assert_problem(await ask(asked, path="/refused"), 401, "invalid_token")
    assert_problem(await ask(asked, path="/good/"), 500, "internal_error")  # not hot


async def test_what_is_at_hand_is_the_same_answer_but_for_its_id() -> None:
    asked = edge(hot={"/now": Hot(), "/good": Hot(), "/bad": Hot(RuntimeError("hunter2"))})
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(as_served(asked)), base_url="http://test") as client:
        at_hand, waited = await client.get("/now"), await client.get("/good")
    assert at_hand.text == waited.text == "ok"
    assert at_hand.headers.pop("x-request-id") != waited.headers.pop("x-request-id")
    assert at_hand.headers.multi_items() == waited.headers.multi_items()
    for path, method, is_direct in (("/good", "GET", True), ("/", "GET", False), ("/now", "POST", False)):
        assert asked.is_direct({"method": method, "path": path, "headers": []}) is is_direct
    for path, body in (("/good", b""), ("/bad", b""), ("/now", b"x" * 1_001)):
        assert asked.at_hand({"method": "GET", "path": path, "headers": []}, body) is None
    given = asked.at_hand({"method": "GET", "path": "/now", "headers": [(b"x-request-id", b"mine")]}, b"")
    assert given is not None
    assert given.endswith(b"\r\nx-request-id: mine\r\n\r\nok")


async def test_what_fails_when_it_is_asked_directly_is_answered_in_the_ordinary_way() -> None:
    asked = edge(broken, hot={"/bad": Hot(RuntimeError("hunter2")), "/refused": Hot(InvalidToken(detail="hunter2"))})
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(as_served(asked)), base_url="http://test") as client:
        assert_problem(await client.get("/bad"), 500, "internal_error")
        refused = await client.get("/refused", headers={"X-Request-ID": "mine"})
    assert_problem(refused, 401, "invalid_token")
    assert refused.headers["x-request-id"] == refused.json()["request_id"] == "mine"


async def test_a_body_that_is_too_large_is_refused_either_way() -> None:
    class Posted(Hot):
        methods = ("POST",)

    asked = edge(hot={"/posted": Posted()})
    for app in (asked, as_served(asked)):
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
            assert (await client.post("/posted", content=b"x" * 1_000)).text == "ok"
            assert_problem(await client.post("/posted", content=b"x" * 1_001), 413, "body_too_large")


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b=c", b"a\nb", b"a\0b", b"\x7f"])
def test_a_value_that_would_end_its_line_is_never_rendered(value: bytes) -> None:
    with pytest.raises(ValueError, match="control"):
        Rendering([(b"x-auth-subject", value)], secure=True)


def assert_carries_all(answer: httpx2.Response, *, secure: bool) -> None:
    """The fields of every answer, each once."""
    expected = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "strict-transport-security": "max-age=63072000; includeSubDomains" if secure else None,
    }
    for name, value in expected.items():
        assert answer.headers.get_list(name) == ([] if value is None else [value]), name
    for name in ("x-request-id", "cache-control", "content-security-policy"):
        assert len(answer.headers.get_list(name)) == 1, name
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers


@pytest.mark.spec("HTTP-12")
@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize("app", [fine, broken, refusing])
async def test_every_answer_carries_the_same_fields(app: ASGIApp, secure: bool) -> None:
    answer = await ask(edge(app, secure=secure))
    assert_carries_all(answer, secure=secure)
    assert answer.headers["cache-control"] == "no-store"


async def test_what_an_answer_says_of_itself_is_kept() -> None:
    async def own(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"cache-control", b"public, max-age=300"), (b"content-security-policy", b"default-src 'self'")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({**BODY})

    async def none(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    answer = await ask(edge(own))
    assert answer.headers.get_list("cache-control") == ["public, max-age=300"]
    assert answer.headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert_carries_all(await ask(edge(none)), secure=True)


@pytest.mark.spec("BEA-13")
async def test_head_is_get_without_the_body() -> None:
    for app, status in ((echo, 200), (broken, 500), (refusing, 503)):
        get, head = await ask(edge(app)), await ask(edge(app), "HEAD")
        assert (get.status_code, head.status_code, head.content) == (status, status, b"")
        assert head.headers.keys() == get.headers.keys()
    assert (await ask(edge(echo), "HEAD")).headers["content-length"] == str(len("GET 0"))
    scope = {"method": "HEAD"}
    [_, body] = await sent(edge(fine), **scope)
    assert (body["body"], scope) == (b"", {"method": "HEAD"})


@pytest.mark.spec("BEA-14")
async def test_a_websocket_is_closed_and_reaches_nothing() -> None:
    assert await sent(edge(broken), type="websocket") == [{"type": "websocket.close", "code": 1008}]


async def test_the_lifespan_passes_through() -> None:
    seen = []

    async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope["type"], await receive()))
        await send({"type": "lifespan.startup.complete"})

    assert await sent(edge(lifespan), type="lifespan") == [{"type": "lifespan.startup.complete"}]
    assert seen[0][0] == "lifespan"


async def stream(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.spec("TE-04")
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
async def test_a_body_is_bounded_by_its_announced_and_by_its_real_length(method: str) -> None:
    at_most = await ask(edge(echo), method, content=b"x" * 1_000)
    assert (at_most.status_code, at_most.text) == (200, f"{method} 1000")
    assert_problem(await ask(edge(echo), method, content=b"x" * 1_001), 413, "body_too_large")
    streamed = await ask(edge(echo), method, content=stream(b"x" * 600, b"x" * 400))
    assert streamed.text == f"{method} 1000"
    assert_problem(await ask(edge(echo), method, content=stream(b"x" * 600, b"x" * 401)), 413, "body_too_large")


@pytest.mark.parametrize("announced", [b"-1", b"+5", b"1e3", b"", b" 5", b"1_0", b"9" * 13, b"9" * 5_000, "٣".encode()])
async def test_a_length_that_is_no_number_is_too_large(announced: bytes) -> None:
    messages = await sent(edge(echo), method="POST", headers=[(b"content-length", announced)])
    assert messages[0]["status"] == 413


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/livez", None, 200),
        ("GET", "/.well-known/jwks.json", None, 200),
        ("GET", "/nothing", None, 404),
        ("GET", "/users/me", None, 401),
        ("GET", "/auth/verify", None, 401),
        ("POST", "/auth/verify", None, 405),
        ("GET", "/auth/login", None, 405),
        ("TRACE", "/auth/login", None, 405),
        ("POST", "/auth/login", b"{}", 422),
        ("POST", "/auth/login", b"{", 400),
        ("POST", "/auth/login", b"x" * 300_000, 413),
        ("POST", "/auth/refresh", b"{}", 400),
        ("GET", "/users/me?a=%00", None, 401),
    ],
)
async def test_every_answer_of_the_shipped_application_carries_them(
    web: Web, method: str, path: str, body: bytes | None, status: int
) -> None:
    answer = await web.client.request(method, path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert_carries_all(answer, secure=False)
