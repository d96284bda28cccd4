"""`/oauth2/logout`: nobody is signed out by a stranger's image, nor sent to a stranger's address."""

import asyncio
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from service import clock
from service.accounts.account import User
from service.clients.registry import ClientChange
from service.logout import LogoutNotice, LogoutTokens
from tests.web.credentials import signed_anew
from tests.web.oauth.asking import App, register
from tests.web.oauth.browsing import Surfer, surfing
from tests.web.reading import read_page
from tests.web.running import Web

pytestmark = pytest.mark.anyio
BACK = "https://app.example/bye"
LOGOUT = "/oauth2/logout"


@pytest.fixture(scope="module")
async def app(web: Web) -> App:
    """An application to which people come back."""
    return await register(web, "Orders", post_logout_redirect_uris=(BACK, f"{BACK}?tenant=7"))


@pytest.fixture
async def browser(surfer: Surfer, ada: User) -> Surfer:
    """Ada's."""
    return await surfer.signed_in("ada")


async def is_signed_in(surfer: Surfer) -> bool:
    page = read_page((await surfer.get("/sign-in")).text)
    return "password" not in page.inputs


async def tokens(app: App, surfer: Surfer) -> dict[str, Any]:
    return await app.tokens(surfer, scope="openid")


async def sign_out(surfer: Surfer, **params: str) -> httpx2.Response:
    return await surfer.follow(await surfer.get(LOGOUT, **params))


async def assert_refused(surfer: Surfer, answer: httpx2.Response, status: int = 400) -> None:
    """A page without a form, and the person is where they were."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert read_page(answer.text).inputs == {}
    assert await is_signed_in(surfer)


@pytest.mark.spec("LOG-04")
@pytest.mark.spec("OIDC RP-Initiated Logout §6")
@pytest.mark.parametrize("named", [False, True])
async def test_without_a_hint_the_person_is_asked_and_may_stay(browser: Surfer, app: App, named: bool) -> None:
    params = {"client_id": app.client.id, "post_logout_redirect_uri": BACK} if named else {}
    page = await sign_out(browser, **params)
    assert page.status_code == 200
    assert {"csrf", "request"} <= read_page(page.text).inputs.keys()
    assert await is_signed_in(browser)
    assert (await browser.submit(page, choice="stay")).headers["location"] == "/sign-in"
    assert await is_signed_in(browser)
    answer = await browser.submit(page, choice="sign_out")
    assert answer.headers["location"] == (BACK if named else "/signed-out")
    assert not await is_signed_in(browser)


@pytest.mark.spec("LOG-05")
async def test_a_hint_of_somebody_else_asks(browser: Surfer, other_surfer: Surfer, app: App, bob: User) -> None:
    of_bob = await tokens(app, await other_surfer.signed_in("bob"))
    page = await sign_out(browser, id_token_hint=of_bob["id_token"], post_logout_redirect_uri=BACK)
    assert page.status_code == 200
    assert "ada" in page.text
    assert re.search(r"\bbob\b", page.text) is None  # a token of the page may have the letters in it
    assert await is_signed_in(browser)


@pytest.mark.spec("LOG-05")
async def test_a_hint_of_another_client_is_refused(web: Web, browser: Surfer, app: App) -> None:
    other = await register(web, "Other", post_logout_redirect_uris=("https://other.example/bye",))
    hint = (await tokens(app, browser))["id_token"]
    await assert_refused(browser, await sign_out(browser, id_token_hint=hint, client_id=other.client.id))
    for address in ("https://other.example/bye", "https://evil.example/", f"{BACK}/", f"{BACK}?tenant=8"):
        answer = await sign_out(browser, id_token_hint=hint, post_logout_redirect_uri=address)
        await assert_refused(browser, answer)
    await assert_refused(browser, await sign_out(browser, client_id="gp_client_00000000000000000000"))


@pytest.mark.spec("LOG-05")
@pytest.mark.spec("OIDC RP-Initiated Logout §2")
async def test_a_hint_may_have_expired(web: Web, browser: Surfer, app: App) -> None:
    hint = (await tokens(app, browser))["id_token"]
    past = int((clock.now() - timedelta(days=30)).timestamp())
    expired = signed_anew(web, hint, typ="JWT", iat=past, exp=past + 600)
    answer = await sign_out(browser, id_token_hint=expired, post_logout_redirect_uri=BACK)
    assert answer.headers["location"] == BACK
    assert not await is_signed_in(browser)


@pytest.mark.spec("JWT-49")
@pytest.mark.spec("RFC 8725 §3.12")
async def test_no_other_token_of_ours_is_a_hint(web: Web, browser: Surfer, app: App, ada: User) -> None:
    got = await tokens(app, browser)
    now = clock.now()
    notice = LogoutNotice("1", app.client.id, BACK, ada.id, "2", now, now)
    keyring = web.rooms.keyring
    logout_token = LogoutTokens(keyring, issuer=web.settings.issuer, algorithms=("RS256",)).issue(
        notice, algorithm="RS256", now=now
    )
    strangers = signed_anew(web, got["id_token"], typ="JWT", iss="https://op.example")
    nobodys = signed_anew(web, got["id_token"], typ="JWT", sub=None)
    for hint in (got["access_token"], got["refresh_token"], logout_token, strangers, nobodys, "x", "a.b.c"):
        await assert_refused(browser, await sign_out(browser, id_token_hint=hint))


@pytest.mark.spec("OIDC RP-Initiated Logout §2")
async def test_an_application_may_send_a_form(browser: Surfer, app: App) -> None:
    """It brings no cookies along, so it comes again by GET; what is wrong with it is said at once."""
    hint = (await tokens(app, browser))["id_token"]
    form = {"id_token_hint": hint, "post_logout_redirect_uri": BACK, "state": "a b&c", "unknown": "x"}
    answer = await browser.client.post(LOGOUT, data=form)
    assert answer.status_code == 303
    assert "unknown" not in answer.headers["location"]
    answer = await browser.follow(answer)
    assert answer.headers["location"] == f"{BACK}?state=a+b%26c"
    assert not await is_signed_in(browser)
    answer = await browser.client.post(LOGOUT, data={"id_token_hint": "x"})
    assert (answer.status_code, "location" in answer.headers) == (400, False)


@pytest.mark.spec("OIDC RP-Initiated Logout §3")
async def test_the_state_joins_a_query_that_is_registered(browser: Surfer, app: App) -> None:
    hint = (await tokens(app, browser))["id_token"]
    answer = await sign_out(browser, id_token_hint=hint, post_logout_redirect_uri=f"{BACK}?tenant=7", state="s")
    assert answer.headers["location"] == f"{BACK}?tenant=7&state=s"


async def test_what_comes_twice_is_refused(browser: Surfer, app: App) -> None:
    hint = (await tokens(app, browser))["id_token"]
    good = urlencode({"id_token_hint": hint, "post_logout_redirect_uri": BACK})
    for again in ("post_logout_redirect_uri=https%3A%2F%2Fevil.example", f"id_token_hint={hint}", "x=1&x=2"):
        await assert_refused(browser, await browser.get(f"{LOGOUT}?{good}&{again}"))


async def test_a_disabled_client_brings_nobody_back(web: Web, browser: Surfer) -> None:
    gone = await register(web, "Gone", post_logout_redirect_uris=(BACK,))
    hint = (await tokens(gone, browser))["id_token"]
    await web.rooms.clients.change(gone.client.id, ClientChange(disabled=True), now=clock.now())
    answer = await sign_out(browser, id_token_hint=hint, post_logout_redirect_uri=BACK)
    await assert_refused(browser, answer)


@pytest.mark.spec("CSRF-05")
async def test_the_answer_counts_only_from_our_own_page_in_this_browser(
    web: Web, browser: Surfer, other_surfer: Surfer
) -> None:
    page = await sign_out(browser)
    sent = {name: one["value"] for name, one in read_page(page.text).inputs.items() if "value" in one}
    wrong = [{**sent, "csrf": "x"}, {**sent, "csrf": ""}, {**sent, "request": ""}, {**sent, "request": "x"}]
    for form in wrong:
        answer = await browser.client.post(LOGOUT, data={**form, "choice": "sign_out"})
        assert answer.status_code in (400, 403)
        assert await is_signed_in(browser)
    answer = await other_surfer.client.post(LOGOUT, data={**sent, "choice": "sign_out"})
    assert answer.status_code == 403
    assert await is_signed_in(browser)


async def test_signing_out_when_nobody_is_signed_in_goes_where_it_should(surfer: Surfer, app: App) -> None:
    assert (await surfer.get(LOGOUT)).headers["location"] == "/signed-out"
    params = {"client_id": app.client.id, "post_logout_redirect_uri": BACK, "state": "s"}
    assert (await surfer.get(LOGOUT, **params)).headers["location"] == f"{BACK}?state=s"


@pytest.mark.spec("LOG-11")
async def test_the_cookie_goes_everything_granted_ends_and_nothing_is_kept(browser: Surfer, app: App) -> None:
    got = await tokens(app, browser)
    copied = dict(browser.client.cookies)
    answer = await browser.get(LOGOUT, id_token_hint=got["id_token"])
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "gp_session" not in browser.client.cookies
    browser.client.cookies.update(copied)
    assert not await is_signed_in(browser)
    assert not await app.is_active(got["access_token"])
    assert (await app.refresh(got["refresh_token"])).status_code == 400


@pytest.mark.spec("LOG-09")
async def test_no_refresh_that_races_with_signing_out_outlives_it(web: Web, app: App, ada: User) -> None:
    for _ in range(8):
        async with surfing(web) as surfer:
            got = await tokens(app, await surfer.signed_in("ada"))
            racing = [app.refresh(got["refresh_token"]) for _ in range(4)]
            out, *refreshed = await asyncio.gather(surfer.get(LOGOUT, id_token_hint=got["id_token"]), *racing)
            assert out.status_code == 303
            given = [answer.json() for answer in refreshed if answer.status_code == 200]
            for pair in [got, *given]:
                assert not await app.is_active(pair["access_token"])
                assert (await app.refresh(pair["refresh_token"])).status_code == 400
