"""Administrators at the same time, on both databases: no act undoes, or slips past, another."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.access.catalogue import BUILT_IN
from tests.servers.gatepost import PASSWORD
from tests.web.running import Web, assert_problem, basic, running_web

pytestmark = pytest.mark.anyio
NEW = "seven quiet owls at noon"
ROLES = {"ACCESS__ROLES": '{"clerk": ["orders:read"], "support": ["admin:users:read", "admin:users:write"]}'}


@pytest.fixture
async def web(sql_url: str, valkey_url: str) -> AsyncIterator[Web]:
    """The application over each kind of database."""
    async with running_web(sql_url, valkey_url, **ROLES) as running:
        yield running


@pytest.fixture
async def admin(web: Web) -> dict[str, str]:
    """The field of an administrator without bounds."""
    await web.add_user("root", roles=("admin",))
    return await web.token("root")


async def test_of_sixteen_racing_creations_of_one_name_one_is_created(web: Web, admin: dict[str, str]) -> None:
    asked = {"username": "racer", "password": PASSWORD}
    answers = await asyncio.gather(*(web.client.post("/admin/users", json=asked, headers=admin) for _ in range(16)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 201
    assert set(statuses[1:]) <= {409, 503}, "some may be told that hashing is busy"
    found = await web.client.get("/admin/users", params={"search": str(asked["username"])}, headers=admin)
    assert len(found.json()["items"]) == 1


async def test_a_support_who_races_with_a_promotion_never_sets_an_administrators_password(
    web: Web, admin: dict[str, str]
) -> None:
    await web.add_user("support", roles=("support",))
    support = await web.token("support")
    refused = 0
    for round_ in range(6):
        user = await web.add_user(f"rising{round_}")
        url = f"/admin/users/{user.id}"
        promoted, seized = await asyncio.gather(
            web.client.patch(url, json={"roles": ["admin"]}, headers=admin),
            web.client.post(f"{url}/password", json={"password": NEW}, headers=support),
        )
        assert promoted.status_code == 200
        signed_in = await web.client.post("/auth/login", json={"username": user.username, "password": NEW})
        assert (signed_in.status_code == 200) == (seized.status_code == 204)
        if seized.status_code != 204:
            assert_problem(seized, 403, "beyond_own_scopes")
            refused += 1
    assert refused, "hashing takes longer than promoting: some come too late"


async def test_changes_to_one_person_at_once_do_not_undo_each_other(web: Web) -> None:
    client, secret = await web.add_client("provisioning", *BUILT_IN)  # no administrator is there to be locked
    field = basic(client.id, secret)
    for round_ in range(8):
        user = await web.add_user(f"shared{round_}", roles=("clerk",))
        url, address = f"/admin/users/{user.id}", f"shared{round_}@example.com"
        answers = await asyncio.gather(
            web.client.patch(url, json={"roles": []}, headers=field),
            web.client.patch(url, json={"email": address}, headers=field),
            web.client.patch(url, json={"scopes": ["kept:one"]}, headers=field),
        )
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        user_now = (await web.client.get(url, headers=field)).json()
        assert (user_now["roles"], user_now["email"], user_now["scopes"]) == ([], address, ["kept:one"])


async def test_changes_to_one_client_at_once_do_not_undo_each_other(web: Web, admin: dict[str, str]) -> None:
    for _ in range(8):
        client, _secret = await web.add_client("shared", "orders:read")
        url = f"/admin/clients/{client.id}"
        answers = await asyncio.gather(
            web.client.patch(url, json={"disabled": True}, headers=admin),
            web.client.patch(url, json={"name": "Kept"}, headers=admin),
            web.client.patch(url, json={"scopes": []}, headers=admin),
        )
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        client_now = (await web.client.get(url, headers=admin)).json()
        assert (client_now["disabled"], client_now["name"], client_now["scopes"]) == (True, "Kept", [])


@pytest.mark.spec("AUTHZ-06")
@pytest.mark.parametrize("attempt", range(3))
async def test_of_two_administrators_who_unseat_each_other_at_once_one_stays(web: Web, attempt: int) -> None:
    users = [await web.add_user(name, roles=("admin",)) for name in ("first", "second")]
    fields = [await web.token(user.username) for user in users]
    answers = await asyncio.gather(
        web.client.patch(f"/admin/users/{users[1].id}", json={"roles": []}, headers=fields[0]),
        web.client.patch(f"/admin/users/{users[0].id}", json={"disabled": True}, headers=fields[1]),
    )
    assert sorted(answer.status_code for answer in answers) in ([200, 409], [200, 401]), attempt
    people = await web.rooms.directory.page(search="", after="", limit=9)
    assert len([user for user in people if "admin" in user.roles and user.active]) == 1


async def test_of_racing_rotations_exactly_the_last_secret_works(web: Web, admin: dict[str, str]) -> None:
    created = (await web.client.post("/admin/clients", json={"name": "Billing"}, headers=admin)).json()
    url = f"/admin/clients/{created['id']}/rotate-secret"
    answers = await asyncio.gather(*(web.client.post(url, json={}, headers=admin) for _ in range(8)))
    done = [answer for answer in answers if answer.status_code == 200]
    assert done
    assert all(answer.status_code == 503 for answer in answers if answer not in done)  # the row was held for too long
    fields = [basic(created["id"], answer.json()["client_secret"]) for answer in done]
    tried = [(await web.client.get("/auth/verify", headers=one)).status_code for one in fields]
    assert sorted(tried) == [200] + [401] * (len(done) - 1)
