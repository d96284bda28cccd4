"""Authorization codes at the token endpoint: bound to their client, their address and their verifier, and good once."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gatepost.jws import parse_jws
from service import clock
from service.accounts.account import User
from service.accounts.directory import UserChange
from tests.servers.valkey import ValkeyServer
from tests.web.oauth.asking import TOKEN, USERINFO, App, assert_oauth_error, every_kind, given, register
from tests.web.oauth.browsing import CHALLENGE, REDIRECT, VERIFIER, Surfer, surfing
from tests.web.running import Web, bearer

pytestmark = pytest.mark.anyio
BASIC, PUBLIC = "client_secret_basic", "none"


@pytest.fixture(scope="module")
async def apps(web: Web) -> dict[str, App]:
    """One application for each way of proof."""
    return dict(await every_kind(web))


@pytest.fixture(scope="module")
async def browser(web: Web, ada: User) -> AsyncIterator[Surfer]:
    """Ada's browser, signed in."""
    async with surfing(web) as surfer:
        yield await surfer.signed_in("ada")


def claims_in(token: str) -> dict[str, Any]:
    """The payload of a token."""
    document: dict[str, Any] = json.loads(parse_jws(token).payload)
    return document


async def is_refused(web: Web, token: str) -> bool:
    """Whether the API takes the token no more."""
    return (await web.client.get("/users/me", headers=bearer(token))).status_code == 401


@pytest.mark.spec("RFC 6749 §4.1.4")
@pytest.mark.spec("OIDC Core §3.1.3.3")
@pytest.mark.spec("JWT-40")
@pytest.mark.parametrize("kind", ["client_secret_basic", "client_secret_post", "none"])
async def test_a_good_code_gives_what_was_granted_and_says_so(
    web: Web, apps: dict[str, App], browser: Surfer, ada: User, kind: str
) -> None:
    app = apps[kind]
    tokens = await app.tokens(browser)
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
    assert (tokens["token_type"], tokens["scope"]) == ("Bearer", "openid orders:read")
    access, identity = claims_in(tokens["access_token"]), claims_in(tokens["id_token"])
    assert json.loads(base64.urlsafe_b64decode(tokens["access_token"].partition(".")[0] + "=="))["typ"] == "at+jwt"
    assert (access["iss"], access["aud"], access["sub"]) == (web.settings.issuer, web.settings.audience, ada.id)
    assert (access["client_id"], access["scope"]) == (app.client.id, "openid orders:read")
    assert 0 < tokens["expires_in"] == access["exp"] - access["iat"]
    assert (identity["iss"], identity["aud"], identity["sub"]) == (web.settings.issuer, app.client.id, ada.id)
    assert (identity["nonce"], identity["auth_time"]) == ("n-1", access["auth_time"])
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert identity["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    assert not {"email", "name", "epoch", "jti"} & identity.keys()


@pytest.mark.spec("PKCE-06")
@pytest.mark.spec("RFC 7636 §4.6")
@pytest.mark.parametrize(
    "verifier",
    [
        pytest.param(None, id="missing"),
        pytest.param("", id="empty"),
        pytest.param("b" * 43, id="wrong"),
        pytest.param(CHALLENGE, id="the challenge: a downgrade to plain"),
        pytest.param(VERIFIER + "=", id="padded"),
        pytest.param(VERIFIER[:-1], id="42 characters"),
        pytest.param("a" * 129, id="129 characters"),
        pytest.param(VERIFIER.upper(), id="other case"),
        pytest.param(VERIFIER + " ", id="blank"),
        pytest.param(VERIFIER + "\n", id="line"),
        pytest.param(VERIFIER + "\0", id="nul"),
        pytest.param("ä" * 43, id="not ascii"),
        pytest.param("a" * 200_000, id="huge"),
    ],
)
async def test_no_verifier_but_the_right_one_redeems(
    apps: dict[str, App], browser: Surfer, verifier: str | None
) -> None:
    app = apps[PUBLIC]
    code = await app.code(browser)
    for _ in range(2):
        assert_oauth_error(await app.redeem(code, code_verifier=verifier), 400, "invalid_grant")


@pytest.mark.spec("RFC 7636 §4.1")
@pytest.mark.parametrize("verifier", ["~" * 43, "a-._~Z9" * 18 + "ab"])
async def test_a_verifier_of_any_allowed_length_redeems(apps: dict[str, App], browser: Surfer, verifier: str) -> None:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    code = await apps[PUBLIC].code(browser, code_challenge=challenge)
    given(await apps[PUBLIC].redeem(code, code_verifier=verifier))


@pytest.mark.spec("PKCE-07")
async def test_a_failed_try_spends_the_code(apps: dict[str, App], browser: Surfer) -> None:
    app = apps[BASIC]
    for wrong in (
        {"code_verifier": "b" * 43},
        {"redirect_uri": REDIRECT + "/"},
        {"redirect_uri": None},
        {"redirect_uri": REDIRECT.upper()},
        {"redirect_uri": "https://app.example/other"},
    ):
        code = await app.code(browser)
        assert_oauth_error(await app.redeem(code, **wrong), 400, "invalid_grant")
        for _ in range(2):
            assert_oauth_error(await app.redeem(code), 400, "invalid_grant")


@pytest.mark.spec("CODE-05")
@pytest.mark.spec("RFC 6749 §4.1.3")
async def test_a_code_is_its_own_clients_alone(web: Web, apps: dict[str, App], browser: Surfer) -> None:
    one = apps[BASIC]
    for other in (apps["client_secret_post"], apps[PUBLIC]):
        assert_oauth_error(await other.redeem(await one.code(browser)), 400, "invalid_grant")
        assert_oauth_error(await one.redeem(await other.code(browser)), 400, "invalid_grant")
    code = await one.code(browser)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    nobody = await web.client.post(TOKEN, data=form)
    public = await web.client.post(TOKEN, data={**form, "client_id": one.client.id})
    for answer in (nobody, public):
        assert_oauth_error(answer, 400, "invalid_client")
    given(await one.redeem(code))


@pytest.mark.spec("CODE-02")
@pytest.mark.spec("CODE-03")
@pytest.mark.spec("RFC 6749 §4.1.2")
async def test_a_code_that_comes_again_ends_what_it_gave_and_nothing_else(
    web: Web, apps: dict[str, App], browser: Surfer
) -> None:
    app = apps[BASIC]
    other = await app.tokens(browser)
    code = await app.code(browser)
    tokens = given(await app.redeem(code))
    assert not await is_refused(web, tokens["access_token"])
    assert_oauth_error(await app.redeem(code, code_verifier="b" * 43), 400, "invalid_grant")
    assert await is_refused(web, tokens["access_token"])
    assert (await web.client.get(USERINFO, headers=bearer(tokens["access_token"]))).status_code == 401
    assert not await app.is_active(tokens["access_token"])
    assert_oauth_error(await app.refresh(tokens["refresh_token"]), 400, "invalid_grant")
    assert not await is_refused(web, other["access_token"])
    given(await app.refresh(other["refresh_token"]))


@pytest.mark.spec("RACE-02")
async def test_of_eight_racing_redemptions_one_wins_at_most_and_its_tokens_die(
    web: Web, apps: dict[str, App], browser: Surfer
) -> None:
    app = apps[BASIC]
    for _ in range(3):
        code = await app.code(browser)
        answers = await asyncio.gather(*(app.redeem(code) for _ in range(8)))
        won = [answer.json() for answer in answers if answer.status_code == 200]
        assert len(won) <= 1
        for tokens in won:
            assert await is_refused(web, tokens["access_token"])
            assert_oauth_error(await app.refresh(tokens["refresh_token"]), 400, "invalid_grant")


@pytest.mark.spec("CODE-10")
async def test_what_is_no_code_of_ours_or_was_lost_is_an_invalid_grant(
    apps: dict[str, App], browser: Surfer, valkey_server: ValkeyServer
) -> None:
    app = apps[BASIC]
    good = await app.code(browser)
    for code in ("x", "gp_ac_", good[:-1], good + "A", good.replace("gp_ac_", "gp_rt_"), good.upper(), "\0", "é" * 90):
        assert_oauth_error(await app.redeem(code), 400, "invalid_grant")
    assert_oauth_error(await app.redeem(""), 400, "invalid_request")
    valkey_server.flush()
    assert_oauth_error(await app.redeem(good), 400, "invalid_grant")


async def test_an_account_that_changed_since_the_yes_gives_nothing(web: Web, surfer: Surfer) -> None:
    user = await web.add_user("gone", roles=("clerk",))
    await surfer.signed_in("gone")
    app = await register(web, "Late")
    code = await app.code(surfer)
    await web.rooms.directory.change(user.id, UserChange(disabled=True), now=clock.now())
    assert_oauth_error(await app.redeem(code), 400, "invalid_grant")


@pytest.mark.spec("LOG-09")
async def test_a_code_of_before_the_logout_gives_nothing(web: Web, surfer: Surfer, ada: User) -> None:
    await surfer.signed_in("ada")
    app = await register(web, "Later")
    code, hint = await app.code(surfer), (await app.tokens(surfer))["id_token"]
    assert (await surfer.get("/oauth2/logout", id_token_hint=hint)).status_code == 303
    assert_oauth_error(await app.redeem(code), 400, "invalid_grant")


@pytest.mark.spec("RFC 8707 §2.2")
async def test_resources_narrow_at_the_token_endpoint_and_never_widen(web: Web, browser: Surfer) -> None:
    a, b = "https://a.example", "https://b.example"
    app = await register(web, "Apis", resources=(a, b))
    tokens = given(await app.redeem(await app.code(browser, resource=a), resource=a))
    assert claims_in(tokens["access_token"])["aud"] == a
    for asked in (b, web.settings.audience, "https://c.example", a + "/", a.upper(), "x"):
        assert_oauth_error(await app.redeem(await app.code(browser, resource=a), resource=asked), 400, "invalid_target")
        assert_oauth_error(await app.refresh(tokens["refresh_token"], resource=asked), 400, "invalid_target")
    again = given(await app.refresh(tokens["refresh_token"]))
    assert claims_in(again["access_token"])["aud"] == a
    assert await is_refused(web, again["access_token"])
