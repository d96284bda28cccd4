"""Rates from outside: the fields, the refusal, and who shares a budget with whom."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest

from service import clock
from tests.servers.gatepost import PASSWORD
from tests.web.running import Web, as_served, assert_problem, basic

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    return {"LIMITS__API_RATE": "20/h", "LIMITS__VERIFY_RATE": "30/h", "LIMITS__NETWORK_RATE": "40/h"}


@pytest.fixture
async def client(web: Web, request: pytest.FixtureRequest) -> AsyncIterator[httpx2.AsyncClient]:
    """One from an address of its own."""
    number = abs(hash(request.node.name)) % 65_536
    transport = httpx2.ASGITransport(as_served(web.edge), client=(f"127.9.{number // 256}.{number % 256}", 5))
    async with httpx2.AsyncClient(transport=transport, base_url=web.settings.public_url) as client:
        yield client


async def token(web: Web, client: httpx2.AsyncClient, name: str) -> dict[str, str]:
    await web.add_user(name)
    answer = await client.post("/auth/login", json={"username": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_each_answer_says_what_is_left_and_the_last_when_to_come_back(
    web: Web, client: httpx2.AsyncClient
) -> None:
    mine = await token(web, client, "ada")
    for number in range(20):
        answer = await client.get("/users/me", headers=mine)
        assert answer.status_code == 200
        assert answer.headers["ratelimit-policy"] == '"api";q=20;w=3600'
        found = re.fullmatch(r'"api";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
        assert found is not None
        assert int(found[1]) == 19 - number
        assert (number + 1) * 180 - 5 <= int(found[2]) <= (number + 1) * 180
    refused = await client.get("/users/me", headers=mine)
    assert_problem(refused, 429, "too_many_requests")
    assert refused.headers["ratelimit-policy"] == '"api";q=20;w=3600'
    assert refused.headers["ratelimit"].startswith('"api";r=0;t=')
    assert 170 <= int(refused.headers["retry-after"]) <= 180


@pytest.mark.spec("RATE-03")
async def test_every_route_and_spelling_and_credential_of_a_person_is_one_budget(
    web: Web, client: httpx2.AsyncClient
) -> None:
    mine = await token(web, client, "bob")
    asked = ("/users/me", "/users/me?x=1", "/users/me?X=%2f", "/users/me/sessions", "/users/me/api-keys")
    for path in asked * 4:
        assert (await client.get(path, headers=mine)).status_code == 200
    for path in (*asked, "/users/me/sessions?limit=1"):
        assert (await client.get(path, headers=mine)).status_code == 429
    assert (await client.head("/users/me", headers=mine)).status_code == 429
    assert (await client.get("/users/me", headers=basic("bob", PASSWORD))).status_code == 429
    for path in ("/users/me/", "//users/me", "/users//me", "/Users/me"):
        assert (await client.get(path, headers=mine)).status_code == 404, path
    assert (await client.get("/users%2fme", headers=mine)).status_code == 429, "the same address"


async def test_two_callers_behind_one_address_do_not_hurt_each_other(web: Web, client: httpx2.AsyncClient) -> None:
    one, other = await token(web, client, "one"), await token(web, client, "other")
    service, secret = await web.add_client("service")
    spent = [(await client.get("/users/me", headers=one)).status_code for _ in range(25)]
    assert spent == [200] * 20 + [429] * 5
    assert (await client.get("/users/me", headers=other)).status_code == 200
    assert (await client.get("/users/me", headers=basic(service.id, secret))).status_code == 200
    user = await web.rooms.directory.get_named("one")
    made = await web.rooms.api_keys.create(
        user.id, "till", scopes=(), within=frozenset(), networks=(), life=None, now=clock.now()
    )
    by_key = await client.get("/users/me", headers={"X-API-Key": made.text})
    assert (by_key.status_code, by_key.headers["ratelimit"][:10]) == (200, '"api";r=19')


async def test_a_stranger_spends_nobodys_budget_and_hears_of_none(web: Web, client: httpx2.AsyncClient) -> None:
    for _ in range(25):
        answer = await client.get("/users/me", headers={"Authorization": "Bearer nonsense"})
        assert answer.status_code == 401
        assert "ratelimit" not in answer.headers


async def test_what_needs_no_credential_is_charged_to_the_network_without_a_word_of_it(
    web: Web, client: httpx2.AsyncClient
) -> None:
    statuses = []
    for _ in range(45):
        answer = await client.post("/auth/refresh", json={"refresh_token": "gp_rt_nonsense"})
        statuses.append(answer.status_code)
        assert "ratelimit" not in answer.headers
    assert statuses == [401] * 40 + [429] * 5
    assert int(answer.headers["retry-after"]) >= 80
    assert (await web.client.post("/auth/refresh", json={"refresh_token": "gp_rt_nonsense"})).status_code == 401


async def test_all_ways_to_sign_in_are_one_budget_of_the_network(web: Web, client: httpx2.AsyncClient) -> None:
    for _ in range(20):
        assert (await client.get("/auth/federation")).status_code == 200
        assert (await client.post("/auth/refresh", json={"refresh_token": "gp_rt_nonsense"})).status_code == 401
    for answer in (
        await client.get("/auth/federation"),
        await client.post("/auth/federation/hub/start", json={}),
        await client.post("/auth/login", json={"username": "nobody", "password": "nothing at all"}),
        await client.post("/auth/register", json={"email": "a@example.org"}),
    ):
        assert answer.status_code in (404, 429), answer.url
    assert (await client.get("/auth/federation")).status_code == 429


async def test_the_check_of_other_services_requests_has_a_budget_of_its_own(
    web: Web, client: httpx2.AsyncClient
) -> None:
    mine = await token(web, client, "checked")
    for method in ("GET", "HEAD", "GET") * 10:
        answer = await client.request(method, "/auth/verify", headers=mine)
        assert answer.status_code == 200
        assert answer.headers.get_list("ratelimit-policy") == ['"verify";q=30;w=3600']
    assert answer.headers["ratelimit"].startswith('"verify";r=0;')
    refused = await client.get("/auth/verify", headers=mine)
    assert_problem(refused, 429, "too_many_requests")
    assert refused.headers.get_list("ratelimit")[0].startswith('"verify";r=0;')
    assert (await client.get("/users/me", headers=mine)).status_code == 200
