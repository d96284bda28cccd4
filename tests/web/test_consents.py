"""What people have allowed applications, as they and their administrators see it and take it back."""

import pytest

from service import clock
from service.accounts.account import User
from service.clients.directory import DOCS_CLIENT_ID
from tests.web.oauth.browsing import VERIFIER, add_application, returned, surfing
from tests.web.running import Web, assert_problem, bearer

pytestmark = pytest.mark.anyio
REDIRECT = "https://app.example/cb"


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    return {"ACCESS__ROLES": '{"clerk": ["orders:read"], "desk": ["admin:users:read", "admin:users:write"]}'}


@pytest.fixture(scope="module")
async def ada(web: Web) -> User:
    return await web.add_user("ada", roles=("clerk",))


@pytest.fixture(scope="module")
async def admin(web: Web) -> dict[str, str]:
    """The field of an administrator without bounds."""
    await web.add_user("root", roles=("admin",))
    return await web.token("root")


async def allowed(web: Web, user: User, client_id: str, *scopes: str) -> None:
    await web.rooms.consents.grant(user.id, client_id, scopes or ("openid",), (), clock.now())


async def listed(web: Web, field: dict[str, str], path: str = "/users/me/consents") -> list[dict[str, object]]:
    answer = await web.client.get(path, headers=field)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


@pytest.mark.spec("CONS-01")
async def test_what_was_allowed_in_the_browser_is_listed_and_its_withdrawal_signs_the_application_out(
    web: Web, ada: User
) -> None:
    shop = await add_application(web, "Shop", confidential=False)
    async with surfing(web) as surfer:
        page = await surfer.sign_in(await surfer.authorize(shop), "ada")
        code = returned(await surfer.allow(page))["code"]
    sent = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    tokens = (await web.client.post("/oauth2/token", data={"client_id": shop.id, **sent})).json()
    field = await web.token("ada")
    [shown] = await listed(web, field)
    assert (shown["client_id"], shown["client_name"]) == (shop.id, "Shop")
    assert (shown["scopes"], shown["audience"]) == (["openid", "orders:read"], [])
    assert shown["granted_at"] == shown["updated_at"]
    assert (await web.client.get("/userinfo", headers=bearer(tokens["access_token"]))).status_code == 200

    withdrawn = await web.client.delete(f"/users/me/consents/{shop.id}", headers=field)

    assert (withdrawn.status_code, withdrawn.content) == (204, b"")
    assert (await web.client.get("/userinfo", headers=bearer(tokens["access_token"]))).status_code == 401
    again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": shop.id}
    assert (await web.client.post("/oauth2/token", data=again)).json()["error"] == "invalid_grant"
    assert await listed(web, field) == []
    assert_problem(await web.client.delete(f"/users/me/consents/{shop.id}", headers=field), 404, "not_found")


async def test_an_application_is_asked_about_anew_after_the_withdrawal(web: Web, ada: User) -> None:
    shop = await add_application(web, "Asks anew", confidential=False)
    async with surfing(web) as surfer:
        await surfer.signed_in("ada")
        code = returned(await surfer.allow(await surfer.authorize(shop)))["code"]
        assert returned(await surfer.authorize(shop))["code"]
        gone = await web.client.delete(f"/users/me/consents/{shop.id}", headers=await web.token("ada"))
        assert gone.status_code == 204
        assert (await surfer.authorize(shop)).request.url.path == "/consent"
        silent = returned(await surfer.authorize(shop, prompt="none"))
        assert silent["error"] == "consent_required"
    sent = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    late = await web.client.post("/oauth2/token", data={"client_id": shop.id, **sent})
    assert late.json()["error"] == "invalid_grant"


async def test_the_list_is_read_page_by_page(web: Web) -> None:
    bea = await web.add_user("bea")
    ids = sorted([(await add_application(web, f"Listed {number}")).id for number in range(4)])
    for client_id in [DOCS_CLIENT_ID, *ids]:
        await allowed(web, bea, client_id)
    field, seen, cursor = await web.token("bea"), [], ""
    for _ in range(3):
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await web.client.get("/users/me/consents", params=params, headers=field)).json()
        seen += [(one["client_id"], one["client_name"]) for one in page["items"]]
        cursor = page["next"]
    assert cursor is None
    assert [client_id for client_id, _ in seen] == sorted([DOCS_CLIENT_ID, *ids])
    assert dict(seen)[DOCS_CLIENT_ID] == "Gatepost API documentation"
    broken = await web.client.get("/users/me/consents", params={"cursor": "bm8"}, headers=field)
    assert_problem(broken, 422, "invalid_request")


async def test_nobody_sees_or_withdraws_what_another_has_allowed(web: Web, ada: User) -> None:
    carl = await web.add_user("carl")
    shop = await add_application(web, "Shared")
    await allowed(web, ada, shop.id)
    field = await web.token("carl")
    assert await listed(web, field) == []
    assert_problem(await web.client.delete(f"/users/me/consents/{shop.id}", headers=field), 404, "not_found")
    answer = await web.client.get(f"/admin/users/{carl.id}/consents", headers=field)
    assert_problem(answer, 403, "insufficient_scope")
    assert await web.rooms.consents.find(ada.id, shop.id) is not None


async def test_an_administrator_sees_and_withdraws_a_persons_consents(web: Web, admin: dict[str, str]) -> None:
    dora = await web.add_user("dora")
    shop = await add_application(web, "Looked after")
    await allowed(web, dora, shop.id)
    path = f"/admin/users/{dora.id}/consents"
    [shown] = await listed(web, admin, path)
    assert shown["client_name"] == "Looked after"
    assert (await web.client.delete(f"{path}/{shop.id}", headers=admin)).status_code == 204
    assert await listed(web, admin, path) == []
    for method, url in (
        ("DELETE", f"{path}/{shop.id}"),
        ("DELETE", f"{path}/gp_client_no"),
        ("DELETE", f"/admin/users/nobody/consents/{shop.id}"),
        ("GET", "/admin/users/nobody/consents"),
    ):
        assert_problem(await web.client.request(method, url, headers=admin), 404, "not_found")


@pytest.mark.spec("AUTHZ-06")
async def test_nobody_withdraws_for_a_person_who_may_do_more_than_he(web: Web) -> None:
    await web.add_user("desk", roles=("desk",))
    boss = await web.add_user("boss", roles=("admin",))
    shop = await add_application(web, "Boss's own")
    await allowed(web, boss, shop.id)
    answer = await web.client.delete(f"/admin/users/{boss.id}/consents/{shop.id}", headers=await web.token("desk"))
    assert_problem(answer, 403, "beyond_own_scopes")
    assert await web.rooms.consents.find(boss.id, shop.id) is not None


async def test_an_application_that_is_gone_has_no_name(web: Web) -> None:
    eve = await web.add_user("eve")
    await allowed(web, eve, "gp_client_gone")
    [shown] = await listed(web, await web.token("eve"))
    assert (shown["client_id"], shown["client_name"]) == ("gp_client_gone", None)
