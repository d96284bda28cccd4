"""Cross-origin requests: the configured origins and no other."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from service.app import create_app
from service.settings import load_settings
from tests.servers.gatepost import settings_for

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


async def test_public_keys_may_be_read_from_anywhere(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/.well-known/jwks.json", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
