"""Cross-origin requests: the configured origins and no other."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from service.app import create_app
from service.settings import load_settings
from service.web.edge import Edge
from tests.servers.gatepost import settings_for
from tests.web.running import assert_problem, running_web

pytestmark = pytest.mark.anyio
OURS = "https://app.example.com"


@pytest.fixture
async def client(empty_sqlite_url: str, valkey_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """The application with one origin; what is asked here needs no store."""
    app = create_app(load_settings(settings_for(empty_sqlite_url, valkey_url, SERVER__CORS_ORIGINS=OURS)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost:8000") as client:
        yield client


def preflight(origin: str) -> dict[str, str]:
    """What a browser asks before a POST with a token."""
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }


async def test_a_configured_origin_may_send_a_token(client: httpx2.AsyncClient) -> None:
    asked = await client.options("/auth/refresh", headers=preflight(OURS))
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == OURS
    assert asked.headers["access-control-allow-credentials"] == "true"
    answer = await client.get("/users/me", headers={"Origin": OURS})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == OURS


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", OURS + ".evil.example", "http://app.example.com", OURS.upper()]
)
async def test_another_origin_is_given_nothing(client: httpx2.AsyncClient, origin: str) -> None:
    asked = await client.options("/auth/refresh", headers=preflight(origin))
    answer = await client.get("/livez", headers={"Origin": origin})
    assert asked.status_code == 204
    for got in (asked, answer):
        assert "access-control-allow-origin" not in got.headers


READABLE = [
    ("GET", "/auth/verify", {}, 401),
    ("POST", "/auth/verify", {}, 405),
    ("POST", "/auth/login", {"content": b" " * (1 << 20)}, 413),
    ("GET", "/readyz", {}, 503),
]


@pytest.mark.parametrize(("method", "path", "more", "status"), READABLE)
async def test_an_answer_from_outside_the_routes_can_be_read_too(
    client: httpx2.AsyncClient, method: str, path: str, more: dict[str, Any], status: int
) -> None:
    answer = await client.request(method, path, headers={"Origin": OURS, "Content-Type": "application/json"}, **more)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == OURS
    assert answer.headers["vary"] == "Origin"
    stranger = await client.request(method, path, headers={"Origin": OURS + ".evil.example"}, **more)
    assert "access-control-allow-origin" not in stranger.headers


async def test_an_unforeseen_error_can_be_read_too() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("hunter2")

    edge = Edge(broken, hot={}, secure=True, max_body=1_000, origins=[OURS])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(edge), base_url="http://test") as client:
        answer = await client.get("/", headers={"Origin": OURS})
    assert_problem(answer, 500, "internal_error")
    assert answer.headers["access-control-allow-origin"] == OURS


async def test_verify_may_be_asked_by_a_page_before_and_after_its_answer_is_at_hand(
    sqlite_url: str, valkey_url: str
) -> None:
    async with running_web(sqlite_url, valkey_url, SERVER__CORS_ORIGINS=OURS) as web:
        await web.add_user("ada", roles=("clerk",))
        field = await web.token("ada")
        asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
        allowed = await web.client.options("/auth/verify", headers={"Origin": OURS, **asked})
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (204, OURS)
        plain = [await web.client.get("/auth/verify", headers=field) for _ in range(2)]  # the second is at hand
        shared = [await web.client.get("/auth/verify", headers={"Origin": OURS, **field}) for _ in range(2)]
        foreign = await web.client.get("/auth/verify", headers={"Origin": "https://evil.example", **field})
    assert {answer.status_code for answer in (*plain, *shared, foreign)} == {200}
    assert {answer.headers.get("access-control-allow-origin") for answer in shared} == {OURS}
    for answer in (*plain, foreign):
        assert "access-control-allow-origin" not in answer.headers
    for answer in (*plain, *shared):
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
        assert len(answer.headers.get_list("x-request-id")) == 1
        assert answer.json()["kind"] == "user"


async def test_public_keys_may_be_read_from_anywhere(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/.well-known/jwks.json", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
