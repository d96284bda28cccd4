"""Refresh tokens of applications: each traded in once, by its own client, for no more than was granted."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from gatepost.jws import parse_jws
from service import clock
from service.accounts.account import User
from service.clients.registry import ClientChange
from tests.servers.gatepost import settings_for
from tests.servers.valkey import ValkeyServer
from tests.web.oauth.asking import TOKEN, App, assert_oauth_error, every_kind, given, register
from tests.web.oauth.browsing import Surfer, surfing
from tests.web.running import Web, bearer, running_web

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    """No grace: what comes again is reuse."""
    return {"TOKENS__REFRESH_GRACE": "0s"}


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


@pytest.mark.spec("REF-01")
@pytest.mark.spec("REF-02")
@pytest.mark.spec("OIDC Core §12.2")
@pytest.mark.parametrize("kind", ["client_secret_basic", "client_secret_post", "none"])
async def test_each_token_is_followed_by_another_and_the_person_stays_the_same(
    apps: dict[str, App], browser: Surfer, kind: str
) -> None:
    app = apps[kind]
    first = await app.tokens(browser)
    second = given(await app.refresh(first["refresh_token"]))
    assert second.keys() == first.keys()
    assert second["refresh_token"] != first["refresh_token"]
    before, after = claims_in(first["id_token"]), claims_in(second["id_token"])
    assert before.pop("nonce") == "n-1"
    for moving in ("iat", "exp", "at_hash"):
        before.pop(moving), after.pop(moving)
    assert after == before
    kept = ("iss", "sub", "aud", "client_id", "scope", "sid", "auth_time")
    one, other = claims_in(first["access_token"]), claims_in(second["access_token"])
    assert {name: one[name] for name in kept} == {name: other[name] for name in kept}
    assert one["jti"] != other["jti"]


@pytest.mark.spec("REF-03")
@pytest.mark.spec("REF-04")
@pytest.mark.spec("RFC 9700 §4.14.2")
async def test_a_spent_token_ends_its_own_session_and_no_other(web: Web, apps: dict[str, App], browser: Surfer) -> None:
    app = apps["none"]
    other, first = await app.tokens(browser), await app.tokens(browser)
    second = given(await app.refresh(first["refresh_token"]))
    third = given(await app.refresh(second["refresh_token"]))
    assert_oauth_error(await app.refresh(first["refresh_token"]), 400, "invalid_grant")
    for tokens in (first, second, third):
        assert await is_refused(web, tokens["access_token"])
        assert_oauth_error(await app.refresh(tokens["refresh_token"]), 400, "invalid_grant")
    assert not await is_refused(web, other["access_token"])
    given(await app.refresh(other["refresh_token"]))
    assert "code" in await app_code(app, browser)


async def app_code(app: App, browser: Surfer) -> dict[str, str]:
    """A code again: the hosted sign-in was not touched."""
    return {"code": await app.code(browser)}


@pytest.mark.spec("REF-08")
@pytest.mark.spec("RFC 6749 §6")
async def test_another_client_gets_nothing_by_it_and_harms_nobody(
    web: Web, apps: dict[str, App], browser: Surfer
) -> None:
    owner = apps["client_secret_basic"]
    tokens = await owner.tokens(browser)
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    for app in (apps["client_secret_post"], apps["none"]):
        for _ in range(3):
            assert_oauth_error(await app.refresh(tokens["refresh_token"]), 400, "invalid_grant")
    for more in ({}, {"client_id": owner.client.id}):
        assert_oauth_error(await web.client.post(TOKEN, data={**form, **more}), 400, "invalid_client")
    assert not await is_refused(web, tokens["access_token"])
    tokens = given(await owner.refresh(tokens["refresh_token"]))
    given(await owner.refresh(tokens["refresh_token"]))


@pytest.mark.spec("RFC 6749 §6")
@pytest.mark.spec("OIDC Core §12.1")
async def test_scopes_narrow_for_one_token_and_never_widen(web: Web, surfer: Surfer, ada: User) -> None:
    await surfer.signed_in("ada")
    app = await register(web, "Wide", "orders:read", "orders:write", refresh_idle=timedelta(days=1))
    refresh = (await app.tokens(surfer, scope="openid orders:read"))["refresh_token"]
    narrow = given(await app.refresh(refresh, scope="orders:read"))
    assert (narrow["scope"], "id_token" in narrow) == ("orders:read", False)
    assert claims_in(narrow["access_token"])["scope"] == "orders:read"
    whole = given(await app.refresh(narrow["refresh_token"]))
    assert (whole["scope"], "id_token" in whole) == ("openid orders:read", True)
    assert_oauth_error(await app.refresh(whole["refresh_token"], scope="orders:write"), 400, "invalid_scope")


@pytest.mark.spec("RACE-01")
async def test_of_eight_racing_refreshes_at_most_one_wins_without_grace(apps: dict[str, App], browser: Surfer) -> None:
    app = apps["none"]
    tokens = await app.tokens(browser)
    answers = await asyncio.gather(*(app.refresh(tokens["refresh_token"]) for _ in range(8)))
    assert sum(answer.status_code == 200 for answer in answers) <= 1
    for answer in answers:
        if answer.status_code == 200:
            assert_oauth_error(await app.refresh(answer.json()["refresh_token"]), 400, "invalid_grant")


@pytest.mark.spec("LIFE-04")
async def test_a_consent_that_is_withdrawn_ends_that_clients_grant_alone(web: Web, surfer: Surfer) -> None:
    await web.add_user("carol", roles=("clerk",))
    await surfer.signed_in("carol")
    apps = [await register(web, name, skips_consent=False) for name in ("One", "Other")]
    one, other = [await app.tokens(surfer) for app in apps]
    own = await web.token("carol")
    answer = await web.client.delete(f"/users/me/consents/{apps[0].client.id}", headers=own)
    assert answer.status_code == 204
    assert await is_refused(web, one["access_token"])
    assert_oauth_error(await apps[0].refresh(one["refresh_token"]), 400, "invalid_grant")
    assert not await is_refused(web, other["access_token"])
    given(await apps[1].refresh(other["refresh_token"]))
    page = await surfer.authorize(apps[0].client)
    assert page.request.url.path == "/consent"


@pytest.mark.spec("REF-26")
@pytest.mark.spec("OIDC Core §11")
async def test_only_what_was_granted_for_offline_outlives_the_sign_in(web: Web, surfer: Surfer) -> None:
    await web.add_user("dora", roles=("clerk",))
    await surfer.signed_in("dora")
    app = await register(web, "Both")
    online = await app.tokens(surfer)
    offline = await app.tokens(surfer, scope="openid offline_access orders:read")
    ended = await surfer.get("/oauth2/logout", id_token_hint=online["id_token"])
    assert ended.status_code == 303
    assert await is_refused(web, online["access_token"])
    assert_oauth_error(await app.refresh(online["refresh_token"]), 400, "invalid_grant")
    assert not await is_refused(web, offline["access_token"])
    offline = given(await app.refresh(offline["refresh_token"]))
    answer = await web.client.post("/auth/logout-all", headers=await web.token("dora"))
    assert answer.status_code == 204
    assert await is_refused(web, offline["access_token"])
    assert_oauth_error(await app.refresh(offline["refresh_token"]), 400, "invalid_grant")


async def test_a_client_that_may_not_refresh_is_given_nothing_to_refresh_with(web: Web, browser: Surfer) -> None:
    app = await register(web, "Once", grants=frozenset({"authorization_code"}))
    tokens = await app.tokens(browser, scope="openid offline_access orders:read")
    assert "refresh_token" not in tokens
    assert "offline_access" not in tokens["scope"]


async def test_what_a_client_loses_its_sessions_lose(web: Web, surfer: Surfer, ada: User) -> None:
    await surfer.signed_in("ada")
    app = await register(web, "Shrinking", "orders:read", "orders:write")
    tokens = await app.tokens(surfer, scope="openid orders:read orders:write")
    change = ClientChange(scopes=["orders:read"])
    await web.rooms.clients.change(app.client.id, change, now=clock.now())
    assert await is_refused(web, tokens["access_token"])
    again = given(await app.refresh(tokens["refresh_token"]))
    assert again["scope"] == "openid orders:read"


async def test_what_is_no_refresh_token_of_ours_is_an_invalid_grant(apps: dict[str, App], browser: Surfer) -> None:
    app = apps["none"]
    good = (await app.tokens(browser))["refresh_token"]
    for token in (
        "x",
        "gp_rt_",
        good[:-1],
        good + "A",
        good.swapcase(),
        good[:-1] + "!",
        "\0",
        "é" * 80,
        "x" * 200_000,
    ):
        assert_oauth_error(await app.refresh(token), 400, "invalid_grant")
    given(await app.refresh(good))


@pytest.mark.spec("REF-24")
async def test_a_spent_token_stays_dead_through_a_restart_of_everything(
    sqlite_url: str, own_valkey: ValkeyServer
) -> None:
    settings = settings_for(sqlite_url, own_valkey.url, TOKENS__REFRESH_GRACE="0s")
    more = {name.removeprefix("GATEPOST_"): value for name, value in settings.items()}
    async with running_web(sqlite_url, own_valkey.url, **more) as web, surfing(web) as surfer:
        await web.add_user("lasting", roles=("clerk",))
        app = await register(web, "Lasting")
        await surfer.signed_in("lasting")
        old = await app.tokens(surfer)
        new = given(await app.refresh(old["refresh_token"]))
    own_valkey.stop()
    own_valkey.start()
    async with running_web(sqlite_url, own_valkey.url, **more) as web:
        again = App(web, app.client, app.secret)
        assert not await is_refused(web, new["access_token"])
        assert_oauth_error(await again.refresh(old["refresh_token"]), 400, "invalid_grant")
        assert await is_refused(web, new["access_token"])
        assert_oauth_error(await again.refresh(new["refresh_token"]), 400, "invalid_grant")
