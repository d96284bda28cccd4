"""`/admin/clients`: what a client is registered for, and how each mistake in it is named."""

from typing import Any

import pytest

from service.clients.directory import DOCS_CLIENT_ID
from tests.web.running import Web, assert_problem, basic

pytestmark = pytest.mark.anyio
CALLBACK = "https://shop.example/cb"
FULL: dict[str, object] = {
    "redirect_uris": [CALLBACK, "http://127.0.0.1/cb", "com.example.shop:/cb"],
    "post_logout_redirect_uris": ["https://shop.example/bye"],
    "grant_types": ["authorization_code", "client_credentials", "refresh_token"],
    "token_endpoint_auth_method": "client_secret_post",
    "id_token_signed_response_alg": "ES256",
    "resources": ["https://api.example/", "urn:example:stock"],
    "access_life": 900,
    "refresh_idle": 86_400,
    "skips_consent": True,
    "client_uri": "https://shop.example/",
    "logo_uri": "https://shop.example/logo.png",
    "policy_uri": "https://shop.example/policy",
    "tos_uri": "https://shop.example/terms",
    "backchannel_logout_uri": "https://shop.example/logout",
}


@pytest.fixture(scope="module")
async def admin(web: Web) -> dict[str, str]:
    """The field of an administrator without bounds."""
    await web.add_user("root", roles=("admin",))
    return await web.token("root")


async def create(web: Web, field: dict[str, str], **asked: object) -> dict[str, Any]:
    answer = await web.client.post("/admin/clients", json={"name": "Shop", **asked}, headers=field)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def change(web: Web, field: dict[str, str], client: dict[str, Any], **asked: object) -> dict[str, Any]:
    answer = await web.client.patch(f"/admin/clients/{client['id']}", json=asked, headers=field)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def test_all_that_is_said_of_a_client_is_kept_and_shown(web: Web, admin: dict[str, str]) -> None:
    created = await create(web, admin, **FULL)
    assert {name: created[name] for name in FULL} == FULL
    shown = await web.client.get(f"/admin/clients/{created['id']}", headers=admin)
    assert {name: shown.json()[name] for name in FULL} == FULL


async def test_what_is_not_said_is_as_usual(web: Web, admin: dict[str, str]) -> None:
    service = await create(web, admin)
    assert (service["grant_types"], service["token_endpoint_auth_method"]) == (
        ["client_credentials"],
        "client_secret_basic",
    )
    assert (service["id_token_signed_response_alg"], service["skips_consent"]) == ("RS256", False)
    assert (service["access_life"], service["refresh_idle"], service["logo_uri"]) == (None, None, None)
    app = await create(web, admin, confidential=False, redirect_uris=["com.example.shop:/cb"])
    assert app["grant_types"] == ["authorization_code", "refresh_token"]
    assert (app["token_endpoint_auth_method"], app["client_secret"]) == ("none", None)


async def test_a_change_replaces_lists_and_leaves_the_rest(web: Web, admin: dict[str, str]) -> None:
    created = await create(web, admin, **FULL)
    created.pop("client_secret")
    moved = {"redirect_uris": ["https://moved.example/cb"], "resources": []}
    assert await change(web, admin, created, **moved) == {**created, **moved}


async def test_null_takes_a_link_away_and_gives_a_life_back(web: Web, admin: dict[str, str]) -> None:
    created = await create(web, admin, **FULL)
    created.pop("client_secret")
    lives, links = ("access_life", "refresh_idle"), ("client_uri", "logo_uri", "policy_uri", "tos_uri")
    cleared = dict.fromkeys([*lives, *links, "backchannel_logout_uri"])
    assert await change(web, admin, created, **cleared) == {**created, **cleared}
    for name in FULL.keys() - cleared:
        answer = await web.client.patch(f"/admin/clients/{created['id']}", json={name: None}, headers=admin)
        assert_problem(answer, 422, "invalid_request")
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]


@pytest.mark.spec("DCR-02")
@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"redirect_uris": [CALLBACK, CALLBACK, "javascript:alert(1)"]}, "/redirect_uris/2"),
        ({"redirect_uris": ["https://shop.example/#f"]}, "/redirect_uris/0"),
        ({"redirect_uris": ["https://me@shop.example/"]}, "/redirect_uris/0"),
        ({"redirect_uris": ["https://*.example/"]}, "/redirect_uris/0"),
        ({"redirect_uris": ["/relative"]}, "/redirect_uris/0"),
        ({"redirect_uris": ["https://shop.example/\r\nX: y"]}, "/redirect_uris/0"),
        ({"redirect_uris": [CALLBACK, ""]}, "/redirect_uris/1"),
        ({"redirect_uris": [CALLBACK, 7]}, "/redirect_uris/1"),
        ({"redirect_uris": [CALLBACK, "https://x.example/" + "x" * 2_000]}, "/redirect_uris/1"),
        ({"redirect_uris": CALLBACK}, "/redirect_uris"),
        ({"redirect_uris": [CALLBACK] * 51}, "/redirect_uris"),
        ({"post_logout_redirect_uris": [CALLBACK, "data:text/html,x"]}, "/post_logout_redirect_uris/1"),
        ({"resources": ["https://a.example/", "stock"]}, "/resources/1"),
        ({"grant_types": ["password"]}, "/grant_types"),
        ({"grant_types": ["implicit"]}, "/grant_types"),
        ({"grant_types": ["refresh_token"]}, "/grant_types"),
        ({"grant_types": ["authorization_code"]}, "/redirect_uris"),
        ({"token_endpoint_auth_method": "none"}, "/token_endpoint_auth_method"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "/token_endpoint_auth_method"),
        ({"id_token_signed_response_alg": "none"}, "/id_token_signed_response_alg"),
        ({"access_life": 59}, "/access_life"),
        ({"access_life": 86_401}, "/access_life"),
        ({"access_life": "900"}, "/access_life"),
        ({"refresh_idle": 0}, "/refresh_idle"),
        ({"skips_consent": "yes"}, "/skips_consent"),
        ({"logo_uri": "data:image/png;base64,AAAA"}, "/logo_uri"),
        ({"backchannel_logout_uri": "http://shop.example/"}, "/backchannel_logout_uri"),
        ({"jwks_uri": "https://shop.example/jwks"}, "/jwks_uri"),
        ({"confidential": False, "grant_types": ["client_credentials"]}, "/grant_types"),
        (
            {"confidential": False, "redirect_uris": ["http://127.0.0.1/cb"], "skips_consent": True},
            "/skips_consent",
        ),
    ],
)
async def test_each_mistake_is_named_where_it_is(
    web: Web, admin: dict[str, str], wrong: dict[str, object], pointer: str
) -> None:
    answer = await web.client.post("/admin/clients", json={"name": "Wrong", **wrong}, headers=admin)
    assert_problem(answer, 422, "invalid_request")
    [error] = answer.json()["errors"]
    assert error.keys() == {"pointer", "code", "message"}
    assert error["pointer"] == pointer
    found = await web.client.get("/admin/clients", params={"search": "Wrong"}, headers=admin)
    assert found.json()["items"] == []


async def test_the_same_rules_hold_for_a_change(web: Web, admin: dict[str, str]) -> None:
    created = await create(web, admin, **FULL)
    for wrong, pointer in (
        ({"redirect_uris": []}, "/redirect_uris"),
        ({"redirect_uris": [CALLBACK, "https://x.example/#f"]}, "/redirect_uris/1"),
        ({"token_endpoint_auth_method": "none"}, "/token_endpoint_auth_method"),
        ({"grant_types": ["password"]}, "/grant_types"),
        ({"confidential": False}, "/confidential"),
    ):
        answer = await web.client.patch(f"/admin/clients/{created['id']}", json=wrong, headers=admin)
        assert_problem(answer, 422, "invalid_request")
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    shown = await web.client.get(f"/admin/clients/{created['id']}", headers=admin)
    assert {name: shown.json()[name] for name in FULL} == FULL


@pytest.mark.spec("CL-12")
async def test_secrets_at_the_token_endpoint_overlap_as_announced(web: Web, admin: dict[str, str]) -> None:
    created = await create(web, admin, scopes=["orders:read"])
    url = f"/admin/clients/{created['id']}/rotate-secret"

    async def status(secret: str) -> int:
        sent = {"grant_type": "client_credentials"}
        return (await web.client.post("/oauth2/token", data=sent, headers=basic(created["id"], secret))).status_code

    first = created["client_secret"]
    assert await status(first) == 200
    second = (await web.client.post(url, json={"overlap": 600}, headers=admin)).json()["client_secret"]
    assert [await status(secret) for secret in (first, second)] == [200, 200]
    third = (await web.client.post(url, json={}, headers=admin)).json()["client_secret"]
    assert [await status(secret) for secret in (first, second, third)] == [401, 401, 200]


async def test_a_life_and_a_method_of_the_clients_own_count_at_the_token_endpoint(
    web: Web, admin: dict[str, str]
) -> None:
    created = await create(web, admin, access_life=120, token_endpoint_auth_method="client_secret_post")
    sent = {"grant_type": "client_credentials", "client_id": created["id"], "client_secret": created["client_secret"]}
    assert (await web.client.post("/oauth2/token", data=sent)).json()["expires_in"] == 120
    other = basic(created["id"], created["client_secret"])
    refused = await web.client.post("/oauth2/token", data={"grant_type": "client_credentials"}, headers=other)
    assert refused.json()["error"] == "invalid_client"


async def test_a_disabled_client_gets_and_has_no_token(web: Web, admin: dict[str, str]) -> None:
    created = await create(web, admin, scopes=["orders:read"])
    proof, sent = basic(created["id"], created["client_secret"]), {"grant_type": "client_credentials"}
    token = (await web.client.post("/oauth2/token", data=sent, headers=proof)).json()["access_token"]
    field = {"Authorization": f"Bearer {token}"}
    assert (await web.client.get("/auth/verify", headers=field)).status_code == 200
    await change(web, admin, created, disabled=True)
    assert (await web.client.get("/auth/verify", headers=field)).status_code == 401
    refused = await web.client.post("/oauth2/token", data=sent, headers=proof)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


async def test_the_docs_client_is_not_listed_and_cannot_be_changed(web: Web, admin: dict[str, str]) -> None:
    found = await web.client.get("/admin/clients", params={"search": DOCS_CLIENT_ID}, headers=admin)
    assert found.json()["items"] == []
    url = f"/admin/clients/{DOCS_CLIENT_ID}"
    for answer in (
        await web.client.get(url, headers=admin),
        await web.client.patch(url, json={"disabled": True}, headers=admin),
        await web.client.post(f"{url}/rotate-secret", json={}, headers=admin),
    ):
        assert_problem(answer, 404, "not_found")
