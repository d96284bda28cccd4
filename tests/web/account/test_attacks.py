"""The pages of the account under attack: other sites, other people, old sign-ins, markup, doubled forms."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import httpx2
import pytest

from service import clock
from service.accounts.account import User
from service.accounts.change import UserChange
from service.sessions.pairs import Device
from service.web.account.visit import AccountRoute
from tests.altered import altered
from tests.servers.gatepost import PASSWORD
from tests.web.oauth.asking import App, register
from tests.web.oauth.browsing import Surfer, hidden, surfing
from tests.web.reading import read_page
from tests.web.running import Web, basic, bearer

pytestmark = pytest.mark.anyio
MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
NEW = "/account/api-keys/new"
RECENT = ("/account/password", "/account/email", "/account/linked", NEW)


def paths(web: Web) -> list[str]:
    """Every page of the account."""
    return sorted({route.path for route in web.app.routes if isinstance(route, AccountRoute)})


@pytest.fixture(scope="module")
async def app(web: Web) -> App:
    """An application whose name is markup, and that may act on accounts."""
    return await register(web, f"Evil {MARKUP}"[:100], "account:read", "account:write", skips_consent=False)


def forms(key: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    """A form for each page that would change something."""
    yield "/account", dict.fromkeys(("given_name", "family_name", "nickname", "birthdate", "phone_number"), "x")
    yield "/account/password", {"current_password": PASSWORD, "password": PASSWORD * 2, "password_again": PASSWORD * 2}
    yield "/account/email", {"email": "evil@example.org"}
    yield "/account/linked", {"identity": key}
    yield "/account/sessions", {"choice": "others"}
    yield "/account/applications", {"client": "gp_client_x"}
    yield "/account/api-keys", {"key": key}
    yield NEW, {"key": key, "name": "evil", "days": ""}


async def token_of(surfer: Surfer, path: str) -> str:
    """The token of a page's form; a list that is empty has none, and its token is that of no other page."""
    return hidden(await surfer.get(path)).get("csrf", "")


async def at(web: Web, surfer: Surfer, user: User, ago: timedelta) -> None:
    """The browser, as if this person had signed in in it so long ago and used it just now."""
    now = clock.now()
    opened = web.rooms.browser_sessions
    await surfer.get("/sign-in")
    cookie = await opened.open(user, amr=("pwd",), device=Device(), before=None, now=now - ago)
    surfer.client.cookies.set("gp_session", cookie, domain="localhost.local")


@pytest.mark.spec("CSRF-04")
async def test_no_form_counts_but_the_one_that_was_shown_here_for_this_very_page(
    web: Web, inside: Surfer, other_surfer: Surfer, person: User
) -> None:
    mallory = await web.add_user(f"mallory-{person.username}")
    await other_surfer.signed_in(mallory.username)
    foreign = await token_of(other_surfer, "/account")
    tokens = {path: await token_of(inside, path) for path in paths(web)}
    assert len({*tokens.values()} - {""}) == 4
    for path, fields in forms():
        wrong = [token for other, token in tokens.items() if other != path and token]
        for csrf in ("", "x", "é", foreign, tokens[path][:-1], *wrong):
            answer = await inside.client.post(path, data={**fields, "csrf": csrf})
            assert (answer.status_code, "location" in answer.headers) == (403, False), (path, csrf)
    await assert_untouched(web, inside, person)


@pytest.mark.spec("CSRF-04")
@pytest.mark.spec("CSRF-05")
async def test_a_form_of_another_site_or_another_kind_changes_nothing(web: Web, inside: Surfer, person: User) -> None:
    csrf = await token_of(inside, "/account/password")
    fields = {"csrf": csrf, "current_password": PASSWORD, "password": PASSWORD * 2, "password_again": PASSWORD * 2}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": web.settings.public_url + ".evil.example"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        answer = await inside.client.post("/account/password", data=fields, headers=headers)
        assert answer.status_code == 403, headers
    encoded = httpx2.Request("POST", "http://x", data=fields).content
    for kind in ("text/plain", "application/json", "multipart/form-data; boundary=x", ""):
        answer = await inside.client.post("/account/password", content=encoded, headers={"Content-Type": kind})
        assert answer.status_code == 415, kind
    for name in ("csrf", "password", "_method"):
        again = encoded + f"&{name}=x".encode()
        sent = {"Content-Type": "application/x-www-form-urlencoded"}
        assert (await inside.client.post("/account/password", content=again, headers=sent)).status_code == 400
    for override in ({"X-HTTP-Method-Override": "POST"}, {"X-Method-Override": "POST"}):
        answer = await inside.client.get("/account/password", params=fields, headers=override)
        assert answer.status_code == 200
    await assert_untouched(web, inside, person)
    good = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}  # as browsers send it from a page without referrers
    assert (await inside.client.post("/account/password", data=fields, headers=good)).status_code == 303


async def assert_untouched(web: Web, surfer: Surfer, person: User) -> None:
    """The account is as it was, and the browser signed in."""
    assert (await web.rooms.directory.get(person.id)) == person
    assert await web.rooms.api_keys.page(person.id, after="", limit=9) == []
    assert (await surfer.get("/account")).status_code == 200
    await web.sign_in(person.username)


async def test_nothing_but_the_hosted_sign_in_opens_a_page(web: Web, surfer: Surfer, person: User, app: App) -> None:
    async with surfing(web) as elsewhere:
        await elsewhere.signed_in(person.username)
        granted = (await app.tokens(elsewhere, scope="openid account:read account:write"))["access_token"]
    own = (await web.sign_in(person.username))["access_token"]
    key = await web.rooms.api_keys.create(
        person.id, "k", scopes=(), within=frozenset(), networks=(), life=None, now=clock.now()
    )
    for fields in (
        bearer(granted),
        bearer(own),
        basic(person.username, PASSWORD),
        {"X-API-Key": key.text},
        {"Cookie": f"gp_access={own}"},
        {"Cookie": f"gp_session={own}"},
        {"Cookie": f"gp_session={granted}"},
        {},
    ):
        for path in paths(web):
            answer = await surfer.client.get(path, headers=fields)
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in")
            assert answer.headers["cache-control"] == "no-store"
            posted = await surfer.client.post(path, data={"csrf": "x"}, headers=fields)
            assert (posted.status_code, posted.headers["location"].partition("?")[0]) == (303, "/sign-in")
            assert person.username not in answer.text + posted.text


async def test_a_browser_that_has_lost_its_own_cookie_signs_in_first(inside: Surfer) -> None:
    inside.client.cookies.delete("gp_browser")
    answer = await inside.get("/account")
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in")


@pytest.mark.spec("SESS-03")
@pytest.mark.parametrize("ending", ["ended", "everywhere", "password", "disabled"])
async def test_a_sign_in_that_ended_elsewhere_shows_and_changes_nothing(
    web: Web, inside: Surfer, person: User, ending: str
) -> None:
    csrf = {path: await token_of(inside, path) for path in paths(web)}
    own = await web.token(person.username)
    match ending:
        case "ended":
            (mine, _) = await web.rooms.session_overview.page(person.id, after="", limit=9, now=clock.now())
            assert (await web.client.delete(f"/users/me/sessions/{mine.id}", headers=own)).status_code == 204
        case "everywhere":
            assert (await web.client.post("/auth/logout-all", headers=own)).status_code == 204
        case "password":
            body = {"current_password": PASSWORD, "new_password": PASSWORD + "!"}
            assert (await web.client.post("/users/me/password", json=body, headers=own)).status_code == 204
        case "disabled":
            await web.rooms.directory.change(person.id, UserChange(disabled=True), now=clock.now())
    before = await web.rooms.directory.get(person.id)
    for path, fields in forms():
        assert (await inside.get(path)).status_code == 303
        answer = await inside.client.post(path, data={**fields, "csrf": csrf[path]})
        assert answer.headers["location"].startswith("/sign-in?request=")
    assert await web.rooms.directory.get(person.id) == before
    assert await web.rooms.api_keys.page(person.id, after="", limit=9) == []


@pytest.mark.spec("ASVS 7.5.1")
@pytest.mark.spec("SESS-06")
async def test_what_decides_who_gets_in_takes_a_recent_sign_in(web: Web, surfer: Surfer, person: User) -> None:
    recent, second = web.settings.browser.recent_sign_in, timedelta(seconds=1)
    await at(web, surfer, person, recent - 5 * second)
    csrf = {path: await token_of(surfer, path) for path in RECENT}
    assert [path for path in RECENT if not csrf[path]] == ["/account/linked"]  # nothing is offered there, nor linked
    await at(web, surfer, person, recent)
    assert (await surfer.get("/account")).status_code == 200
    await web.rooms.browser_sessions._reached.flush()  # to have used it just now is not to have signed in just now
    for path in paths(web):
        assert (await surfer.get(path)).status_code == (303 if path in RECENT else 200), path
    for path, fields in forms():
        if path in RECENT:
            answer = await surfer.client.post(path, data={**fields, "csrf": csrf[path]})
            assert answer.headers["location"].startswith("/sign-in?request="), path
    page = await surfer.follow(await surfer.get("/account/password"))
    read = read_page(page.text)
    assert "Sign in once more" in read.text
    assert read.inputs["username"]["value"] == person.username
    answer = await surfer.follow(await surfer.submit(page, choice="continue"))
    assert answer.request.url.path == "/sign-in"  # to go on as who is here is to be asked again
    assert (await surfer.sign_in(page, person.username, "wrong")).status_code == 422
    answer = await surfer.sign_in(page, person.username)
    assert (answer.status_code, answer.request.url.path) == (200, "/account/password")
    living = await web.rooms.session_overview.page(person.id, after="", limit=9, now=clock.now())
    assert len(living) == 2  # the one of the first step, and the new one in place of the old


@pytest.mark.spec("SESS-06")
async def test_what_is_carried_to_the_sign_in_leads_nowhere_but_to_the_page_it_came_from(
    surfer: Surfer, other_surfer: Surfer, person: User
) -> None:
    page = await surfer.follow(await surfer.get("/account/sessions?done=ended&next=https://evil.example"))
    carried = hidden(page)["request"]
    for text in (altered(carried), "https://evil.example", "//evil.example"):
        for path in ("/sign-in", "/oauth2/resume"):
            answer = await surfer.get(path, request=text)
            assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert (await other_surfer.get("/sign-in", request=carried)).status_code == 400
    assert (await surfer.get("/consent", request=carried)).status_code == 400
    answer = await surfer.submit(page, username=person.username, password=PASSWORD)
    answer = await surfer.get(answer.headers["location"])
    assert answer.headers["location"] == "/account/sessions"


@pytest.mark.spec("MASS-03")
@pytest.mark.spec("MASS-04")
async def test_a_form_takes_no_field_that_it_does_not_have(web: Web, inside: Surfer, person: User) -> None:
    page = await inside.get(NEW)
    key = {"key": read_page(page.text).inputs["key"]["value"], "name": "n", "days": "7"}
    for extra in ("user_id", "user", "scope.admin:users:write", "scope.account:write", "scopes", "networks", "epoch"):
        answer = await inside.submit(page, **key, **{extra: "x"})
        assert answer.status_code == 400, extra
    profile = await inside.get("/account")
    for extra in ("roles", "username", "email", "preferred_username", "phone_number_verified", "picture"):
        assert (await inside.submit(profile, name="x", **{extra: "x"})).status_code == 400, extra
    await assert_untouched(web, inside, person)


async def test_the_id_of_a_key_is_the_one_that_the_form_was_shown_with(web: Web, inside: Surfer) -> None:
    page = await inside.get(NEW)
    for key in ("0192f3a0-0000-7000-8000-000000000000", "", "x"):
        assert (await inside.submit(page, key=key, name="n", days="7")).status_code == 403


async def test_ids_of_another_person_are_no_ids(web: Web, inside: Surfer, person: User, app: App) -> None:
    victim = await web.add_user(f"victim-{person.username}")
    async with surfing(web) as theirs:
        await theirs.signed_in(victim.username)
        await app.tokens(theirs, scope="openid")
    made = await web.rooms.api_keys.create(
        victim.id, "k", scopes=(), within=frozenset(), networks=(), life=None, now=clock.now()
    )
    sessions = await web.rooms.session_overview.page(victim.id, after="", limit=9, now=clock.now())
    await web.sign_in(person.username)  # a second session, so that the page has forms
    csrf = await token_of(inside, "/account/sessions")
    for session_id in (*(one.id for one in sessions), "", "x", "0192f3a0-0000-7000-8000-000000000000", MARKUP):
        sent = {"csrf": csrf, "choice": "end", "session": session_id}
        answer = await inside.client.post("/account/sessions", data=sent)
        assert answer.status_code == 404, session_id
    await web.rooms.api_keys.create(
        person.id, "mine", scopes=(), within=frozenset(), networks=(), life=None, now=clock.now()
    )
    csrf = await token_of(inside, "/account/api-keys")
    for key_id in (made.key.id, "", "x", MARKUP):
        answer = await inside.client.post("/account/api-keys", data={"csrf": csrf, "key": key_id})
        assert answer.status_code == 404, key_id
    await app.code(inside, scope="openid")
    csrf = await token_of(inside, "/account/applications")
    for client_id in ("gp_client_x", "", MARKUP):
        answer = await inside.client.post("/account/applications", data={"csrf": csrf, "client": client_id})
        assert answer.status_code == 303
    assert len(await web.rooms.session_overview.page(victim.id, after="", limit=9, now=clock.now())) == len(sessions)
    assert len(await web.rooms.api_keys.page(victim.id, after="", limit=9)) == 1
    assert await web.rooms.consents.find(victim.id, app.client.id) is not None
    assert await web.rooms.consents.find(person.id, app.client.id) is not None


@pytest.mark.spec("XSS-01")
@pytest.mark.spec("XSS-02")
async def test_markup_of_devices_names_and_applications_is_text(
    web: Web, surfer: Surfer, person: User, app: App
) -> None:
    for user_agent in (MARKUP, f"Mozilla/5.0 {MARKUP}", "a" * 9_000, "<b>/1", "Harbour/1 <b>"):
        async with surfing(web) as other:
            other.client.headers["User-Agent"] = user_agent
            await other.signed_in(person.username)
    await surfer.signed_in(person.username)
    await app.tokens(surfer, scope="openid")
    await web.rooms.own_profile.change(person.id, {"name": MARKUP, "nickname": MARKUP}, now=clock.now())
    await web.rooms.api_keys.create(
        person.id, MARKUP, scopes=(), within=frozenset(), networks=(), life=None, now=clock.now()
    )
    for path in paths(web):
        page = await surfer.get(path, done=MARKUP)
        assert page.status_code == 200
        assert read_page(page.text).inline == []
        for mark in ("<script", "<img src=x", "<b>"):
            assert mark not in page.text, path
    mistaken = await surfer.submit(await surfer.get("/account"), **dict.fromkeys(("name", "website"), MARKUP))
    assert (mistaken.status_code, "<script" in mistaken.text) == (422, False)


@pytest.mark.spec("CLICK-01")
@pytest.mark.spec("HTTP-12")
async def test_nobody_keeps_frames_or_scripts_a_page(web: Web, inside: Surfer) -> None:
    for path in paths(web):
        answer = await inside.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        )
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert [one for one in read_page(answer.text).references if not one.startswith(("/", "#"))] == []


@pytest.mark.spec("RACE-06")
async def test_of_eight_times_the_same_form_one_makes_the_key(web: Web, inside: Surfer, person: User) -> None:
    page = await inside.get(NEW)
    fields = {"key": read_page(page.text).inputs["key"]["value"], "name": "One", "days": "7"}
    answers = await asyncio.gather(*(inside.submit(page, **fields) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [303] * 7
    assert {answer.headers["location"] for answer in answers if answer.status_code == 303} == {
        "/account/api-keys?done=once"
    }
    assert len(await web.rooms.api_keys.page(person.id, after="", limit=9)) == 1


async def test_of_eight_times_the_same_form_one_sets_the_password(web: Web, inside: Surfer, person: User) -> None:
    page, new = await inside.get("/account/password"), "x" + PASSWORD
    fields = {"current_password": PASSWORD, "password": new, "password_again": new}
    answers = await asyncio.gather(*(inside.submit(page, **fields) for _ in range(8)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 303
    assert {*statuses[1:]} <= {409, 422}
    await web.sign_in(person.username, new)
    assert (await inside.get("/account")).status_code == 200


async def test_of_eight_times_the_same_form_each_ends_what_is_left(web: Web, inside: Surfer, person: User) -> None:
    for _ in range(3):
        await web.sign_in(person.username)
    page = await inside.get("/account/sessions")
    answers = await asyncio.gather(*(inside.submit(page, choice="others") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {303}
    living = await web.rooms.session_overview.page(person.id, after="", limit=9, now=clock.now())
    assert len(living) == 1


@pytest.mark.spec("LOG-08")
async def test_one_session_ends_alone_and_all_others_leave_this_one(web: Web, inside: Surfer, person: User) -> None:
    tokens = [await web.token(person.username) for _ in range(3)]
    page = await inside.get("/account/sessions")
    _, first, *_ = await web.rooms.session_overview.page(person.id, after="", limit=9, now=clock.now())
    assert (await inside.submit(page, choice="end", session=first.id)).status_code == 303
    assert await statuses_of(web, tokens) == [401, 200, 200]
    assert (await inside.submit(page, choice="end", session=first.id)).status_code == 303  # sent twice
    assert await statuses_of(web, tokens) == [401, 200, 200]
    for choice in ("", "all"):
        assert (await inside.submit(page, choice=choice)).status_code == 400
    assert (await inside.submit(page, choice="others")).status_code == 303
    assert await statuses_of(web, tokens) == [401] * 3
    assert (await inside.get("/account/sessions")).status_code == 200


async def statuses_of(web: Web, tokens: list[dict[str, str]]) -> list[int]:
    """What each of these gets at who am I."""
    return [(await web.client.get("/users/me", headers=one)).status_code for one in tokens]
