"""`PATCH /admin/users/{id}`: what applications are told about a person."""

import pytest

from tests.accounts.test_profile import WHOLE
from tests.web.oauth.browsing import VERIFIER, add_application, returned, surfing
from tests.web.running import Web, assert_problem, bearer

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def admin(web: Web) -> dict[str, str]:
    """The field of an administrator without bounds."""
    await web.add_user("root", roles=("admin",))
    return await web.token("root")


@pytest.mark.spec("OIDC Core §5.4")
async def test_an_application_is_told_what_the_administrator_has_set(web: Web, admin: dict[str, str]) -> None:
    ada = await web.add_user("ada")
    shop = await add_application(web, "Shop", confidential=False, skips_consent=True)
    async with surfing(web) as surfer:
        await surfer.signed_in("ada")
        code = returned(await surfer.authorize(shop, scope="openid profile email phone address"))["code"]
    sent = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER, "client_id": shop.id}
    answer = await web.client.post("/oauth2/token", data={**sent, "redirect_uri": "https://app.example/cb"})
    field = bearer(answer.json()["access_token"])
    told = (await web.client.get("/userinfo", headers=field)).json()
    assert told == {"sub": ada.id, "preferred_username": "ada"}

    body = {"profile": WHOLE, "email_verified": True}
    url = f"/admin/users/{ada.id}"
    refused = await web.client.patch(url, json=body, headers=admin)
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/email_verified"]
    assert (await web.client.patch(url, json={"profile": WHOLE}, headers=admin)).json()["profile"] == WHOLE
    told = (await web.client.get("/userinfo", headers=field)).json()
    assert told == {"sub": ada.id, **WHOLE}
    listed = await web.client.get("/admin/users", params={"search": "ada"}, headers=admin)
    assert [one["profile"] for one in listed.json()["items"]] == [WHOLE]


async def test_members_are_put_in_and_taken_out_one_by_one(web: Web, admin: dict[str, str]) -> None:
    bea = await web.add_user("bea")
    url = f"/admin/users/{bea.id}"
    for profile, left in (
        ({"name": "Bea", "address": {"country": "GB", "locality": "Ely"}}, None),
        ({"nickname": "B"}, {"name": "Bea", "nickname": "B", "address": {"country": "GB", "locality": "Ely"}}),
        ({"name": None, "address": {"locality": None}}, {"nickname": "B", "address": {"country": "GB"}}),
        ({"nickname": None, "address": None}, {}),
    ):
        answer = await web.client.patch(url, json={"profile": profile}, headers=admin)
        assert answer.status_code == 200, answer.text
        assert answer.json()["profile"] == (profile if left is None else left)


async def test_a_new_address_is_not_a_verified_one(web: Web, admin: dict[str, str]) -> None:
    cleo = await web.add_user("cleo")
    url = f"/admin/users/{cleo.id}"
    for body, verified in (
        ({"email": "cleo@example.com"}, False),
        ({"email_verified": True}, True),
        ({"email": "c@example.com"}, False),
        ({"email": "cleo@example.com", "email_verified": True}, True),
        ({"email_verified": False}, False),
    ):
        assert (await web.client.patch(url, json=body, headers=admin)).json()["email_verified"] is verified


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"profile": {"birthdate": "yesterday"}}, "/profile/birthdate"),
        ({"profile": {"picture": "javascript:alert(1)"}}, "/profile/picture"),
        ({"profile": {"name": ""}}, "/profile/name"),
        ({"profile": {"name": 7}}, "/profile/name"),
        ({"profile": {"phone_number_verified": "yes"}}, "/profile/phone_number_verified"),
        ({"profile": {"address": "London"}}, "/profile/address"),
        ({"profile": {"address": {"country": "G\nB"}}}, "/profile/address/country"),
        ({"profile": {"sub": "root"}}, "/profile/sub"),
        ({"profile": {"email": "x@example.com"}}, "/profile/email"),
        ({"profile": None}, "/profile"),
        ({"email_verified": None}, "/email_verified"),
    ],
)
async def test_each_mistake_is_named_where_it_is(
    web: Web, admin: dict[str, str], wrong: dict[str, object], pointer: str
) -> None:
    answer = await web.client.patch("/admin/users/nobody", json=wrong, headers=admin)
    if answer.status_code == 404:  # the room looks for the person first
        person = await web.rooms.directory.get_named("root")
        answer = await web.client.patch(f"/admin/users/{person.id}", json=wrong, headers=admin)
    assert_problem(answer, 422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
