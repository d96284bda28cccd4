"""The pages of the account, each of them used, in a browser without scripts."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

import httpx2
import pytest

from service import clock
from service.accounts.account import User
from service.identifiers import new_id
from service.sessions.overview import SeenSession
from service.sessions.pairs import Device
from tests.servers.gatepost import PASSWORD
from tests.web.oauth.asking import App, register
from tests.web.oauth.browsing import Surfer
from tests.web.reading import read_page
from tests.web.running import Web, bearer

pytestmark = pytest.mark.anyio
NEW_PASSWORD = "a wholly different sentence"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(scope="module")
async def app(web: Web) -> App:
    """An application that asks for consent."""
    return await register(web, "Harbour Notes", "orders:read", skips_consent=False)


async def shown(surfer: Surfer, path: str) -> httpx2.Response:
    """The page at a path, which is there."""
    answer = await surfer.get(path)
    assert answer.status_code == 200, (answer.status_code, answer.headers.get("location"))
    return answer


async def done(surfer: Surfer, page: httpx2.Response, words: str, **fields: str) -> httpx2.Response:
    """Send a form of this page; the browser comes back by GET, and is told these words."""
    answer = await surfer.submit(page, **fields)
    assert answer.status_code == 303, answer.text
    told = await surfer.follow(answer)
    assert words in read_page(told.text).text
    return told


async def listed(web: Web, user: User) -> Sequence[SeenSession]:
    """This person's living sessions."""
    return await web.rooms.session_overview.page(user.id, after="", limit=9, now=clock.now())


@pytest.mark.parametrize(
    "path", ["", "/password", "/email", "/linked", "/sessions", "/applications", "/api-keys", "/api-keys/new"]
)
async def test_who_is_not_signed_in_signs_in_and_comes_back_to_the_page(
    surfer: Surfer, person: User, path: str
) -> None:
    page = await surfer.follow(await surfer.get(f"/account{path}"))
    assert page.request.url.path == "/sign-in"
    answer = await surfer.sign_in(page, person.username)
    assert (answer.status_code, answer.request.url.path) == (200, f"/account{path}")
    read = read_page(answer.text)
    assert re.search(r'aria-current="page"', answer.text)
    assert read.inline == []
    assert {one["id"] for one in read.inputs.values() if "id" in one} <= read.labelled


async def test_a_person_changes_their_profile(web: Web, inside: Surfer, person: User) -> None:
    page = await shown(inside, "/account")
    fields = {"name": " Ada Lovelace ", "birthdate": "1815", "website": "https://ada.example.com", "nickname": ""}
    blank = dict.fromkeys(("given_name", "family_name", "phone_number"), "")
    page = await done(inside, page, "Your profile is saved.", **blank, **fields)
    assert (await web.rooms.directory.get(person.id)).profile == {
        "name": "Ada Lovelace",
        "birthdate": "1815",
        "website": "https://ada.example.com",
    }
    wrong = await inside.submit(page, **blank, **{**fields, "website": "javascript:alert(1)", "name": "A<b>da"})
    assert wrong.status_code == 422
    read = read_page(wrong.text)
    assert "A website is an address like https://example.com." in read.text
    assert (read.inputs["name"]["value"], read.inputs["website"]["aria-invalid"]) == ("A<b>da", "true")
    page = await done(inside, page, "Your profile is saved.", **blank, **dict.fromkeys(fields, ""))
    assert (await web.rooms.directory.get(person.id)).profile == {}


@pytest.mark.spec("ASVS 6.2.3")
async def test_a_new_password_takes_the_present_one_and_ends_every_other_session(
    web: Web, inside: Surfer, other_surfer: Surfer, person: User
) -> None:
    await other_surfer.signed_in(person.username)
    direct = await web.token(person.username)
    page = await shown(inside, "/account/password")
    new = {"password": NEW_PASSWORD, "password_again": NEW_PASSWORD}
    for changed, words in (
        ({"current_password": "wrong"}, "The present password is not right."),
        ({"current_password": ""}, "The present password is not right."),
        ({"password_again": "other"}, "The two passwords are not the same."),
        ({"password": "short", "password_again": "short"}, "A password has at least 15 characters."),
    ):
        answer = await inside.submit(page, **{"current_password": PASSWORD, **new, **changed})
        assert answer.status_code == 422
        read = read_page(answer.text)
        assert words in read.text
        assert [one["value"] for one in read.inputs.values() if one["type"] == "password"] == [""] * 3
    assert (await shown(other_surfer, "/account/sessions")).status_code == 200
    await done(inside, page, "Your password is changed.", current_password=PASSWORD, **new)
    assert (await other_surfer.get("/account/sessions")).status_code == 303
    assert (await web.client.get("/users/me", headers=direct)).status_code == 401
    await web.sign_in(person.username, NEW_PASSWORD)


async def test_who_has_no_password_sets_one_after_a_recent_sign_in(web: Web, surfer: Surfer, person: User) -> None:
    user = replace(person, id=new_id(), username="linked-only", password_hash=None)
    async with web.rooms.acts.begin(clock.now()) as act:
        await web.rooms.own_profile._users.add(act.tx, user)
    now = clock.now()
    await surfer.get("/sign-in")
    cookie = await web.rooms.browser_sessions.open(user, amr=(), device=Device(), before=None, now=now)
    surfer.client.cookies.set("gp_session", cookie, domain="localhost.local")
    page = await shown(surfer, "/account/password")
    assert "current_password" not in read_page(page.text).inputs
    new = {"password": NEW_PASSWORD, "password_again": NEW_PASSWORD}
    answers = await asyncio.gather(*(surfer.submit(page, **new) for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {303, 409, 422}
    assert [answer.status_code for answer in answers].count(303) == 1
    await web.sign_in("linked-only", NEW_PASSWORD)
    assert (await surfer.submit(page, **dict.fromkeys(new, PASSWORD))).status_code == 422  # the present one is missing


async def test_the_list_of_sessions_is_whole_and_each_can_be_ended(
    web: Web, inside: Surfer, other_surfer: Surfer, person: User, app: App
) -> None:
    inside.client.headers["User-Agent"] = FIREFOX
    mine = await app.tokens(inside)
    kept = await app.tokens(inside, scope="openid offline_access")
    await other_surfer.signed_in(person.username)
    direct = await web.token(person.username)
    page = await shown(inside, "/account/sessions")
    headings = re.findall(r'<h2 id="session-\d+"><bdi>([^<]*)</bdi>', page.text)
    assert headings[0] == "python-httpx2"  # this one, which was opened under that name
    assert sorted(headings[1:]) == ["Harbour Notes", "Harbour Notes", "python-httpx2", "python-httpx2"]
    for words in ("This browser", "stays connected", "ends when you sign out here", "Firefox on Linux", "127.0.0.1"):
        assert words in re.sub("[\u2068\u2069]", "", page.text)
    assert len(re.findall(r'<time datetime="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ">just now', page.text)) == 10

    by_kind = {one.kind: one.id for one in await listed(web, person)}
    await done(inside, page, "The session has ended.", choice="end", session=by_kind["direct"])
    assert (await web.client.get("/users/me", headers=direct)).status_code == 401
    alone = await done(inside, page, "All other sessions have ended.", choice="others")
    assert "Nothing else is signed in as you." in alone.text
    for token in (mine, kept):
        assert (await web.client.get("/userinfo", headers=bearer(token["access_token"]))).status_code == 401
    assert (await other_surfer.get("/account")).status_code == 303
    (own,) = await listed(web, person)
    answer = await inside.submit(page, choice="end", session=own.id)
    assert (answer.status_code, answer.headers["location"]) == (303, "/oauth2/logout")


@pytest.mark.spec("LIFE-04")
async def test_an_application_that_was_allowed_something_is_sent_away(
    web: Web, inside: Surfer, person: User, app: App
) -> None:
    assert "You have allowed no application anything." in (await shown(inside, "/account/applications")).text
    tokens = await app.tokens(inside)
    page = await shown(inside, "/account/applications")
    assert "Harbour Notes" in page.text
    assert "Know who you are" in page.text
    await done(inside, page, "The permission is taken back", client=app.client.id)
    assert (await web.client.get("/userinfo", headers=bearer(tokens["access_token"]))).status_code == 401
    assert await web.rooms.consents.find(person.id, app.client.id) is None
    await done(inside, page, "The permission is taken back", client=app.client.id)  # sent twice


@pytest.mark.spec("KEYS-03")
async def test_a_key_is_shown_once_works_and_is_revoked(web: Web, inside: Surfer, person: User) -> None:
    assert "You have no key." in (await shown(inside, "/account/api-keys")).text
    page = await shown(inside, "/account/api-keys/new")
    boxes = [name for name, one in read_page(page.text).inputs.items() if one["type"] == "checkbox"]
    assert boxes == ["scope.orders:read", "scope.orders:write"]
    fields = {"key": read_page(page.text).inputs["key"]["value"], "name": "Nightly", "days": "30"}
    made = await inside.submit(page, **fields, **{"scope.orders:read": "on"})
    assert made.status_code == 200
    (text,) = re.findall(r"gp_key_[A-Za-z0-9]{71}", made.text)
    who = (await web.client.get("/users/me", headers={"X-API-Key": text})).json()
    assert (who["sub"], who["scopes"]) == (person.id, ["orders:read"])

    again = await inside.follow(await inside.submit(page, **fields))
    assert "This form was sent already." in again.text
    assert text not in again.text
    assert text[-4:] in again.text
    (key,) = await web.rooms.api_keys.page(person.id, after="", limit=9)
    assert (key.expires_at - key.created_at).days == 30
    await done(inside, again, "The key is revoked.", key=key.id)
    assert (await web.client.get("/users/me", headers={"X-API-Key": text})).status_code == 401
    await done(inside, again, "The key is revoked.", key=key.id)  # sent twice


async def test_what_is_wrong_with_a_key_is_said_and_what_was_chosen_stays(inside: Surfer) -> None:
    page = await shown(inside, "/account/api-keys/new")
    key = {"key": read_page(page.text).inputs["key"]["value"]}
    for fields, words in (
        ({"name": " ", "days": "7"}, "has characters that cannot be shown"),
        ({"name": "x", "days": "9999"}, "A key cannot live that long."),
        ({"name": "x", "days": "-1"}, "A key cannot live that long."),
        ({"name": "x", "days": "\u0663"}, "A key cannot live that long."),
    ):
        answer = await inside.submit(page, **key, **fields, **{"scope.orders:write": "on"})
        assert answer.status_code == 422, fields
        assert words in read_page(answer.text).text
        assert "checked" in read_page(answer.text).inputs["scope.orders:write"]
    assert "You have no key." in (await shown(inside, "/account/api-keys")).text


async def test_past_the_number_of_keys_the_page_says_so(web: Web, inside: Surfer, person: User) -> None:
    for number in range(web.settings.api_keys.per_user):
        await web.rooms.api_keys.create(
            person.id, f"{number}", scopes=(), within=frozenset(), networks=(), life=None, now=clock.now()
        )
    page = await shown(inside, "/account/api-keys/new")
    fields = {"key": read_page(page.text).inputs["key"]["value"], "name": "One more", "days": ""}
    await done(inside, page, "as many keys as one person can have", **fields)


async def test_the_page_of_who_is_signed_in_leads_to_the_account(inside: Surfer) -> None:
    assert "/account" in read_page((await shown(inside, "/sign-in")).text).references


async def test_every_page_speaks_the_language_of_the_browser(inside: Surfer) -> None:
    inside.client.headers["Accept-Language"] = "ar"
    for path in ("", "/password", "/sessions", "/applications", "/api-keys", "/api-keys/new"):
        page = await shown(inside, f"/account{path}")
        assert '<html lang="ar" dir="rtl">' in page.text
