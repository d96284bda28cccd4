"""`/admin/users`: what administrators may do to whom."""

from itertools import count

import pytest

from service.access.catalogue import BUILT_IN
from tests.servers.gatepost import PASSWORD
from tests.web.running import Web, assert_problem, basic, bearer

pytestmark = pytest.mark.anyio
_number = count(1)
NEW = "seven quiet owls at noon"


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    return {
        "ACCESS__ROLES": '{"clerk": ["orders:read"], "support": ["admin:users:read", "admin:users:write"],'
        ' "lead": ["admin:users:read", "admin:users:write", "orders:read"]}'
    }


@pytest.fixture(scope="module")
async def admin(web: Web) -> dict[str, str]:
    """The field of an administrator without bounds."""
    await web.add_user("root", roles=("admin",))
    return await web.token("root")


@pytest.fixture
async def support(web: Web) -> dict[str, str]:
    """The field of someone who may look after users, and nothing else."""
    name = f"support{next(_number)}"
    await web.add_user(name, roles=("support",))
    return await web.token(name)


def body(**more: object) -> dict[str, object]:
    return {"username": f"person{next(_number)}", "password": PASSWORD, **more}


async def test_a_new_user_is_shown_without_anything_secret_and_can_sign_in(web: Web, admin: dict[str, str]) -> None:
    asked = body(email="ada@example.com", roles=["clerk"], scopes=["reports:read"])
    answer = await web.client.post("/admin/users", json=asked, headers=admin)
    assert answer.status_code == 201
    user = answer.json()
    shown = {"id", "username", "email", "email_verified", "profile", "roles", "scopes", "disabled", "created_at"}
    assert user.keys() == shown
    assert (user["email_verified"], user["profile"]) == (False, {})
    assert (user["username"], user["email"]) == (asked["username"], "ada@example.com")
    assert (user["roles"], user["scopes"], user["disabled"]) == (["clerk"], ["reports:read"], False)
    assert (await web.client.get(f"/admin/users/{user['id']}", headers=admin)).json() == user
    tokens = await web.sign_in("ada@example.com")
    assert set(tokens["scope"].split()) == {"account:read", "account:write", "orders:read", "reports:read"}


async def test_a_taken_name_is_a_conflict_in_any_case(web: Web, admin: dict[str, str]) -> None:
    asked = body()
    assert (await web.client.post("/admin/users", json=asked, headers=admin)).status_code == 201
    again = {**asked, "username": str(asked["username"]).upper()}
    assert_problem(await web.client.post("/admin/users", json=again, headers=admin), 409, "conflict")


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"username": "gp_client_x"}, "/username"),
        ({"username": "\u0430da"}, "/username"),
        ({"password": "short"}, "/password"),
        ({"email": "nobody"}, "/email"),
        ({"roles": ["king"]}, "/roles"),
        ({"scopes": ["admin:everything"]}, "/scopes"),
        ({"scopes": ["two words"]}, "/scopes"),
        ({"is_admin": True}, "/is_admin"),
        ({"username": 7}, "/username"),
    ],
)
async def test_each_refused_value_is_named(
    web: Web, admin: dict[str, str], wrong: dict[str, object], pointer: str
) -> None:
    answer = await web.client.post("/admin/users", json=body(**wrong), headers=admin)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_the_list_is_read_page_by_page_and_searched(web: Web, admin: dict[str, str]) -> None:
    made = [(await web.add_user(f"listed{number}")).id for number in range(5)]
    seen: list[str] = []
    asked = {"search": "LISTED", "limit": "2"}
    for _ in range(3):
        answer = (await web.client.get("/admin/users", params=asked, headers=admin)).json()
        seen += [user["id"] for user in answer["items"]]
        asked["cursor"] = answer["next"]
    assert seen == made
    assert answer["next"] is None


@pytest.mark.parametrize("cursor", ["x", "Mjph", "!!!!", "MTowMAA", "MTr_", "MTowMA" * 50])
async def test_a_cursor_that_is_not_ours_is_refused(web: Web, admin: dict[str, str], cursor: str) -> None:
    answer = await web.client.get("/admin/users", params={"cursor": cursor}, headers=admin)
    assert_problem(answer, 422, "invalid_request")


async def test_a_change_takes_effect_on_a_token_that_is_out_already(web: Web, admin: dict[str, str]) -> None:
    user = await web.add_user("changed", roles=("clerk",))
    held = await web.token("changed")
    assert (await web.client.get("/users/me", headers=held)).status_code == 200
    changed = await web.client.patch(f"/admin/users/{user.id}", json={"roles": []}, headers=admin)
    assert changed.json()["roles"] == []
    assert_problem(await web.client.get("/users/me", headers=held), 401, "invalid_token")
    assert "orders:read" not in (await web.sign_in("changed"))["scope"]


async def test_what_a_change_leaves_out_stays(web: Web, admin: dict[str, str]) -> None:
    user = (await web.client.post("/admin/users", json=body(roles=["clerk"], scopes=["a:b"]), headers=admin)).json()
    address = f"{user['username']}@example.com"
    changed = (await web.client.patch(f"/admin/users/{user['id']}", json={"email": address}, headers=admin)).json()
    assert changed == {**user, "email": address}


@pytest.mark.parametrize("member", ["roles", "scopes", "email", "disabled"])
async def test_null_changes_nothing_silently_but_is_refused(web: Web, admin: dict[str, str], member: str) -> None:
    user = await web.add_user(f"null-{member}")
    answer = await web.client.patch(f"/admin/users/{user.id}", json={member: None}, headers=admin)
    assert_problem(answer, 422, "invalid_request")
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(f"/{member}", "null_refused")]


async def test_a_disabled_person_is_out_at_once_and_back_when_enabled(web: Web, admin: dict[str, str]) -> None:
    user = await web.add_user("paused")
    held = await web.sign_in("paused")
    url = f"/admin/users/{user.id}"
    assert (await web.client.patch(url, json={"disabled": True}, headers=admin)).json()["disabled"] is True
    assert_problem(await web.client.get("/users/me", headers=bearer(held["access_token"])), 401, "invalid_token")
    assert_problem(await web.client.get("/users/me", headers=basic("paused", PASSWORD)), 401, "invalid_login")
    refreshed = await web.client.post("/auth/refresh", json={"refresh_token": held["refresh_token"]})
    assert_problem(refreshed, 401, "invalid_grant")
    assert (await web.client.patch(url, json={"disabled": False}, headers=admin)).json()["disabled"] is False
    refreshed = await web.client.post("/auth/refresh", json={"refresh_token": held["refresh_token"]})
    assert_problem(refreshed, 401, "invalid_grant")
    await web.sign_in("paused")


async def test_a_password_that_is_set_ends_the_sessions_and_the_old_password(web: Web, admin: dict[str, str]) -> None:
    user = await web.add_user("forgetful")
    held = await web.token("forgetful")
    answer = await web.client.post(f"/admin/users/{user.id}/password", json={"password": NEW}, headers=admin)
    assert (answer.status_code, answer.content) == (204, b"")
    assert_problem(await web.client.get("/users/me", headers=held), 401, "invalid_token")
    old = await web.client.post("/auth/login", json={"username": "forgetful", "password": PASSWORD})
    assert_problem(old, 401, "invalid_login")
    await web.sign_in("forgetful", NEW)


async def test_sessions_are_listed_and_ended_one_by_one_and_all_together(web: Web, admin: dict[str, str]) -> None:
    user = await web.add_user("busy")
    held = [await web.token("busy") for _ in range(3)]
    url = f"/admin/users/{user.id}/sessions"
    listed = (await web.client.get(url, headers=admin)).json()["items"]
    assert len(listed) == 3
    assert listed[0].keys() == {
        *("id", "created_at", "last_used_at", "ends_at", "client_id", "scopes", "user_agent", "address")
    }
    assert (await web.client.delete(f"{url}/{listed[0]['id']}", headers=admin)).status_code == 204
    alive = [(await web.client.get("/users/me", headers=one)).status_code for one in held]
    assert alive == [401, 200, 200]
    assert_problem(await web.client.delete(f"{url}/{listed[0]['id']}", headers=admin), 404, "not_found")
    assert (await web.client.delete(url, headers=admin)).status_code == 204
    alive = [(await web.client.get("/users/me", headers=one)).status_code for one in held]
    assert alive == [401, 401, 401]
    assert (await web.client.get(url, headers=admin)).json()["items"] == []


async def test_a_session_is_not_found_under_another_person(web: Web, admin: dict[str, str]) -> None:
    await web.add_user("owner")
    other = await web.add_user("other")
    held = await web.token("owner")
    me = (await web.client.get("/users/me", headers=held)).json()
    answer = await web.client.delete(f"/admin/users/{other.id}/sessions/{me['session_id']}", headers=admin)
    assert_problem(answer, 404, "not_found")
    assert (await web.client.get("/users/me", headers=held)).status_code == 200


@pytest.mark.parametrize(
    "given", [{"roles": ["admin"]}, {"roles": ["clerk"]}, {"scopes": ["admin:keys:write"]}, {"scopes": ["orders:read"]}]
)
async def test_nobody_creates_a_person_who_may_do_more_than_he(
    web: Web, support: dict[str, str], given: dict[str, object]
) -> None:
    asked = body(**given)
    assert_problem(await web.client.post("/admin/users", json=asked, headers=support), 403, "beyond_own_scopes")
    found = await web.client.get("/admin/users", params={"search": str(asked["username"])}, headers=support)
    assert found.json()["items"] == []


async def test_an_administrator_within_bounds_hands_out_what_he_has(web: Web) -> None:
    await web.add_user("lead", roles=("lead",))
    lead = await web.token("lead")
    created = await web.client.post("/admin/users", json=body(roles=["support", "clerk"]), headers=lead)
    assert created.status_code == 201
    raised = {"roles": ["support", "clerk"], "scopes": ["admin:keys:read"]}
    url = f"/admin/users/{created.json()['id']}"
    assert_problem(await web.client.patch(url, json=raised, headers=lead), 403, "beyond_own_scopes")
    assert (await web.client.get(url, headers=lead)).json() == created.json()


async def test_nobody_raises_himself(web: Web) -> None:
    me = await web.add_user("climber", roles=("support",))
    field = await web.token("climber")
    for raised in ({"roles": ["admin"]}, {"roles": ["support"], "scopes": ["admin:clients:write"]}):
        answer = await web.client.patch(f"/admin/users/{me.id}", json=raised, headers=field)
        assert_problem(answer, 403, "beyond_own_scopes")
    assert (await web.client.get("/users/me", headers=field)).json()["roles"] == ["support"]


@pytest.mark.parametrize("role", ["admin", "clerk"])
async def test_nobody_acts_on_a_person_who_may_do_more_than_he(web: Web, support: dict[str, str], role: str) -> None:
    name = f"above-{role}"
    above = await web.add_user(name, roles=(role,))
    held = await web.token(name)
    session = (await web.client.get("/users/me", headers=held)).json()["session_id"]
    url = f"/admin/users/{above.id}"
    tried = [
        await web.client.patch(url, json={"disabled": True}, headers=support),
        await web.client.patch(url, json={"roles": []}, headers=support),
        await web.client.patch(url, json={"email": "mine@example.com"}, headers=support),
        await web.client.post(f"{url}/password", json={"password": NEW}, headers=support),
        await web.client.delete(f"{url}/sessions", headers=support),
        await web.client.delete(f"{url}/sessions/{session}", headers=support),
    ]
    for answer in tried:
        assert_problem(answer, 403, "beyond_own_scopes")
    assert (await web.client.get("/users/me", headers=held)).status_code == 200
    await web.sign_in(name)


async def test_a_narrowed_token_of_an_administrator_is_held_to_what_it_has(web: Web) -> None:
    me = await web.add_user("careful", roles=("admin",))
    narrow = await web.token("careful", scope="admin:users:write admin:users:read")
    answer = await web.client.post("/admin/users", json=body(roles=["admin"]), headers=narrow)
    assert_problem(answer, 403, "beyond_own_scopes")
    answer = await web.client.post(f"/admin/users/{me.id}/password", json={"password": NEW}, headers=narrow)
    assert_problem(answer, 403, "beyond_own_scopes")


async def test_an_api_key_does_no_more_than_its_scopes_even_for_an_administrator(web: Web) -> None:
    me = await web.add_user("keyholder", roles=("admin",))
    field = await web.token("keyholder")
    asked = {"name": "user desk", "scopes": ["admin:users:write"]}
    key = (await web.client.post("/users/me/api-keys", json=asked, headers=field)).json()["api_key"]
    by_key = {"X-API-Key": key}
    assert (await web.client.post("/admin/users", json=body(), headers=by_key)).status_code == 201
    for url, asked_of in (
        ("/admin/users", body(roles=["admin"])),
        (f"/admin/users/{me.id}/password", {"password": NEW}),
    ):
        assert_problem(await web.client.post(url, json=asked_of, headers=by_key), 403, "beyond_own_scopes")


async def test_a_client_with_the_scope_administers_too(web: Web) -> None:
    client, secret = await web.add_client("provisioning", "admin:users:write")
    answer = await web.client.post("/admin/users", json=body(), headers=basic(client.id, secret))
    assert answer.status_code == 201
    answer = await web.client.get("/admin/users", headers=basic(client.id, secret))
    assert_problem(answer, 403, "insufficient_scope")
    assert answer.json()["scope"] == "admin:users:read"


async def test_who_holds_all_of_gateposts_scopes_may_grant_those_of_other_services(web: Web) -> None:
    client, secret = await web.add_client("owner", *BUILT_IN)
    asked = body(roles=["admin"], scopes=["invoices:approve"])
    answer = await web.client.post("/admin/users", json=asked, headers=basic(client.id, secret))
    assert (answer.status_code, answer.json()["scopes"]) == (201, ["invoices:approve"])


async def test_the_last_administrator_stays(web: Web, admin: dict[str, str]) -> None:
    everyone = (await web.client.get("/admin/users", params={"limit": "200"}, headers=admin)).json()["items"]
    admins = [user for user in everyone if "admin" in user["roles"]]
    me = next(user for user in admins if user["username"] == "root")
    for other in admins:
        if other["id"] != me["id"]:
            answer = await web.client.patch(f"/admin/users/{other['id']}", json={"roles": []}, headers=admin)
            assert answer.status_code == 200
    for change in ({"disabled": True}, {"roles": []}):
        answer = await web.client.patch(f"/admin/users/{me['id']}", json=change, headers=admin)
        assert_problem(answer, 409, "conflict")
    assert (await web.client.get("/admin/users", headers=admin)).status_code == 200


async def test_who_is_not_there_is_not_found(web: Web, admin: dict[str, str]) -> None:
    for method, path, sent in (
        ("GET", "", None),
        ("PATCH", "", {"disabled": True}),
        ("POST", "/password", {"password": NEW}),
        ("GET", "/sessions", None),
        ("DELETE", "/sessions", None),
        ("DELETE", "/sessions/none", None),
    ):
        answer = await web.client.request(method, f"/admin/users/nobody{path}", json=sent, headers=admin)
        assert_problem(answer, 404, "not_found")
