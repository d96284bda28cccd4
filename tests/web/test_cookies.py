"""Browser mode: the two cookies, and what proves that a page of ours has asked."""

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from itertools import count

import httpx2
import pytest

from service.web.cookies import Cookies
from tests.servers.gatepost import PASSWORD
from tests.web.running import Web, assert_problem, bearer

pytestmark = pytest.mark.anyio
CSRF = {"X-Gatepost-CSRF": "1"}
OURS, PARTNER, FOREIGN = "https://id.example.com", "https://app.example.com", "https://evil.example.com"
_number = count(1)


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    return {"PUBLIC_URL": OURS, "SERVER__CORS_ORIGINS": PARTNER}


@pytest.fixture
async def browser(web: Web) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser with a cookie jar of its own."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(web.edge), base_url=OURS) as client:
        yield client


@pytest.fixture
async def alice(web: Web) -> str:
    name = f"alice{next(_number)}"
    await web.add_user(name, roles=("clerk",))
    return name


async def sign_in(browser: httpx2.AsyncClient, name: str, **headers: str) -> httpx2.Response:
    body = {"username": name, "password": PASSWORD}
    return await browser.post("/auth/login?mode=cookie", json=body, headers={**CSRF, **headers})


@pytest.mark.spec("COOK-01")
@pytest.mark.spec("COOK-03")
async def test_tokens_go_into_cookies_that_no_script_and_no_other_site_reads(
    browser: httpx2.AsyncClient, alice: str
) -> None:
    answer = await sign_in(browser, alice)
    assert answer.status_code == 200
    assert answer.json().keys() == {"token_type", "expires_in", "refresh_expires_in", "scope"}
    assert answer.headers["cache-control"] == "no-store"
    jar = SimpleCookie()
    for field in answer.headers.get_list("set-cookie"):
        jar.load(field)
        assert "domain" not in field.lower()
    assert jar.keys() == {"__Host-gp_access", "__Host-gp_refresh", "__Host-gp_device"}
    for name, life in (("__Host-gp_access", "expires_in"), ("__Host-gp_refresh", "refresh_expires_in")):
        morsel = jar[name]
        assert (morsel["path"], morsel["secure"], morsel["httponly"], morsel["samesite"]) == ("/", True, True, "lax")
        assert morsel["max-age"] == str(answer.json()[life])
        assert morsel.value not in answer.text
    device = jar["__Host-gp_device"]
    assert (device["path"], device["secure"], device["httponly"], device["samesite"]) == ("/", True, True, "lax")
    assert device["max-age"] == str(400 * 86_400)


async def test_a_browser_signs_in_asks_refreshes_and_signs_out(browser: httpx2.AsyncClient, alice: str) -> None:
    await sign_in(browser, alice)
    first = dict(browser.cookies)
    me = await browser.get("/users/me")
    assert (me.json()["username"], me.json()["scheme"]) == (alice, "cookie")
    renewed = await browser.post("/auth/refresh", json={}, headers=CSRF)
    assert renewed.status_code == 200
    assert "refresh_token" not in renewed.json()
    assert [name for name in first if browser.cookies[name] == first[name]] == ["__Host-gp_device"]
    ended = await browser.post("/auth/logout", headers=CSRF)
    assert ended.status_code == 204
    assert [field.partition(";")[0] for field in ended.headers.get_list("set-cookie")] == [
        '__Host-gp_access=""',
        '__Host-gp_refresh=""',
    ]
    assert browser.cookies.keys() == {"__Host-gp_device"}
    for name, value in first.items():
        browser.cookies.set(name, value)
    assert_problem(await browser.get("/users/me"), 401, "invalid_token")


PROVEN = [
    ({**CSRF}, True),
    ({**CSRF, "Origin": OURS}, True),
    ({**CSRF, "Origin": PARTNER}, True),
    ({"X-Gatepost-CSRF": ""}, True),
    ({}, False),
    ({"Origin": OURS}, False),
    ({"Origin": FOREIGN}, False),
    ({**CSRF, "Origin": FOREIGN}, False),
    ({**CSRF, "Origin": "null"}, False),
    ({**CSRF, "Origin": ""}, False),
    ({**CSRF, "Origin": OURS + "/"}, False),
    ({**CSRF, "Origin": OURS.upper()}, False),
    ({**CSRF, "Origin": OURS + ".evil.example.com"}, False),
    ({**CSRF, "Origin": OURS.replace("https", "http")}, False),
    ({**CSRF, "Origin": OURS + ":444"}, False),
    ({"X-CSRF": "1", "X-Requested-With": "XMLHttpRequest"}, False),
]
proven = pytest.mark.parametrize(("headers", "is_ours"), PROVEN)


@proven
@pytest.mark.spec("CSRF-04")
async def test_what_a_cookie_changes_needs_the_field_and_no_foreign_origin(
    browser: httpx2.AsyncClient, alice: str, headers: dict[str, str], is_ours: bool
) -> None:
    await sign_in(browser, alice)
    for method, path, body in (
        ("DELETE", "/users/me/sessions", None),
        ("POST", "/users/me/api-keys", {"name": "Till"}),
        ("POST", "/auth/refresh", {}),
        ("POST", "/auth/logout", None),
    ):
        answer = await browser.request(method, path, json=body, headers=headers)
        if is_ours:
            assert answer.status_code < 300, answer.text
        else:
            assert_problem(answer, 403, "csrf_failed")
    still = await browser.get("/users/me")
    assert still.status_code == (401 if is_ours else 200)


@proven
@pytest.mark.spec("CSRF-03")
async def test_no_foreign_page_signs_a_browser_in(
    browser: httpx2.AsyncClient, alice: str, headers: dict[str, str], is_ours: bool
) -> None:
    body = {"username": alice, "password": PASSWORD}
    answer = await browser.post("/auth/login?mode=cookie", json=body, headers=headers)
    if is_ours:
        assert answer.status_code == 200
    else:
        assert_problem(answer, 403, "csrf_failed")
        assert "set-cookie" not in answer.headers


@pytest.mark.spec("CSRF-04")
async def test_two_origins_are_not_one_of_ours(browser: httpx2.AsyncClient, alice: str) -> None:
    await sign_in(browser, alice)
    both = [("X-Gatepost-CSRF", "1"), ("Origin", OURS), ("Origin", FOREIGN)]
    assert_problem(await browser.post("/auth/logout", headers=both), 403, "csrf_failed")
    assert_problem(await browser.post("/auth/logout", headers=[both[0], both[2], both[1]]), 403, "csrf_failed")


async def test_reading_needs_no_field(browser: httpx2.AsyncClient, alice: str) -> None:
    await sign_in(browser, alice)
    for headers in ({}, {"Origin": FOREIGN}):
        for method in ("GET", "HEAD"):
            assert (await browser.request(method, "/users/me", headers=headers)).status_code == 200


async def test_a_token_in_the_header_needs_no_field_for_no_browser_adds_it_by_itself(
    web: Web, browser: httpx2.AsyncClient, alice: str
) -> None:
    field = await web.token(alice)
    assert (await browser.delete("/users/me/sessions", headers={**field, "Origin": FOREIGN})).status_code == 204


@pytest.mark.spec("TOK-02")
async def test_a_cookie_beside_another_credential_is_refused(web: Web, browser: httpx2.AsyncClient, alice: str) -> None:
    token = (await web.sign_in(alice))["access_token"]
    await sign_in(browser, alice)
    assert_problem(await browser.get("/users/me", headers=bearer(token)), 400, "invalid_request")
    assert_problem(await browser.get("/users/me", headers={"X-API-Key": "x"}), 400, "invalid_request")
    twice = {"Cookie": f"__Host-gp_access={token}; __Host-gp_access={token}"}
    browser.cookies.clear()
    assert_problem(await browser.get("/users/me", headers=twice), 400, "invalid_request")
    split = [("Cookie", f"__Host-gp_access={token}"), ("Cookie", f"__Host-gp_access={token}")]
    assert_problem(await browser.get("/users/me", headers=split), 400, "invalid_request")
    refresh = f"__Host-gp_refresh={(await web.sign_in(alice))['refresh_token']}"
    answer = await browser.post("/auth/refresh", json={}, headers={**CSRF, "Cookie": f"{refresh}; {refresh}"})
    assert_problem(answer, 401, "invalid_grant")


@pytest.mark.spec("COOK-03")
@pytest.mark.parametrize(
    "name", ["gp_access", "__Secure-gp_access", "__host-gp_access", "x__Host-gp_access", "__Host-gp_acces"]
)
async def test_a_cookie_that_another_host_could_have_set_is_none(
    web: Web, browser: httpx2.AsyncClient, alice: str, name: str
) -> None:
    token = (await web.sign_in(alice))["access_token"]
    answer = await browser.get("/users/me", headers={"Cookie": f"{name}={token}"})
    assert_problem(answer, 401, "not_authenticated")
    assert (await browser.get("/users/me", headers={"Cookie": f"__Host-gp_access={token}"})).status_code == 200


@pytest.mark.parametrize("value", ["", "x", "é", '"x"', "a.b.c", "gp_key_x"])
async def test_a_cookie_that_is_no_token_is_refused(browser: httpx2.AsyncClient, value: str) -> None:
    field = f"__Host-gp_access={value}".encode()
    assert_problem(await browser.get("/users/me", headers={b"Cookie": field}), 401, "invalid_token")


def test_cookies_are_found_among_others_and_by_their_whole_name() -> None:
    cookies = Cookies(secure=True)
    field = b'a=b; __Host-gp_access=one;__Host-gp_refresh=two ; x="__Host-gp_access=three"; y__Host-gp_access=four'
    assert cookies.find_access(field) == ["one"]
    assert cookies.find_refresh(field) == ["two"]
    assert cookies.find_access(b"gp_access=one") == cookies.find_access(b"") == []
    plain = Cookies(secure=False)
    assert (plain.access_name, plain.find_access(b"gp_access=one; gp_access=two")) == ("gp_access", ["one", "two"])


@pytest.mark.spec("CORS-01")
@pytest.mark.parametrize("origin", [FOREIGN, "null", OURS + ".evil.example.com", PARTNER + "x", PARTNER.upper()])
async def test_no_foreign_origin_may_use_the_cookies(browser: httpx2.AsyncClient, origin: str) -> None:
    ask = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-gatepost-csrf",
    }
    preflight = await browser.options("/auth/logout", headers=ask)
    answer = await browser.get("/livez", headers={"Origin": origin})
    for one in (preflight, answer):
        assert "access-control-allow-origin" not in one.headers
    allowed = await browser.options("/auth/logout", headers={**ask, "Origin": PARTNER})
    assert allowed.headers["access-control-allow-origin"] == PARTNER
    assert allowed.headers["access-control-allow-credentials"] == "true"
