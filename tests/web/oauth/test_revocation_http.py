"""`/oauth2/revoke` as HTTP: a client gives back what is its own; whatever else it sends, nothing happens or is told."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.accounts.account import User
from tests.web.credentials import signed_anew
from tests.web.oauth.asking import REVOKE, SERVICE, App, assert_oauth_error, every_kind, given, register
from tests.web.oauth.browsing import Surfer, surfing
from tests.web.running import Web, bearer

pytestmark = pytest.mark.anyio
KINDS = ["client_secret_basic", "client_secret_post", "none"]


@pytest.fixture(scope="module")
async def apps(web: Web) -> dict[str, App]:
    """One application for each way of proof."""
    return dict(await every_kind(web))


@pytest.fixture(scope="module")
async def browser(web: Web, ada: User) -> AsyncIterator[Surfer]:
    """Ada's browser, signed in."""
    async with surfing(web) as surfer:
        yield await surfer.signed_in("ada")


async def is_refused(web: Web, token: str) -> bool:
    """Whether the API takes the token no more."""
    return (await web.client.get("/users/me", headers=bearer(token))).status_code == 401


async def give_back(app: App, token: str, **more: str) -> None:
    """Revoke, and be told nothing."""
    answer = await app.ask(REVOKE, token=token, **more)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.spec("REV-01")
@pytest.mark.spec("RFC 7009 §2.1")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_refresh_token_ends_with_the_access_tokens_of_its_grant_and_no_others(
    web: Web, apps: dict[str, App], browser: Surfer, kind: str
) -> None:
    app = apps[kind]
    other, first = await app.tokens(browser), await app.tokens(browser)
    second = given(await app.refresh(first["refresh_token"]))
    await give_back(app, second["refresh_token"])
    for tokens in (first, second):
        assert await is_refused(web, tokens["access_token"])
        assert_oauth_error(await app.refresh(tokens["refresh_token"]), 400, "invalid_grant")
    assert not await is_refused(web, other["access_token"])
    given(await app.refresh(other["refresh_token"]))
    await give_back(app, second["refresh_token"])


@pytest.mark.spec("REV-02")
@pytest.mark.spec("RFC 7009 §2.1")
@pytest.mark.parametrize("kind", KINDS)
async def test_an_access_token_ends_alone_and_at_once(
    web: Web, apps: dict[str, App], browser: Surfer, kind: str
) -> None:
    app = apps[kind]
    tokens = await app.tokens(browser)
    assert not await is_refused(web, tokens["access_token"])
    await give_back(app, tokens["access_token"])
    assert await is_refused(web, tokens["access_token"])
    later = given(await app.refresh(tokens["refresh_token"]))
    assert not await is_refused(web, later["access_token"])


async def test_a_client_gives_back_a_token_of_its_own_and_one_for_another_api(web: Web, browser: Surfer) -> None:
    api = "https://a.example"
    robot = await register(web, "Robot", grants=SERVICE, resources=(api,))
    for more in ({}, {"resource": api}):
        token = given(await robot.as_itself(**more))["access_token"]
        assert await robot.is_active(token)
        await give_back(robot, token)
        assert not await robot.is_active(token)


@pytest.mark.spec("RFC 7009 §2.1")
@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "id_token", "x"])
async def test_a_wrong_hint_changes_nothing(web: Web, apps: dict[str, App], browser: Surfer, hint: str) -> None:
    app = apps["none"]
    for kind in ("access_token", "refresh_token"):
        tokens = await app.tokens(browser)
        await give_back(app, tokens[kind], token_type_hint=hint)
        assert await is_refused(web, tokens["access_token"])


@pytest.mark.spec("REV-05")
@pytest.mark.spec("RFC 7009 §2.1")
async def test_a_token_of_another_client_is_untouched_and_nothing_is_told_of_it(
    web: Web, apps: dict[str, App], browser: Surfer
) -> None:
    owner = apps["client_secret_basic"]
    tokens = await owner.tokens(browser)
    first_party = await web.sign_in("ada")
    for app in (apps["client_secret_post"], apps["none"]):
        for token in (*tokens.values(), *first_party.values()):
            if isinstance(token, str):
                await give_back(app, token)
    assert not await is_refused(web, tokens["access_token"])
    assert not await is_refused(web, first_party["access_token"])
    given(await owner.refresh(tokens["refresh_token"]))
    answer = await web.client.post("/auth/refresh", json={"refresh_token": first_party["refresh_token"]})
    assert answer.status_code == 200


@pytest.mark.spec("REV-04")
@pytest.mark.spec("RFC 7009 §2.2")
async def test_what_is_unknown_or_no_longer_good_is_a_success_like_any_other(
    web: Web, apps: dict[str, App], browser: Surfer
) -> None:
    app = apps["client_secret_basic"]
    tokens = await app.tokens(browser)
    for token in (
        "x",
        "\0",
        "é" * 50,
        "a" * 100_000,
        "gp_rt_" + "A" * 100,
        tokens["refresh_token"][:-1],
        tokens["access_token"] + "A",
        tokens["id_token"],
        signed_anew(web, tokens["access_token"], exp=1, iat=0),
        signed_anew(web, tokens["access_token"], client_id="gp_client_00000000000000000000"),
    ):
        await give_back(app, token)
    assert not await is_refused(web, tokens["access_token"])
    given(await app.refresh(tokens["refresh_token"]))


@pytest.mark.spec("REV-06")
@pytest.mark.spec("RFC 7009 §2.1")
async def test_without_the_clients_proof_nothing_ends(web: Web, apps: dict[str, App], browser: Surfer) -> None:
    app = apps["client_secret_basic"]
    tokens: dict[str, Any] = await app.tokens(browser)
    form = {"token": tokens["refresh_token"]}
    wrong = {"client_id": app.client.id, "client_secret": apps["client_secret_post"].secret}
    for more in ({}, {"client_id": app.client.id}, wrong):
        assert_oauth_error(await web.client.post(REVOKE, data={**form, **more}), 400, "invalid_client")
    answer = await web.client.post(REVOKE, data=form, headers=bearer(tokens["access_token"]))
    assert_oauth_error(answer, 401, "invalid_client")
    for answer in (
        await app.ask(REVOKE),
        await app.ask(REVOKE, token=""),
        await web.client.post(REVOKE, params=form, headers=app.proof),
        await web.client.post(REVOKE, data={"token": [form["token"]] * 2}, headers=app.proof),
    ):
        assert_oauth_error(answer, 400, "invalid_request")
    for method in ("GET", "HEAD", "DELETE"):
        answer = await web.client.request(method, REVOKE, headers=app.proof)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert not await is_refused(web, tokens["access_token"])
    given(await app.refresh(tokens["refresh_token"]))


@pytest.mark.spec("RACE-07")
@pytest.mark.spec("LOG-09")
async def test_whichever_of_refresh_and_revocation_wins_nothing_of_the_grant_works_afterwards(
    web: Web, apps: dict[str, App], browser: Surfer
) -> None:
    app = apps["none"]
    for _ in range(5):
        tokens = await app.tokens(browser)
        refresh = tokens["refresh_token"]
        answers = await asyncio.gather(
            app.refresh(refresh), app.ask(REVOKE, token=refresh), app.refresh(refresh), app.ask(REVOKE, token=refresh)
        )
        assert [answers[1].status_code, answers[3].status_code] == [200, 200]
        held = [tokens, *(answer.json() for answer in (answers[0], answers[2]) if answer.status_code == 200)]
        for one in held:
            assert await is_refused(web, one["access_token"])
            assert_oauth_error(await app.refresh(one["refresh_token"]), 400, "invalid_grant")
