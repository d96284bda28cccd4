"""`/oauth2/introspect` as HTTP: a client learns of its own tokens, a resource server of all, anybody else of none."""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from service import clock
from service.accounts.account import User
from service.accounts.directory import UserChange
from tests.web.credentials import signed_anew
from tests.web.oauth.asking import INTROSPECT, REVOKE, SERVICE, App, assert_oauth_error, every_kind, given, register
from tests.web.oauth.browsing import Surfer, surfing
from tests.web.running import Web

pytestmark = pytest.mark.anyio
API = "https://a.example"
INACTIVE = b'{"active":false}'


@pytest.fixture(scope="module")
async def app(web: Web) -> App:
    """An application."""
    return await register(web, "Orders", resources=(API,))


@pytest.fixture(scope="module")
async def guard(web: Web) -> App:
    """A resource server, which may ask about every token."""
    return await register(web, "Guard", "tokens:introspect", grants=SERVICE)


@pytest.fixture(scope="module")
async def browser(web: Web, ada: User) -> AsyncIterator[Surfer]:
    """Ada's browser, signed in."""
    async with surfing(web) as surfer:
        yield await surfer.signed_in("ada")


@pytest.fixture(scope="module")
async def tokens(app: App, browser: Surfer) -> dict[str, Any]:
    """Living tokens of the application."""
    return await app.tokens(browser)


@pytest.mark.spec("RFC 7662 §2.2")
async def test_its_owner_is_told_what_a_token_says_and_nothing_of_its_inner_life(
    web: Web, app: App, tokens: dict[str, Any], browser: Surfer, ada: User
) -> None:
    told = given(await app.ask(INTROSPECT, token=tokens["access_token"]))
    assert (told["active"], told["sub"], told["client_id"]) == (True, ada.id, app.client.id)
    assert (told["iss"], told["aud"]) == (web.settings.issuer, web.settings.audience)
    assert (told["scope"], told["token_type"]) == ("openid orders:read", "Bearer")
    assert told["exp"] - told["iat"] == tokens["expires_in"]
    assert not told.keys() & {"epoch", "client_epoch", "username", "email"}
    refresh = given(await app.ask(INTROSPECT, token=tokens["refresh_token"]))
    assert (refresh["active"], refresh["sub"], refresh["sid"]) == (True, ada.id, told["sid"])
    assert refresh["exp"] > told["exp"]
    elsewhere = await app.tokens(browser, resource=API)
    assert given(await app.ask(INTROSPECT, token=elsewhere["access_token"]))["aud"] == API


@pytest.mark.spec("RFC 7662 §2.1")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", ["", "access_token", "refresh_token", "urn:x", "\0", "x" * 1_000])
async def test_the_hint_changes_nothing(app: App, tokens: dict[str, Any], kind: str, hint: str) -> None:
    assert given(await app.ask(INTROSPECT, token=tokens[kind], token_type_hint=hint))["active"] is True


@pytest.mark.spec("INT-05")
@pytest.mark.spec("RFC 7662 §4")
async def test_another_client_is_told_nothing_unless_it_is_a_resource_server(
    web: Web, app: App, guard: App, tokens: dict[str, Any]
) -> None:
    stranger = await register(web, "Stranger", "orders:read", grants=SERVICE)
    for kind in ("access_token", "refresh_token"):
        assert (await stranger.ask(INTROSPECT, token=tokens[kind])).content == INACTIVE
        assert given(await guard.ask(INTROSPECT, token=tokens[kind]))["client_id"] == app.client.id
    own = given(await stranger.as_itself())["access_token"]
    assert given(await stranger.ask(INTROSPECT, token=own))["sub"] == stranger.client.id
    assert (await app.ask(INTROSPECT, token=own)).content == INACTIVE


@pytest.mark.spec("INT-02")
@pytest.mark.spec("INT-06")
@pytest.mark.spec("INT-08")
@pytest.mark.spec("RFC 7662 §2.2")
async def test_whatever_is_not_good_is_told_in_the_same_words_even_to_a_resource_server(
    web: Web, app: App, guard: App, browser: Surfer
) -> None:
    live, spent, revoked = [await app.tokens(browser) for _ in range(3)]
    given(await app.refresh(spent["refresh_token"]))
    assert (await app.ask(REVOKE, token=revoked["refresh_token"])).status_code == 200
    user = await web.add_user("paused", roles=("clerk",))
    async with surfing(web) as surfer:
        paused = await app.tokens(await surfer.signed_in("paused"))
    assert await app.is_active(paused["refresh_token"])
    await web.rooms.directory.change(user.id, UserChange(disabled=True), now=clock.now())
    now, access = int(clock.now().timestamp()), live["access_token"]
    header, payload, signature = access.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    for what, token in {
        "rotated": spent["refresh_token"],
        "revoked": revoked["refresh_token"],
        "revoked with its session": revoked["access_token"],
        "of a disabled person": paused["access_token"],
        "refresh of a disabled person": paused["refresh_token"],
        "expired": signed_anew(web, access, iat=now - 20, exp=now),
        "of tomorrow": signed_anew(web, access, iat=now + 3_600, exp=now + 7_200),
        "another issuer's": signed_anew(web, access, iss="https://elsewhere.example"),
        "id_token": live["id_token"],
        "logout token": signed_anew(web, access, typ="logout+jwt"),
        "code": await app.code(browser),
        "first party": (await web.sign_in("ada"))["access_token"] + "x",
        "unsigned": f"{none}.{payload}.",
        "changed": f"{header}.{payload}.{signature[:-3]}AAA",
        "unknown": "x",
        "nul": "\0",
        "nul inside": f"{access[:9]}\0{access[9:]}",
        "not ascii": "é" * 50,
        "long": "a." * 5_000,
        "five kilobytes": "gp_rt_" + "A" * 5_000,
        "api key": "gp_0123456789abcdef",
        "json": '{"alg":"none"}',
    }.items():
        for asking in (app, guard):
            answer = await asking.ask(INTROSPECT, token=token)
            assert (answer.status_code, answer.content) == (200, INACTIVE), what
            assert answer.headers["cache-control"] == "no-store"


@pytest.mark.spec("INT-07")
@pytest.mark.spec("RFC 7662 §2.1")
async def test_it_is_asked_by_post_by_a_client_with_a_secret_about_one_token(
    web: Web, app: App, tokens: dict[str, Any]
) -> None:
    token = {"token": tokens["access_token"]}
    public = (await every_kind(web))["none"]
    for answer in (
        await web.client.post(INTROSPECT, data=token),
        await public.ask(INTROSPECT, **token),
        await web.client.post(INTROSPECT, data=token, headers={"Authorization": f"Bearer {tokens['access_token']}"}),
    ):
        assert_oauth_error(answer, 401, "invalid_client")
    for answer in (
        await app.ask(INTROSPECT),
        await app.ask(INTROSPECT, token=""),
        await web.client.post(INTROSPECT, params=token, headers=app.proof),
        await web.client.post(INTROSPECT, params=token, data=token, headers=app.proof),
        await web.client.post(INTROSPECT, data={"token": [token["token"]] * 2}, headers=app.proof),
    ):
        assert_oauth_error(answer, 400, "invalid_request")
    assert_oauth_error(await web.client.post(INTROSPECT, json=token, headers=app.proof), 415, "invalid_request")
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = await web.client.request(method, INTROSPECT, params=token, headers=app.proof)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert "active" not in answer.text


@pytest.mark.spec("CLK-03")
async def test_a_token_is_dead_from_the_second_of_its_end_on(web: Web, app: App, tokens: dict[str, Any]) -> None:
    now = clock.now()
    exp = int((now + timedelta(seconds=3)).timestamp())
    token = signed_anew(web, tokens["access_token"], exp=exp)
    client, room = app.client, web.rooms.introspection
    assert (await room.tell(token, client=client, now=now))["active"]
    assert await room.tell(token, client=client, now=now + timedelta(seconds=4)) == {"active": False}
