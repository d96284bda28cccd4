"""One's own sessions and profile by JSON."""

from datetime import timedelta

import pytest

from service import clock
from tests.accounts.test_profile import WHOLE
from tests.contracts.sql_ground import a_session
from tests.web.oauth.asking import App, register
from tests.web.oauth.browsing import surfing
from tests.web.running import Web, assert_problem, bearer

pytestmark = pytest.mark.anyio
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
VOUCHED = {"preferred_username": "root", "phone_number_verified": True}
OWN = {name: value for name, value in WHOLE.items() if name not in {*VOUCHED, "email", "email_verified"}}
PROFILE = "/users/me/profile"


@pytest.fixture(scope="module")
async def app(web: Web) -> App:
    """An application that may act on accounts, as far as people let it."""
    return await register(web, "Harbour <b>Notes</b>", "orders:read", "account:read", "account:write")


async def listed(web: Web, field: dict[str, str]) -> dict[str, dict[str, object]]:
    """The caller's own sessions by id."""
    answer = await web.client.get("/users/me/sessions", headers=field)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return {one["id"]: one for one in answer.json()["items"]}


async def test_a_session_says_what_it_is_where_it_was_opened_and_which_one_asks(web: Web, app: App) -> None:
    await web.add_user("ada", roles=("clerk",))
    async with surfing(web) as surfer:
        surfer.client.headers["User-Agent"] = FIREFOX
        await surfer.signed_in("ada")
        granted = await app.tokens(surfer)
        offline = await app.tokens(surfer, scope="openid offline_access")
    assert (granted["scope"], offline["scope"]) == ("openid orders:read", "offline_access openid")
    direct = (await web.sign_in("ada"))["access_token"]
    found = list((await listed(web, bearer(direct))).values())

    shown = [(one["kind"], one["device"], one["client_name"], one["offline"], one["current"]) for one in found]
    assert shown == [
        ("browser", "Firefox on Linux", None, False, False),
        ("application", "Firefox on Linux", "Harbour <b>Notes</b>", False, False),
        ("application", "Firefox on Linux", "Harbour <b>Notes</b>", True, False),
        ("direct", "python-httpx2", None, False, True),
    ]
    hosted = found[0]["id"]
    assert [one["parent_id"] for one in found] == [None, hosted, hosted, None]
    assert {one["user_agent"] for one in found} >= {FIREFOX}
    assert {one["address"] for one in found} == {"127.0.0.1"}


async def test_what_nobody_has_used_for_too_long_is_not_called_alive(web: Web, app: App) -> None:
    user, now = await web.add_user("rare"), clock.now()
    idle, hosted_idle = web.settings.tokens.session_idle, web.settings.browser.session_idle
    second = timedelta(seconds=5)

    async def kept(unused: timedelta, client_id: str = "gatepost", scopes: str = "") -> str:
        session = a_session(
            user.id,
            client_id=client_id,
            scopes=frozenset(scopes.split()),
            created_at=now - idle,
            last_used_at=now - unused,
            ends_at=now + idle,
        )
        async with web.rooms.acts.begin(now) as act:
            await web.rooms.sessions.add(act.tx, session)
        return session.id

    alive = [
        await kept(hosted_idle - second),
        await kept(idle - second, scopes="a"),
        await kept(idle - second, client_id=app.client.id, scopes="a"),
    ]
    for unused, client_id, scopes in (
        (hosted_idle, "gatepost", ""),
        (idle, "gatepost", "a"),
        (idle, app.client.id, "a"),
    ):
        await kept(unused, client_id, scopes)
    gone = await kept(timedelta(0), client_id="gp_client_gone", scopes="a")
    field = await web.token("rare")
    found = await listed(web, field)
    assert [*found][:-1] == [*alive, gone]
    assert found[gone]["client_name"] is None
    assert all(clock.now().isoformat() < str(one["ends_at"]) for one in found.values())

    cursor, seen = "", []
    for _ in range(9):
        answer = await web.client.get("/users/me/sessions", params={"limit": 1, "cursor": cursor}, headers=field)
        seen += [one["id"] for one in answer.json()["items"]]
        cursor = answer.json()["next"] or ""
        if not cursor:
            break
    assert seen == [*found]  # the dead ones between them make no page short


async def test_people_change_what_they_tell_of_themselves_and_nobody_is_signed_out(web: Web) -> None:
    user = await web.add_user("bea")
    field = await web.token("bea")
    first = await web.client.get(PROFILE, headers=field)
    assert first.json() == {"username": "bea", "email": None, "email_verified": False, "profile": {}}
    answer = await web.client.patch(PROFILE, json=OWN, headers=field)
    assert (answer.status_code, answer.json()["profile"]) == (200, OWN)
    part = {"name": None, "address": {"country": None}, "nickname": "B"}
    profile = (await web.client.patch(PROFILE, json=part, headers=field)).json()["profile"]
    assert profile["nickname"] == "B"
    assert "name" not in profile
    assert "country" not in profile["address"]
    assert (await web.client.patch(PROFILE, json={}, headers=field)).json()["profile"] == profile
    assert (await web.client.get(PROFILE, headers=field)).json()["profile"] == profile
    assert (await web.rooms.directory.get(user.id)).epoch == user.epoch


@pytest.mark.spec("MASS-04")
@pytest.mark.parametrize(
    "body",
    [
        *({name: value} for name, value in VOUCHED.items()),
        *({name: "x"} for name in ("roles", "scopes", "username", "email", "email_verified", "id", "epoch", "sub")),
        *({"name": value} for value in ("", " ", 1, True, ["a"], {"a": 1}, "a\u202e\n", "a" * 256, "\u0000")),
        *({"website": value} for value in ("javascript:alert(1)", "ftp://x.example", "https://", "x" * 3000)),
        *({"address": value} for value in ("x", {"planet": "Earth"}, {"country": 1})),
        {"__proto__": {"roles": ["admin"]}},
        {"profile": {"name": "Ada"}},
    ],
)
async def test_only_a_persons_own_claims_are_taken(web: Web, mallory: dict[str, str], body: dict[str, object]) -> None:
    answer = await web.client.patch(PROFILE, json=body, headers=mallory)
    assert_problem(answer, 422, "invalid_request")
    assert (await web.client.get(PROFILE, headers=mallory)).json()["profile"] == {}


@pytest.fixture(scope="module")
async def mallory(web: Web) -> dict[str, str]:
    """The field of somebody who tries."""
    await web.add_user("mallory")
    return await web.token("mallory")


@pytest.mark.spec("MASS-04")
async def test_a_claim_that_comes_twice_is_no_claim(web: Web, mallory: dict[str, str]) -> None:
    sent = {**mallory, "Content-Type": "application/json"}
    answer = await web.client.patch(PROFILE, content=b'{"name": "a", "name": "b"}', headers=sent)
    assert_problem(answer, 400, "invalid_json")


async def test_a_number_that_changes_is_no_longer_a_verified_one(web: Web) -> None:
    user = await web.add_user("dora")
    async with web.rooms.acts.begin(clock.now()) as act:
        known = {"phone_number": "+44 20 7946 0000", "phone_number_verified": True}
        await web.rooms.own_profile._users.set_profile(act.tx, user.id, profile=known, email_verified_at=None)
    field = await web.token("dora")
    kept = await web.client.patch(PROFILE, json={"nickname": "D"}, headers=field)
    assert kept.json()["profile"]["phone_number_verified"] is True
    changed = await web.client.patch(PROFILE, json={"phone_number": "+44 20 7946 0001"}, headers=field)
    assert changed.json()["profile"] == {"nickname": "D", "phone_number": "+44 20 7946 0001"}


async def test_an_application_is_told_of_a_person_at_userinfo_alone(web: Web, app: App) -> None:
    await web.add_user("carl", roles=("clerk",))
    async with surfing(web) as surfer:
        await surfer.signed_in("carl")
        tokens = await app.tokens(surfer, scope="openid account:read account:write")
    field = bearer(tokens["access_token"])
    assert (await web.client.get("/users/me/sessions", headers=field)).status_code == 200
    assert_problem(await web.client.get(PROFILE, headers=field), 403, "credential_not_allowed")
    answer = await web.client.patch(PROFILE, json={"name": "Evil"}, headers=field)
    assert_problem(answer, 403, "credential_not_allowed")


async def test_nobody_ends_a_session_of_another(web: Web) -> None:
    await web.add_user("eve")
    await web.add_user("victim")
    theirs = await web.sign_in("victim")
    (session,) = await listed(web, bearer(theirs["access_token"]))
    field = await web.token("eve")
    for session_id in (session, "x", "0192f3a0-0000-7000-8000-000000000000"):
        answer = await web.client.delete(f"/users/me/sessions/{session_id}", headers=field)
        assert_problem(answer, 404, "not_found")
    assert [*await listed(web, bearer(theirs["access_token"]))] == [session]
