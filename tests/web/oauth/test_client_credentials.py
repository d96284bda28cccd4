"""A client that calls as itself: no more than its own scopes, nothing that tells of a person, nothing that lasts."""

import json
from datetime import timedelta
from typing import Any

import pytest

from gatepost.jws import parse_jws
from service import clock
from service.clients.registry import ClientChange
from tests.web.oauth.asking import SERVICE, USERINFO, App, assert_oauth_error, given, register
from tests.web.running import Web, assert_problem, bearer

pytestmark = pytest.mark.anyio
API = "https://a.example"


@pytest.fixture(scope="module")
async def robot(web: Web) -> App:
    """A client with two scopes of services, and one that tells of a person, which an administrator gave it in error."""
    return await register(web, "Robot", "orders:read", "orders:write", "openid", grants=SERVICE, resources=(API,))


def claims_in(token: str) -> dict[str, Any]:
    """The payload of a token."""
    document: dict[str, Any] = json.loads(parse_jws(token).payload)
    return document


@pytest.mark.spec("CC-01")
@pytest.mark.spec("RFC 6749 §4.4.3")
@pytest.mark.spec("RFC 9068 §2.2")
async def test_it_is_given_an_access_token_alone_that_names_it_as_its_own_subject(web: Web, robot: App) -> None:
    for more in ({}, {"scope": "orders:read orders:write"}):
        answer = given(await robot.as_itself(**more))
        assert answer.keys() == {"access_token", "token_type", "expires_in", "scope"}
        assert (answer["token_type"], answer["scope"]) == ("Bearer", "orders:read orders:write")
        claims = claims_in(answer["access_token"])
        assert claims["sub"] == claims["client_id"] == robot.client.id
        assert claims["aud"] == web.settings.audience
        assert not claims.keys() & {"sid", "auth_time", "amr", "acr", "nonce", "userinfo_claims"}
    narrow = given(await robot.as_itself(scope="orders:read"))
    assert (narrow["scope"], claims_in(narrow["access_token"])["scope"]) == ("orders:read", "orders:read")


@pytest.mark.spec("CC-02")
@pytest.mark.spec("SCOPE-01")
@pytest.mark.spec("SCOPE-07")
@pytest.mark.spec("RFC 6749 §3.3")
@pytest.mark.parametrize(
    "scope",
    [
        *("admin:users:write", "orders:read admin:users:write", "orders", "orders:*", "*", "ORDERS:READ", "nothing"),
        *("openid", "openid orders:read", "profile", "email", "offline_access", "account:write", "tokens:introspect"),
        *("orders:read  orders:write", " orders:read", "orders:read\torders:write", "orders:read\0", 'orders:"read"'),
        *("orders:read,orders:write", "ordérs", "x" * 100_000, " ".join(f"s{number}" for number in range(10_000)), " "),
    ],
)
async def test_more_than_it_has_is_never_granted(robot: App, scope: str) -> None:
    answer = await robot.as_itself(scope=scope)
    assert_oauth_error(answer, 400, "invalid_scope")
    assert len(answer.json()["error_description"]) < 200


@pytest.mark.spec("CC-05")
@pytest.mark.spec("RFC 6750 §3.1")
async def test_its_token_opens_what_its_scopes_open_and_nothing_of_a_persons(web: Web, robot: App) -> None:
    token = bearer(given(await robot.as_itself())["access_token"])
    assert (await web.client.get("/auth/verify", params={"scope": "orders:read"}, headers=token)).status_code == 200
    answer = await web.client.get("/admin/users", headers=token)
    assert_problem(answer, 403, "insufficient_scope")
    assert answer.headers["www-authenticate"].startswith(
        'Bearer realm="gatepost", error="insufficient_scope", scope="admin:users:read"'
    )
    assert (await web.client.get(USERINFO, headers=token)).status_code == 401


@pytest.mark.spec("RFC 8707 §2")
async def test_it_is_given_tokens_for_the_apis_of_its_registration_alone(web: Web, robot: App) -> None:
    elsewhere = given(await robot.as_itself(resource=API))["access_token"]
    assert claims_in(elsewhere)["aud"] == API
    assert_problem(await web.client.get("/users/me", headers=bearer(elsewhere)), 401, "invalid_token")
    for resource in ("https://b.example", API + "/", API + "#x", "https://A.example", "x", "a b"):
        assert_oauth_error(await robot.as_itself(resource=resource), 400, "invalid_target")
    form = {"grant_type": "client_credentials", "resource": [API, "https://b.example"]}
    answer = await web.client.post("/oauth2/token", data=form, headers=robot.proof)
    assert_oauth_error(answer, 400, "invalid_target")


async def test_its_own_life_of_tokens_is_kept_to(web: Web) -> None:
    app = await register(web, "Brief", grants=SERVICE, access_life=timedelta(minutes=2))
    answer = given(await app.as_itself())
    claims = claims_in(answer["access_token"])
    assert answer["expires_in"] == claims["exp"] - claims["iat"] == 120


async def test_what_it_loses_its_tokens_lose_at_once(web: Web) -> None:
    app = await register(web, "Shrinking", "orders:read", "orders:write", grants=SERVICE)
    old = given(await app.as_itself())["access_token"]
    change = ClientChange(scopes=["orders:read"])
    await web.rooms.clients.change(app.client.id, change, now=clock.now())
    assert_problem(await web.client.get("/users/me", headers=bearer(old)), 401, "invalid_token")
    assert_oauth_error(await app.as_itself(scope="orders:write"), 400, "invalid_scope")
    assert given(await app.as_itself())["scope"] == "orders:read"
