"""The hosted sign-in under attack: its cookie, its ends, signing out, and what one yes does not cover."""

from datetime import timedelta

import pytest

from service import clock
from service.accounts.account import User
from service.accounts.directory import UserChange
from service.sessions.pairs import Device
from tests.altered import altered
from tests.servers.gatepost import PASSWORD
from tests.servers.valkey import ValkeyServer
from tests.web.credentials import signed_anew
from tests.web.oauth.asking import App, given, register
from tests.web.oauth.browsing import REDIRECT, Surfer, hidden, returned, surfing
from tests.web.reading import read_page
from tests.web.running import Web, assert_problem, bearer, running_web

pytestmark = pytest.mark.anyio
BYE = "https://app.example/bye"


@pytest.fixture(scope="module")
async def app(web: Web) -> App:
    """An application of the house's own."""
    return await register(web, "Intranet", post_logout_redirect_uris=(BYE,))


async def is_signed_in(surfer: Surfer, app: App) -> bool:
    """Whether a silent request finds somebody."""
    fields = returned(await surfer.authorize(app.client, prompt="none"))
    assert fields.get("error", "login_required") == "login_required"
    return "code" in fields


async def at(web: Web, surfer: Surfer, user: User, ago: timedelta) -> None:
    """The browser, as if this person had signed in in it so long ago and not come back since."""
    cookie = await web.rooms.browser_sessions.open(
        user, amr=("pwd",), device=Device(), before=None, now=clock.now() - ago
    )
    surfer.client.cookies.clear()
    surfer.client.cookies.set("gp_session", cookie, domain="localhost.local")


@pytest.mark.spec("SESS-02")
async def test_a_sign_in_ends_by_disuse_and_by_age(web: Web, surfer: Surfer, app: App, ada: User) -> None:
    idle, whole = web.settings.browser.session_idle, web.settings.browser.session_life
    for ago, alive in ((timedelta(0), True), (idle - timedelta(minutes=1), True), (idle, False), (whole, False)):
        await at(web, surfer, ada, ago)
        assert await is_signed_in(surfer, app) is alive, ago


@pytest.mark.spec("SESS-03")
@pytest.mark.spec("SESS-04")
async def test_a_copied_cookie_works_no_longer_than_the_session_it_names(
    web: Web, surfer: Surfer, other_surfer: Surfer, app: App
) -> None:
    user = await web.add_user("copied", roles=("clerk",))
    for ending in ("logout", "password", "everywhere", "disabled"):
        await surfer.signed_in("copied")
        copied = surfer.client.cookies["gp_session"]
        for cookie, alive in ((copied, True), (copied[:-1], False), (copied + "A", False), ("", False)):
            other_surfer.client.cookies.clear()
            other_surfer.client.cookies.set("gp_session", cookie, domain="localhost.local")
            assert await is_signed_in(other_surfer, app) is alive
        own = await web.token("copied")
        match ending:
            case "logout":
                page = await surfer.get("/oauth2/logout")
                assert (await surfer.submit(page, choice="sign_out")).status_code == 303
            case "password":
                body = {"current_password": PASSWORD, "new_password": PASSWORD + "!"}
                answer = await web.client.post("/users/me/password", json=body, headers=own)
                assert answer.status_code == 204, answer.text
                await web.rooms.directory.set_password(user.id, PASSWORD, now=clock.now())
            case "everywhere":
                assert (await web.client.post("/auth/logout-all", headers=own)).status_code == 204
            case "disabled":
                await web.rooms.directory.change(user.id, UserChange(disabled=True), now=clock.now())
        other_surfer.client.cookies.clear()
        other_surfer.client.cookies.set("gp_session", copied, domain="localhost.local")
        assert not await is_signed_in(other_surfer, app), ending


@pytest.mark.spec("COOK-03")
async def test_behind_https_a_sibling_domains_cookie_is_nobodys(sqlite_url: str, valkey_server: ValkeyServer) -> None:
    async with running_web(sqlite_url, valkey_server.url, PUBLIC_URL="https://id.example") as web:
        user = await web.add_user("secure")
        app = await register(web, "Secure")
        async with surfing(web) as surfer:
            page = await surfer.get("/sign-in")
            answer = await surfer.submit(page, username="secure", password=PASSWORD)
            for one in (*page.headers.get_list("set-cookie"), *answer.headers.get_list("set-cookie")):
                assert one.startswith(("__Host-gp_browser=", "__Host-gp_device=", "__Host-gp_session="))
                assert {"secure", "httponly", "path=/", "samesite=lax"} <= set(one.lower().split("; "))
            assert "strict-transport-security" in page.headers
            genuine = surfer.client.cookies["__Host-gp_session"]
            surfer.client.cookies.clear()
            for cookie, alive in (
                (f"__Host-gp_session={genuine}", True),
                (f"gp_session={genuine}", False),
                (f"__Secure-gp_session={genuine}", False),
                (f"__host-gp_session={genuine}", False),
                (f"__Host-gp_session={genuine}; __Host-gp_session={genuine}", False),
            ):
                surfer.client.headers["Cookie"] = cookie
                assert await is_signed_in(surfer, app) is alive, cookie
        assert user.active


@pytest.mark.spec("LOG-04")
@pytest.mark.spec("LOG-05")
@pytest.mark.spec("LOG-11")
async def test_nobody_is_signed_out_without_a_word_by_who_cannot_say_whom_they_mean(
    web: Web, surfer: Surfer, other_surfer: Surfer, app: App, ada: User, bob: User
) -> None:
    await surfer.signed_in("ada")
    await other_surfer.signed_in("bob")
    other = await register(web, "Other")
    mine, theirs = await app.tokens(surfer), await app.tokens(other_surfer)
    asks = {
        "nothing": {},
        "a client": {"client_id": app.client.id},
        "a client and where to": {"client_id": app.client.id, "post_logout_redirect_uri": BYE},
        "another person's hint": {"id_token_hint": theirs["id_token"]},
        "a logout hint": {"logout_hint": "ada"},
    }
    for what, asked in asks.items():
        for method in ("GET", "HEAD"):
            answer = await surfer.client.request(method, "/oauth2/logout", params=asked)
            assert answer.status_code == 200, what
        assert await is_signed_in(surfer, app), what
    refused = {
        "an access token": {"id_token_hint": mine["access_token"]},
        "a logout token": {"id_token_hint": signed_anew(web, mine["id_token"], typ="logout+jwt")},
        "a forged hint": {"id_token_hint": altered(mine["id_token"])},
        "another client's hint": {"id_token_hint": mine["id_token"], "client_id": other.client.id},
        "an address of nobody's": {
            "id_token_hint": mine["id_token"],
            "post_logout_redirect_uri": "https://evil.example",
        },
        "one that is nearly it": {"client_id": app.client.id, "post_logout_redirect_uri": BYE + "/"},
        "a redirect URI": {"client_id": app.client.id, "post_logout_redirect_uri": REDIRECT},
        "another client's": {"client_id": other.client.id, "post_logout_redirect_uri": BYE},
        "unknown client": {"client_id": "gp_client_00000000000000000000"},
    }
    for what, asked in refused.items():
        answer = await surfer.get("/oauth2/logout", **asked)
        assert (answer.status_code, "location" in answer.headers) == (400, False), what
        assert await is_signed_in(surfer, app), what
    twice = f"/oauth2/logout?id_token_hint={mine['id_token']}&id_token_hint={mine['id_token']}"
    assert (await surfer.get(twice)).status_code == 400
    nowhere = await surfer.get("/oauth2/logout", post_logout_redirect_uri="https://evil.example")
    assert "evil" not in nowhere.text
    # A hint of this person, as old as it may be, says whom it means.
    old = signed_anew(web, mine["id_token"], typ="JWT", exp=1, iat=1)
    answer = await surfer.get("/oauth2/logout", id_token_hint=old, post_logout_redirect_uri=BYE, state="s&1")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{BYE}?state=s%261")
    assert not await is_signed_in(surfer, app)
    assert await is_signed_in(other_surfer, app)


@pytest.mark.spec("CSRF-04")
async def test_the_question_whether_to_sign_out_is_answered_by_its_own_form_alone(
    surfer: Surfer, other_surfer: Surfer, app: App, ada: User, bob: User
) -> None:
    await surfer.signed_in("ada")
    await other_surfer.signed_in("bob")
    page, theirs = await surfer.get("/oauth2/logout"), await other_surfer.get("/oauth2/logout")
    consent = hidden(await surfer.authorize(app.client, prompt="login"))
    for csrf in ("x", hidden(theirs)["csrf"], consent["csrf"], "é"):
        answer = await surfer.submit(page, choice="sign_out", csrf=csrf)
        assert answer.status_code == 403
    for changed in ({"request": hidden(theirs)["request"]}, {"request": consent["request"]}, {"request": ""}):
        assert (await surfer.submit(page, choice="sign_out", **changed)).status_code == 400
    assert (await surfer.submit(page, choice="stay")).headers["location"] == "/sign-in"
    assert await is_signed_in(surfer, app)
    assert (await surfer.submit(page, choice="sign_out")).status_code == 303
    assert not await is_signed_in(surfer, app)


@pytest.mark.spec("CONS-02")
@pytest.mark.spec("CONS-05")
@pytest.mark.spec("SCOPE-06")
@pytest.mark.spec("RFC 8252 §8.6")
async def test_one_yes_covers_neither_another_application_nor_more_nor_elsewhere_nor_a_program_on_the_device(
    web: Web, surfer: Surfer, ada: User
) -> None:
    api = "https://a.example"
    await surfer.signed_in("ada")
    one, other = [
        await register(web, name, "orders:read", "orders:write", skips_consent=False, resources=(api,))
        for name in ("One", "Other")
    ]
    native = await register(
        web, "Native", method="none", skips_consent=False, redirect_uris=("http://127.0.0.1/cb", REDIRECT)
    )

    async def silently(asking: App, **changed: str) -> str:
        answer = await surfer.authorize(asking.client, prompt="none", **changed)
        fields = returned(answer, changed.get("redirect_uri", REDIRECT))
        return fields.get("error", "granted")

    assert await silently(one) == "consent_required"
    await one.code(surfer)
    assert await silently(one) == "granted"
    assert await silently(one, scope="openid") == "granted"
    assert await silently(other) == "consent_required"
    assert await silently(one, scope="openid orders:read orders:write") == "consent_required"
    assert await silently(one, scope="openid offline_access") == "consent_required"
    assert await silently(one, resource=api) == "consent_required"
    await native.code(surfer)
    assert await silently(native) == "granted"
    assert await silently(native, redirect_uri="http://127.0.0.1:7000/cb") == "consent_required"


@pytest.mark.spec("CONS-04")
async def test_what_is_carried_goes_on_only_in_its_browser_and_as_it_was(
    surfer: Surfer, other_surfer: Surfer, app: App, ada: User
) -> None:
    page = await surfer.authorize(app.client)
    carried = hidden(page)["request"]
    for path in ("/oauth2/resume", "/sign-in", "/consent"):
        for browser, text in (
            (other_surfer, carried),
            (surfer, carried[:-1]),
            (surfer, carried[:40] + ("A" if carried[40] != "A" else "B") + carried[41:]),
            (surfer, "x" * 20_000),
            (surfer, "é"),
        ):
            answer = await browser.get(path, request=text)
            assert (answer.status_code, "location" in answer.headers) == (400, False)
            assert read_page(answer.text).inputs == {}
    changed = f"/sign-in?request={carried}&client_id=evil&redirect_uri=https://evil.example&scope=admin:users:write"
    assert (await surfer.get(changed)).status_code == 200
    answer = await surfer.sign_in(page, "ada")
    tokens = given(await app.redeem(returned(answer)["code"]))
    assert tokens["scope"] == "openid orders:read"


async def test_the_hosted_cookie_opens_pages_and_nothing_of_the_api(web: Web, surfer: Surfer, ada: User) -> None:
    await surfer.signed_in("ada")
    cookie = surfer.client.cookies["gp_session"]
    assert_problem(await surfer.get("/users/me"), 401, "not_authenticated")
    for fields in (bearer(cookie), {"X-API-Key": cookie}, {"Cookie": f"gp_access={cookie}"}):
        assert (await web.client.get("/users/me", headers=fields)).status_code == 401
    answer = await surfer.client.post("/auth/logout-all", headers={"X-Gatepost-CSRF": "1"})
    assert_problem(answer, 401, "not_authenticated")
