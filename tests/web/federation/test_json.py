"""The same flow as JSON: an application that keeps the transaction itself, and a browser that keeps it in a cookie."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from service import clock
from service.federation.identities import LinkedIdentity
from tests.servers.openid_provider import OpenIdProvider
from tests.web.federation.journey import add_person, somebody
from tests.web.oauth.asking import register
from tests.web.oauth.browsing import Surfer
from tests.web.running import Web, assert_problem, bearer

pytestmark = pytest.mark.anyio
BACK = "https://app.example/back"
CSRF = {"X-Gatepost-CSRF": "1"}


async def start(web: Web, place: str = "/auth/federation/acme", **more: Any) -> httpx2.Response:
    """Begin, for the application at `BACK`."""
    return await web.client.post(f"{place}/start", json={"redirect_uri": BACK}, **more)


async def there(started: httpx2.Response) -> dict[str, str]:
    """What the person comes back to the application with."""
    assert started.status_code == 200, started.text
    async with httpx2.AsyncClient() as browser:
        answer = await browser.get(started.json()["authorization_url"])
    place, _, query = answer.headers["location"].partition("?")
    assert place == BACK
    wanted = ("state", "code", "iss", "error")
    back = {name: value for name, (value,) in parse_qs(query).items() if name in wanted}
    return {**back, **({"transaction": kept} if (kept := started.json().get("transaction")) else {})}


async def finish(web: Web, back: dict[str, str], place: str = "/auth/federation/acme", **more: Any) -> httpx2.Response:
    return await web.client.post(f"{place}/finish", json=back, **more)


async def linked(web: Web, token: dict[str, str]) -> list[dict[str, str]]:
    items: list[dict[str, str]] = (await web.client.get("/users/me/identities", headers=token)).json()["items"]
    return items


@pytest.fixture(autouse=True)
def no_cookies(web: Web) -> None:
    web.client.cookies.clear()


async def test_the_providers_are_listed_without_anything_that_is_secret(web: Web) -> None:
    answer = await web.client.get("/auth/federation")
    assert answer.json() == {
        "items": [{"name": "acme", "label": "Acme"}, {"name": "keeper", "label": "keeper"}],
        "next": None,
    }


async def test_an_application_gets_tokens_for_what_the_person_came_back_with(
    web: Web, upstream: OpenIdProvider
) -> None:
    upstream.claims = somebody(auth_time=int(clock.now().timestamp()) - 90)
    started = await start(web)
    assert started.headers["cache-control"] == "no-store"
    assert started.json()["expires_in"] == 600
    assert "set-cookie" not in started.headers
    asked = parse_qs(urlsplit(started.json()["authorization_url"]).query)
    assert (asked["redirect_uri"], asked["code_challenge_method"]) == ([BACK], ["S256"])

    answer = await finish(web, {**await there(started), "scope": "orders:read"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["scope"] == "orders:read"
    me = (await web.client.get("/users/me", headers=bearer(answer.json()["access_token"]))).json()
    assert me["email"] == upstream.claims["email"]
    assert datetime.fromisoformat(me["auth_time"]).timestamp() == upstream.claims["auth_time"]


@pytest.mark.spec("SOC-14")
async def test_what_came_back_counts_once_and_with_its_own_transaction_alone(
    web: Web, upstream: OpenIdProvider
) -> None:
    upstream.claims = somebody()
    back, other = await there(await start(web)), await there(await start(web))
    for wrong in (
        {**back, "transaction": other["transaction"]},
        {**back, "state": other["state"]},
        {**back, "transaction": "x"},
        {name: value for name, value in back.items() if name != "transaction"},
    ):
        assert (await finish(web, wrong)).status_code == 400
    assert_problem(await finish(web, back, "/auth/federation/keeper"), 400, "foreign_answer")
    assert upstream.asked_at("/token") == []  # another provider's address spends it, and asks nobody
    assert_problem(await finish(web, back), 400, "foreign_answer")
    assert (await finish(web, other)).status_code == 200
    assert_problem(await finish(web, other), 400, "foreign_answer")


@pytest.mark.spec("SOC-04")
async def test_the_issuer_is_held_to_it_here_too(web: Web, upstream: OpenIdProvider) -> None:
    for change in ({"iss": "https://other.example"}, {"iss": None}):
        back = {**await there(await start(web)), **change}
        answer = await finish(web, {name: value for name, value in back.items() if value is not None})
        assert_problem(answer, 400, "foreign_answer")


async def test_nobody_is_sent_back_to_an_address_that_the_operator_has_not_allowed(web: Web) -> None:
    for uri in (f"{BACK}/", f"{BACK}?x=1", "https://APP.example/back", "https://evil.example/", "javascript:x"):
        answer = await web.client.post("/auth/federation/acme/start", json={"redirect_uri": uri})
        assert_problem(answer, 422, "invalid_request")
    native = await web.client.post("/auth/federation/acme/start", json={"redirect_uri": "com.example.app:/back"})
    assert native.status_code == 200
    unknown = await web.client.post("/auth/federation/nobody/start", json={"redirect_uri": BACK})
    assert_problem(unknown, 404, "not_found")


async def test_what_goes_wrong_is_a_problem_of_its_own(web: Web, upstream: OpenIdProvider) -> None:
    upstream.claims = somebody()
    upstream.fault = "denied"
    assert_problem(await finish(web, await there(await start(web))), 403, "access_denied")
    upstream.fault = "wrong nonce"
    assert_problem(await finish(web, await there(await start(web))), 502, "provider_failed")
    upstream.fault, upstream.troubles = None, {"/token": "silent"}
    silent = await finish(web, await there(await start(web)))
    assert_problem(silent, 504, "provider_silent")
    assert silent.headers["retry-after"] == "10"
    upstream.troubles = {}
    await add_person(web, "jasmin", "jasmin@example.org", proven=True)
    upstream.claims = somebody(email="jasmin@example.org")
    assert_problem(await finish(web, await there(await start(web))), 409, "sign_in_first")


async def test_a_browser_keeps_transaction_and_tokens_in_cookies(web: Web, upstream: OpenIdProvider) -> None:
    upstream.claims = somebody()
    cookie = {"params": {"mode": "cookie"}}
    assert_problem(await start(web, **cookie), 403, "csrf_failed")
    started = await start(web, **cookie, headers=CSRF)
    assert "transaction" not in started.json()
    field = started.headers["set-cookie"]
    assert "gp_federation=" in field
    assert all(part in field for part in ("HttpOnly", "SameSite=lax", "Max-Age=600", "Path=/"))

    back = await there(started)
    assert_problem(await finish(web, back, **cookie), 403, "csrf_failed")
    answer = await finish(web, back, **cookie, headers=CSRF)
    assert (answer.status_code, "access_token" in answer.json()) == (200, False)
    assert {"gp_access", "gp_refresh"} <= web.client.cookies.keys()
    assert "gp_federation" not in web.client.cookies
    assert_problem(await finish(web, back, **cookie, headers=CSRF), 400, "invalid_request")


@pytest.mark.spec("SOC-10")
async def test_a_link_is_made_in_the_session_that_asked_for_it(web: Web, upstream: OpenIdProvider) -> None:
    await add_person(web, "karl", "karl@example.com", proven=True)
    await add_person(web, "lena", "lena@example.com", proven=True)
    karl, again, lena = await web.token("karl"), await web.token("karl"), await web.token("lena")
    mine, upstream.claims = "/users/me/identities/acme", somebody()

    for thief in (lena, again):
        back = await there(await start(web, mine, headers=karl))
        assert_problem(await finish(web, back, mine, headers=thief), 400, "foreign_answer")
    back = await there(await start(web, mine, headers=karl))
    assert_problem(await finish(web, back), 400, "foreign_answer")
    back = await there(await start(web))
    assert_problem(await finish(web, back, mine, headers=karl), 400, "foreign_answer")
    assert await linked(web, karl) == await linked(web, lena) == []

    made = await finish(web, await there(await start(web, mine, headers=karl)), mine, headers=karl)
    assert made.status_code == 201, made.text
    assert await linked(web, karl) == [made.json()]
    assert (made.json()["provider"], made.json()["account"]) == ("acme", upstream.claims["email"])

    same = await finish(web, await there(await start(web, mine, headers=karl)), mine, headers=karl)
    assert (same.status_code, same.json()["id"]) == (201, made.json()["id"])
    taken = await finish(web, await there(await start(web, mine, headers=lena)), mine, headers=lena)
    assert_problem(taken, 409, "linked_elsewhere")


@pytest.mark.spec("SOC-10")
async def test_the_last_way_in_stays(web: Web, upstream: OpenIdProvider) -> None:
    upstream.claims = first = somebody()
    token = bearer((await finish(web, await there(await start(web)))).json()["access_token"])
    [only] = await linked(web, token)
    place = "/users/me/identities"
    assert_problem(await web.client.delete(f"{place}/{only['id']}", headers=token), 409, "last_way_in")

    upstream.claims = somebody()
    await finish(web, await there(await start(web, f"{place}/acme", headers=token)), f"{place}/acme", headers=token)
    await _link_to_gone_provider(web, str(first["email"]))
    assert (await web.client.delete(f"{place}/{only['id']}", headers=token)).status_code == 204
    assert_problem(await web.client.delete(f"{place}/{only['id']}", headers=token), 404, "not_found")
    [second, gone] = await linked(web, token)
    assert_problem(await web.client.delete(f"{place}/{second['id']}", headers=token), 409, "last_way_in")
    assert (await web.client.delete(f"{place}/{gone['id']}", headers=token)).status_code == 204


async def test_an_identity_of_another_is_nobodys_to_unlink(web: Web, upstream: OpenIdProvider) -> None:
    upstream.claims = somebody()
    token = bearer((await finish(web, await there(await start(web)))).json()["access_token"])
    await add_person(web, "thief", "thief@example.com", proven=True)
    thief = await web.token("thief")
    [theirs] = await linked(web, token)
    for path in (f"/users/me/identities/{theirs['id']}", f"/users/me/identities/{theirs['id']}/token"):
        method = "GET" if path.endswith("token") else "DELETE"
        assert_problem(await web.client.request(method, path, headers=thief), 404, "not_found")
    assert await linked(web, token) == [theirs]


async def test_tokens_of_the_other_service_are_kept_where_the_operator_wants_it_and_renewed(
    web: Web, upstream: OpenIdProvider
) -> None:
    upstream.claims = somebody()
    token = bearer((await finish(web, await there(await start(web)))).json()["access_token"])
    [dropped] = await linked(web, token)
    place = f"/users/me/identities/{dropped['id']}/token"
    assert_problem(await web.client.get(place, headers=token), 404, "not_found")

    keeper = "/auth/federation/keeper"
    upstream.lives = 20
    await finish(web, await there(await start(web, keeper)), keeper)
    upstream.lives = 300
    answers = await asyncio.gather(*(web.client.get(place, headers=token) for _ in range(5)))
    [kept] = {answer.json()["access_token"] for answer in answers}
    assert kept in upstream._access
    assert answers[0].headers["cache-control"] == "no-store"
    assert (await web.client.get(place, headers=token)).json()["access_token"] == kept
    assert [one.form["grant_type"] for one in upstream.asked_at("/token")][-1] == "refresh_token"
    assert len(upstream.asked_at("/token")) == 3

    upstream.lives = 20
    await finish(web, await there(await start(web, keeper)), keeper)
    upstream.lives = 300
    upstream._refresh.clear()
    assert_problem(await web.client.get(place, headers=token), 404, "not_found")


async def test_an_application_that_a_person_signed_in_to_has_no_say_about_identities(web: Web, surfer: Surfer) -> None:
    await add_person(web, "margot", "margot@example.com", proven=True, roles=("clerk",))
    curious = await register(web, "Curious", "account:read", "account:write")
    given = await curious.tokens(await surfer.signed_in("margot"), scope="account:read account:write")
    token = bearer(given["access_token"])
    assert await linked(web, token) == []
    mine = "/users/me/identities"
    for method, path, body in (
        ("POST", f"{mine}/acme/start", {"redirect_uri": BACK}),
        ("POST", f"{mine}/acme/finish", {"state": "x"}),
        ("DELETE", f"{mine}/x", None),
        ("GET", f"{mine}/x/token", None),
    ):
        answer = await web.client.request(method, path, json=body, headers=token)
        assert_problem(answer, 403, "credential_not_allowed")


async def _link_to_gone_provider(web: Web, login: str) -> None:
    """An identity by which nobody can sign in any more."""
    user, now = await web.rooms.directory.get_named(login), clock.now() + timedelta(seconds=1)
    gone = LinkedIdentity(f"{user.id[:-1]}x", "https://gone.example", "1", user.id, "gone", "me", now, now)
    async with web.rooms.acts.begin(now) as act:
        await web.rooms.identities._identities.add(act.tx, gone)
