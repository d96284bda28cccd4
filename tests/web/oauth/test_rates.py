"""Rates at the endpoints of OAuth and at the hosted pages: who is charged, and each refusal in its own dialect."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from service import clock
from service.accounts.account import User
from service.clients.client import Client
from service.clients.metadata import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE, NO_SECRET, ClientMetadata
from service.limits import Rate
from tests.web.oauth.asking import register
from tests.web.oauth.browsing import REDIRECT, add_application, asked, surfing
from tests.web.running import Web, as_served, basic, bearer, running_web

pytestmark = pytest.mark.anyio
TOKEN, DEVICE = "/oauth2/token", "/oauth2/device_authorization"
INTROSPECT, REVOKE = "/oauth2/introspect", "/oauth2/revoke"
PAGES = ("/oauth2/authorize", "/sign-in", "/device", "/forgot-password", "/account", "/consent")
ITSELF = {"grant_type": "client_credentials"}


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    return {"LIMITS__OAUTH_RATE": "12/h", "LIMITS__NETWORK_RATE": "10/h", "LIMITS__PAGE_RATE": "30/h"}


@asynccontextmanager
async def calling_from(web: Web, address: str) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(as_served(web.edge), client=(address, 5))
    async with httpx2.AsyncClient(transport=transport, base_url=web.settings.public_url) as client:
        yield client


async def service(web: Web) -> dict[str, str]:
    """The Authorization field of a client that calls as itself and has devices."""
    metadata = ClientMetadata(grant_types=frozenset({CLIENT_CREDENTIALS, DEVICE_CODE}))
    client, secret = await web.rooms.clients.create(
        "Service", confidential=True, scopes=["orders:read"], metadata=metadata, now=clock.now()
    )
    assert secret is not None
    return basic(client.id, secret)


async def public_client(web: Web) -> Client:
    metadata = ClientMetadata(
        redirect_uris=(REDIRECT,), grant_types=frozenset({AUTHORIZATION_CODE, DEVICE_CODE}), auth_method=NO_SECRET
    )
    client, _ = await web.rooms.clients.create("App", confidential=False, scopes=[], metadata=metadata, now=clock.now())
    return client


def assert_spent(answer: httpx2.Response) -> None:
    """A 429 in the dialect of RFC 6749 §5.2, with the time after which it is worth trying again."""
    assert answer.status_code == 429
    assert answer.json()["error"] == "temporarily_unavailable"
    assert answer.headers["content-type"] == "application/json"
    assert 1 <= int(answer.headers["retry-after"]) <= 3_600


@pytest.mark.spec("RATE-01")
async def test_all_that_a_client_asks_is_one_budget_however_it_is_answered(web: Web) -> None:
    itself = await service(web)
    token = (await web.client.post(TOKEN, headers=itself, data=ITSELF)).json()["access_token"]
    statuses = []
    for path, form in (
        (INTROSPECT, {"token": token}),
        (INTROSPECT, {"token": token}),
        (INTROSPECT, {"token": "nothing"}),
        (INTROSPECT, {}),
        (REVOKE, {"token": "nothing"}),
        (DEVICE, {}),
        (TOKEN, {"grant_type": DEVICE_CODE, "device_code": "nothing"}),
        (TOKEN, {**ITSELF, "scope": "nothing:of-that"}),
        (TOKEN, ITSELF),
        (TOKEN, ITSELF),
    ):
        answer = await web.client.post(path, headers=itself, data=form)
        statuses.append(answer.status_code)
        assert answer.headers.get_list("ratelimit-policy") == ['"oauth";q=12;w=3600'], path
        left = answer.headers["ratelimit"].split(";")[1]
        assert left == f"r={11 - len(statuses)}"
    assert statuses == [200, 200, 200, 400, 200, 200, 400, 400, 200, 200]
    assert (await web.client.post(INTROSPECT, headers=itself, data={"token": token})).status_code == 200
    for path, form in ((INTROSPECT, {"token": token}), (REVOKE, {"token": token}), (DEVICE, {}), (TOKEN, ITSELF)):
        for _ in range(2):
            refused = await web.client.post(path, headers=itself, data=form)
            assert_spent(refused)
            assert refused.headers["ratelimit"].startswith('"oauth";r=0;')
    assert (await web.client.get("/auth/verify", headers=bearer(token))).status_code == 200
    other = await web.client.post(TOKEN, headers=await service(web), data=ITSELF)
    assert (other.status_code, other.headers["ratelimit"][:12]) == (200, '"oauth";r=11')


async def test_what_is_answered_at_once_is_charged_like_all_else(web: Web) -> None:
    """A worker has ten permits of this figure at hand."""
    client, secret = await web.rooms.clients.create(
        "Often", confidential=True, scopes=[], now=clock.now(), rate=Rate.parse("1000/d")
    )
    assert secret is not None
    itself = basic(client.id, secret)
    token = (await web.client.post(TOKEN, headers=itself, data=ITSELF)).json()["access_token"]
    left = []
    for path, form in ((INTROSPECT, {"token": token}), (TOKEN, ITSELF)) * 15:
        answer = await web.client.post(path, headers=itself, data=form)
        assert answer.status_code == 200
        left.append(int(answer.headers["ratelimit"].split(";")[1].removeprefix("r=")))
    assert left == list(range(998, 968, -1))


async def test_who_does_not_prove_to_be_a_client_spends_nothing_of_it(web: Web) -> None:
    itself = await service(web)
    wrong = basic("gp_client_0", "nothing")
    for _ in range(20):
        answer = await web.client.post(TOKEN, headers=wrong, data=ITSELF)
        assert answer.status_code == 401
        assert "ratelimit" not in answer.headers
    assert (await web.client.post(TOKEN, headers=itself, data=ITSELF)).headers["ratelimit"][:12] == '"oauth";r=11'


@pytest.mark.spec("RATE-01")
async def test_a_public_client_has_a_budget_in_each_network_apart_from_its_neighbours_there(web: Web) -> None:
    app, neighbour = await public_client(web), await public_client(web)
    async with calling_from(web, "127.8.0.1") as here, calling_from(web, "127.8.0.2") as elsewhere:
        found = [await here.post(DEVICE, data={"client_id": app.id}) for _ in range(13)]
        assert [answer.status_code for answer in found] == [200] * 10 + [429] * 3
        assert_spent(found[-1])
        assert not any("ratelimit" in answer.headers for answer in found)
        poll = {"client_id": app.id, "grant_type": DEVICE_CODE, "device_code": found[0].json()["device_code"]}
        assert_spent(await here.post(TOKEN, data=poll))
        assert (await here.post(DEVICE, data={"client_id": neighbour.id})).status_code == 200
        assert (await elsewhere.post(DEVICE, data={"client_id": app.id})).status_code == 200
        login = {"username": "nobody", "password": "nothing at all here"}
        assert (await here.post("/auth/login", json=login)).status_code == 401


async def test_userinfo_is_charged_to_the_application_with_its_person(web: Web, ada: User, bob: User) -> None:
    app = await register(web, "Orders")
    for name, spent in (("ada", 12), ("bob", 1)):
        async with surfing(web) as browser:
            tokens = await app.tokens(await browser.signed_in(name), scope="openid")
        caller = bearer(tokens["access_token"])
        for _ in range(spent):
            answer = await web.client.get("/userinfo", headers=caller)
            assert (answer.status_code, answer.headers["ratelimit-policy"]) == (200, '"oauth";q=12;w=3600')
    assert answer.headers["ratelimit"].startswith('"oauth";r=11;'), "bob's own budget"


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.spec("RATE-01")
async def test_a_page_that_is_asked_for_too_often_says_so_to_that_network_alone(web: Web, path: str) -> None:
    number = sum(path.encode())
    query = asked(await add_application(web)) if path == "/oauth2/authorize" else None
    async with calling_from(web, f"127.7.0.{number % 250}") as here, calling_from(web, "127.7.1.1") as elsewhere:
        statuses = [(await here.get(path, params=query)).status_code for _ in range(33)]
        refused = await here.get(path, params=query)
        assert 429 not in statuses[:30]
        assert statuses[30:] == [429] * 3
        assert refused.headers["content-type"].startswith("text/html")
        assert 1 <= int(refused.headers["retry-after"]) <= 3_600
        assert "ratelimit" not in refused.headers
        assert "Too many" in refused.text or "too often" in refused.text
        for other in ("/sign-in", "/oauth2/authorize", "/device"):
            assert (await here.get(other)).status_code == 429, "one budget for all pages"
        assert (await here.get("/static/style.css")).status_code != 429
        assert (await elsewhere.get("/sign-in")).status_code == 200


@pytest.mark.spec("LOCK-02")
@pytest.mark.spec("RATE-06")
async def test_no_field_of_a_request_gives_its_network_another_budget(web: Web) -> None:
    fields = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP", "True-Client-IP", "User-Agent")
    app = await public_client(web)
    async with calling_from(web, "127.5.0.1") as here:
        made_up = [dict.fromkeys(fields, f"198.51.100.{number}") for number in range(33)]
        pages = [(await here.get("/sign-in", headers=headers)).status_code for headers in made_up]
        devices = [
            (await here.post(DEVICE, data={"client_id": app.id}, headers=headers)).status_code for headers in made_up
        ]
    assert pages == [200] * 30 + [429] * 3
    assert devices == [200] * 10 + [429] * 23


@pytest.mark.spec("RATE-03")
async def test_no_spelling_of_a_page_has_a_budget_of_its_own(web: Web) -> None:
    same = ("/sign-in?x=%2f", "/sign%2Din", "/sign%2din")
    async with calling_from(web, "127.6.0.1") as here:
        for path in ("/sign-in", "/sign-in", *same) * 6:
            assert (await here.get(path)).status_code == 200
        for path in ("/sign-in", *same):
            assert (await here.get(path)).status_code == 429
        for path in ("/sign-in/", "//sign-in", "/SIGN-IN", "/sign-in%2f", "/sign-in%00"):
            assert (await here.get(path)).status_code == 404, "nothing is there"


async def test_nothing_is_charged_where_nothing_is_said(sqlite_url: str, valkey_url: str) -> None:
    """A resource server asks as often as it is asked itself."""
    async with running_web(sqlite_url, valkey_url) as web:
        itself = await service(web)
        for _ in range(3):
            answer = await web.client.post(TOKEN, headers=itself, data=ITSELF)
            assert (answer.status_code, "ratelimit" in answer.headers) == (200, False)
