"""`/admin/clients`: applications and their secrets."""

from datetime import datetime, timedelta

import pytest

from service import clock
from tests.web.running import Web, assert_problem, basic

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    return {"ACCESS__ROLES": '{"desk": ["admin:clients:read", "admin:clients:write", "orders:read"]}'}


@pytest.fixture(scope="module")
async def admin(web: Web) -> dict[str, str]:
    """The field of an administrator without bounds."""
    await web.add_user("root", roles=("admin",))
    return await web.token("root")


@pytest.fixture(scope="module")
async def desk(web: Web) -> dict[str, str]:
    """The field of someone who may look after clients and read orders."""
    await web.add_user("desk", roles=("desk",))
    return await web.token("desk")


async def create(web: Web, field: dict[str, str], **asked: object) -> dict[str, object]:
    answer = await web.client.post("/admin/clients", json={"name": "Billing", **asked}, headers=field)
    assert answer.status_code == 201, answer.text
    created: dict[str, object] = answer.json()
    return created


async def works(web: Web, client: dict[str, object], secret: object) -> bool:
    answer = await web.client.get("/auth/verify", headers=basic(str(client["id"]), str(secret)))
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


async def test_the_secret_is_shown_once_and_works(web: Web, admin: dict[str, str]) -> None:
    created = await create(web, admin, scopes=["revocations:read", "orders:read"])
    secret = created.pop("client_secret")
    assert str(secret).startswith("gp_cs_")
    assert created["scopes"] == ["orders:read", "revocations:read"]
    assert (created["confidential"], created["disabled"]) == (True, False)
    shown = await web.client.get(f"/admin/clients/{created['id']}", headers=admin)
    assert shown.json() == created
    listed = await web.client.get("/admin/clients", params={"search": str(created["id"])}, headers=admin)
    assert listed.json()["items"] == [created]
    assert str(secret) not in shown.text + listed.text
    answer = await web.client.get("/auth/revocations", headers=basic(str(created["id"]), str(secret)))
    assert answer.status_code == 200


async def test_a_public_client_has_no_secret_and_none_can_be_made(web: Web, admin: dict[str, str]) -> None:
    created = await create(web, admin, confidential=False)
    assert created["client_secret"] is None
    assert created["secrets"] == []
    assert not await works(web, created, "gp_cs_anything")
    answer = await web.client.post(f"/admin/clients/{created['id']}/rotate-secret", json={}, headers=admin)
    assert_problem(answer, 422, "invalid_request")


async def test_the_list_is_read_page_by_page_and_searched_by_name(web: Web, admin: dict[str, str]) -> None:
    made = sorted([str((await create(web, admin, name=f"Listed {number}"))["id"]) for number in range(5)])
    seen: list[str] = []
    asked = {"search": "LISTED", "limit": "2"}
    for _ in range(3):
        answer = (await web.client.get("/admin/clients", params=asked, headers=admin)).json()
        seen += [client["id"] for client in answer["items"]]
        asked["cursor"] = answer["next"]
    assert (seen, answer["next"]) == (made, None)


async def test_a_rotated_secret_leaves_the_old_one_its_overlap(web: Web, admin: dict[str, str]) -> None:
    created = await create(web, admin)
    url = f"/admin/clients/{created['id']}"
    rotated = await web.client.post(f"{url}/rotate-secret", json={"overlap": 600}, headers=admin)
    assert rotated.status_code == 200
    assert await works(web, created, rotated.json()["client_secret"])
    assert await works(web, created, created["client_secret"])
    secrets = (await web.client.get(url, headers=admin)).json()["secrets"]
    ends = [datetime.fromisoformat(one["expires_at"]) for one in secrets if one["expires_at"]]
    assert len(secrets) == 2
    assert abs(ends[0] - clock.now() - timedelta(seconds=600)) < timedelta(seconds=30)


async def test_a_rotation_without_overlap_ends_the_old_secret_though_it_was_used_a_moment_ago(
    web: Web, admin: dict[str, str]
) -> None:
    created = await create(web, admin)
    assert await works(web, created, created["client_secret"])
    rotated = await web.client.post(f"/admin/clients/{created['id']}/rotate-secret", json={}, headers=admin)
    assert not await works(web, created, created["client_secret"])
    assert await works(web, created, rotated.json()["client_secret"])


async def test_a_disabled_client_is_out_at_once(web: Web, admin: dict[str, str]) -> None:
    created = await create(web, admin)
    assert await works(web, created, created["client_secret"])
    changed = await web.client.patch(f"/admin/clients/{created['id']}", json={"disabled": True}, headers=admin)
    assert changed.json()["disabled"] is True
    assert not await works(web, created, created["client_secret"])
    await web.client.patch(f"/admin/clients/{created['id']}", json={"disabled": False}, headers=admin)
    assert await works(web, created, created["client_secret"])


async def test_a_scope_that_is_taken_away_is_gone_at_once(web: Web, admin: dict[str, str]) -> None:
    created = await create(web, admin, scopes=["revocations:read"])
    field = basic(str(created["id"]), str(created["client_secret"]))
    assert (await web.client.get("/auth/revocations", headers=field)).status_code == 200
    await web.client.patch(f"/admin/clients/{created['id']}", json={"scopes": []}, headers=admin)
    assert_problem(await web.client.get("/auth/revocations", headers=field), 403, "insufficient_scope")


async def test_what_a_change_leaves_out_stays(web: Web, admin: dict[str, str]) -> None:
    created = await create(web, admin, scopes=["a:b"])
    created.pop("client_secret")
    changed = await web.client.patch(f"/admin/clients/{created['id']}", json={"name": "Invoices"}, headers=admin)
    assert changed.json() == {**created, "name": "Invoices"}


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "two\nlines"}, "/name"),
        ({"name": None}, "/name"),
        ({"scopes": ["admin:everything"]}, "/scopes"),
        ({"scopes": "orders:read"}, "/scopes"),
        ({"client_secret": "mine"}, "/client_secret"),
        ({"trusted": True}, "/trusted"),
    ],
)
async def test_each_refused_value_is_named(
    web: Web, admin: dict[str, str], wrong: dict[str, object], pointer: str
) -> None:
    answer = await web.client.post("/admin/clients", json={"name": "Billing", **wrong}, headers=admin)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_nobody_makes_a_client_that_may_do_more_than_he(web: Web, desk: dict[str, str]) -> None:
    asked = {"name": "Beyond", "scopes": ["orders:read", "admin:users:write"]}
    answer = await web.client.post("/admin/clients", json=asked, headers=desk)
    assert_problem(answer, 403, "beyond_own_scopes")
    found = await web.client.get("/admin/clients", params={"search": "Beyond"}, headers=desk)
    assert found.json()["items"] == []
    created = await create(web, desk, scopes=["orders:read"])
    answer = await web.client.patch(f"/admin/clients/{created['id']}", json={"scopes": asked["scopes"]}, headers=desk)
    assert_problem(answer, 403, "beyond_own_scopes")


async def test_nobody_acts_on_a_client_that_may_do_more_than_he(
    web: Web, admin: dict[str, str], desk: dict[str, str]
) -> None:
    above = await create(web, admin, scopes=["admin:users:write"])
    url = f"/admin/clients/{above['id']}"
    tried = [
        await web.client.post(f"{url}/rotate-secret", json={"overlap": 60}, headers=desk),
        await web.client.patch(url, json={"scopes": []}, headers=desk),
        await web.client.patch(url, json={"disabled": True}, headers=desk),
    ]
    for answer in tried:
        assert_problem(answer, 403, "beyond_own_scopes")
    assert await works(web, above, above["client_secret"])


async def test_what_is_not_there_is_not_found(web: Web, admin: dict[str, str]) -> None:
    for method, path, sent in (("GET", "", None), ("PATCH", "", {"name": "x"}), ("POST", "/rotate-secret", {})):
        answer = await web.client.request(method, f"/admin/clients/gp_client_no{path}", json=sent, headers=admin)
        assert_problem(answer, 404, "not_found")
