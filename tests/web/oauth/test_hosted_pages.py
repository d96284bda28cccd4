"""What holds for every page for people: nobody frames it, keeps it, reads it from elsewhere, or sends its form."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from service.accounts.account import User
from service.web.pages import PageRoute
from tests.altered import altered
from tests.servers.gatepost import PASSWORD
from tests.web.oauth.asking import FORM, App, register
from tests.web.oauth.browsing import Surfer, asked, hidden, returned
from tests.web.reading import read_page
from tests.web.running import Web

pytestmark = pytest.mark.anyio
OURS = "https://app.example"


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    """One origin may read the API."""
    return {"SERVER__CORS_ORIGINS": OURS}


@pytest.fixture(scope="module")
async def app(web: Web) -> App:
    """An application that asks for consent."""
    return await register(web, "Orders", skips_consent=False)


def pages(web: Web) -> Iterator[tuple[str, str]]:
    """Every method and path that is for people."""
    for route in web.app.routes:
        if isinstance(route, PageRoute):
            path = route.path.replace("{provider}", "acme")
            yield from ((method, path) for method in sorted(route.methods or ()))


@pytest.mark.spec("CLICK-01")
@pytest.mark.spec("RFC 9700 §4.16")
@pytest.mark.spec("NAV-01")
async def test_no_page_can_be_framed_kept_or_told_of(web: Web, surfer: Surfer, app: App) -> None:
    found = list(pages(web))
    assert {"/oauth2/authorize", "/sign-in", "/consent", "/oauth2/logout", "/signed-out"} <= {path for _, path in found}
    for method, path in found:
        for params in ({}, {"request": "x"}, asked(app.client)):
            answer = await surfer.client.request(method, path, params=params)
            policy = answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy, (method, path)
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.status_code not in (301, 302, 307, 308)


@pytest.mark.spec("CORS-01")
@pytest.mark.spec("OAuth 2.1 §3.1")
async def test_no_page_can_be_read_by_a_script_of_another_origin_even_a_configured_one(
    web: Web, surfer: Surfer, app: App
) -> None:
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    for origin in (OURS, "https://evil.example", "null"):
        for method, path in pages(web):
            assert "{" not in path
            params = asked(app.client) if path == "/oauth2/authorize" else {}
            answers = [
                await surfer.client.request(method, path, params=params, headers={"Origin": origin}),
                await surfer.client.options(path, headers={"Origin": origin, **asks}),
            ]
            for answer in answers:
                assert not [name for name in answer.headers if name.startswith("access-control-")], (method, path)
    api = await surfer.client.get("/users/me", headers={"Origin": OURS})
    assert api.headers["access-control-allow-origin"] == OURS


@pytest.mark.spec("CONS-03")
@pytest.mark.spec("CSRF-04")
async def test_a_yes_counts_only_from_the_form_that_this_person_was_shown_in_this_browser(
    web: Web, surfer: Surfer, other_surfer: Surfer, app: App, ada: User, bob: User
) -> None:
    await surfer.signed_in("ada")
    await other_surfer.signed_in("bob")
    page = await surfer.authorize(app.client)
    other_page = await other_surfer.authorize(app.client)
    wider = await surfer.authorize(app.client, scope="openid profile orders:read")
    mine, theirs, more = hidden(page), hidden(other_page), hidden(wider)
    wrong = {
        "nothing": {"csrf": ""},
        "none": {"csrf": "x"},
        "another browser's": {"csrf": theirs["csrf"]},
        "of other scopes": {"csrf": more["csrf"]},
        "not ascii": {"csrf": "é"},
        "cut": {"csrf": mine["csrf"][:-1]},
    }
    for what, changed in wrong.items():
        answer = await surfer.submit(page, choice="allow", **changed)
        assert answer.status_code == 403, what
        assert "location" not in answer.headers
    for what, fields in {"another's": theirs, "forged": {**mine, "request": altered(mine["request"])}}.items():
        answer = await surfer.client.post("/consent", data={**fields, "choice": "allow"})
        assert answer.status_code == 400, what
        assert "location" not in answer.headers
    for field in ("scope", "client_id", "redirect_uri", "request", "choice"):
        form = urlencode([*mine.items(), ("choice", "allow"), (field, "deny")]).encode()
        answer = await surfer.client.post("/consent", content=form, headers=FORM)
        assert answer.status_code == 400, field
    assert await web.rooms.consents.find(ada.id, app.client.id) is None
    assert "code" in returned(await surfer.allow(page))


@pytest.mark.spec("CONS-01")
@pytest.mark.spec("RFC 6749 §4.1.2.1")
async def test_a_no_goes_back_with_state_and_issuer_and_without_a_code(surfer: Surfer, app: App, bob: User) -> None:
    await surfer.signed_in("bob")
    fields = returned(await surfer.submit(await surfer.authorize(app.client), choice="deny"))
    assert (fields["error"], fields["state"], fields["iss"]) == ("access_denied", "st-1", "http://localhost:8000")
    assert "code" not in fields
    for choice in ("", "maybe"):
        answer = await surfer.submit(await surfer.authorize(app.client), choice=choice)
        assert (answer.status_code, "location" in answer.headers) == (400, False)


@pytest.mark.spec("SESS-01")
@pytest.mark.spec("CSRF-03")
async def test_a_sign_in_takes_a_form_of_this_very_browser_and_a_new_session(
    web: Web, surfer: Surfer, other_surfer: Surfer, ada: User
) -> None:
    page, other_page = await surfer.get("/sign-in"), await other_surfer.get("/sign-in")
    before = dict(surfer.client.cookies)
    assert before.keys() == {"gp_browser"}
    proof = {"username": "ada", "password": PASSWORD}
    for csrf in ("", "x", hidden(other_page)["csrf"]):
        answer = await surfer.submit(page, **proof, csrf=csrf)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    plain = f"csrf={hidden(page)['csrf']}&username=ada&password={PASSWORD}".replace(" ", "+").encode()
    for kind in ("text/plain", "application/json", "multipart/form-data; boundary=x"):
        answer = await surfer.client.post("/sign-in", content=plain, headers={"Content-Type": kind})
        assert (answer.status_code, "set-cookie" in answer.headers) == (415, False)
    planted = {"Cookie": f"gp_browser={before['gp_browser']}; gp_session=gp_bs_planted"}
    answer = await surfer.client.post("/sign-in", data={**hidden(page), **proof}, headers=planted)
    assert answer.status_code == 303
    assert surfer.client.cookies["gp_session"] != "gp_bs_planted"
    assert "ada" in read_page((await surfer.get("/sign-in")).text).text
    assert "ada" not in read_page((await other_surfer.get("/sign-in")).text).text


@pytest.mark.spec("COOK-01")
async def test_cookies_of_the_pages_are_out_of_reach_of_scripts_and_of_other_sites(surfer: Surfer, ada: User) -> None:
    page = await surfer.get("/sign-in")
    answer = await surfer.submit(page, username="ada", password=PASSWORD)
    set_by = [*page.headers.get_list("set-cookie"), *answer.headers.get_list("set-cookie")]
    assert [one.partition("=")[0] for one in set_by] == ["gp_browser", "gp_device", "gp_session"]
    for one in set_by:
        attributes = {part.strip().lower() for part in one.split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/"} <= attributes
        assert not [part for part in attributes if part.startswith(("domain", "expires"))]
        assert ("max-age=34560000" in attributes) == one.startswith("gp_device"), "only the device outlives the browser"
