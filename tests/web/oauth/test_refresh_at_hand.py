"""A refresh by a client that is remembered is answered by the connection itself: what is said is the same, whatever
comes back from the engine and however the form is written."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from service import clock
from service.accounts.account import User
from service.accounts.change import UserChange
from service.clients.registry import ClientChange
from service.identifiers import new_id
from service.pending import Pending
from service.sessions.refresh_token import RefreshToken
from tests.servers.valkey import ValkeyServer
from tests.settled import settled
from tests.web.oauth.asking import FORM, PEOPLE, SERVICE, TOKEN, App, assert_oauth_error, given, register
from tests.web.oauth.browsing import Surfer, surfing
from tests.web.running import Web, running_web

pytestmark = pytest.mark.anyio
RATE = 1_000


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    """No grace, so that a token which is spent twice shows; a rate, so that a request which is charged twice does."""
    return {"TOKENS__REFRESH_GRACE": "0s", "LIMITS__OAUTH_RATE": f"{RATE}/h"}


@pytest.fixture(scope="module")
async def browser(web: Web, ada: User) -> AsyncIterator[Surfer]:
    async with surfing(web) as surfer:
        yield await surfer.signed_in("ada")


@pytest.fixture
async def app(web: Web) -> App:
    """An application that has proved itself lately."""
    app = await register(web, "Shop", "orders:read", "orders:write")
    assert_oauth_error(await app.refresh("x"), 400, "invalid_grant")
    return app


async def granted(app: App, browser: Surfer, scope: str = "orders:read orders:write") -> str:
    """A refresh token."""
    text: str = (await app.tokens(browser, scope=scope))["refresh_token"]
    return text


def left_of(answer: httpx2.Response) -> int:
    """How many permits there are after this request."""
    return int(answer.headers["ratelimit"].partition("r=")[2].partition(";")[0])


class Asked:
    """A request as the connection sees it."""

    def __init__(self, app: App, **form: str) -> None:
        body = urlencode({"grant_type": "refresh_token", **form}).encode()
        fields = {**app.proof, **FORM, "Content-Length": str(len(body))}
        headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        self.edge, self.body = app.web.edge, body
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": TOKEN,
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "scheme": "http",
        }
        self.begun = self.edge.at_hand(self.scope, body)

    async def is_answered_at_once(self) -> bool | None:
        """Whether there was no more than the one question; None: not even that was asked at once."""
        if not isinstance(self.begun, Pending):
            return None
        await settled(self.begun)
        if self.edge.asked(self.scope) is not None:
            return True
        assert await asyncio.create_task(self.edge.later(self.scope, self.body)) is not None
        return False


async def test_a_client_that_is_remembered_waits_for_one_answer_alone(app: App, browser: Surfer) -> None:
    token = await granted(app, browser)
    answer = given(await app.refresh(token))
    assert await Asked(app, refresh_token=answer["refresh_token"]).is_answered_at_once() is True
    assert await Asked(app, refresh_token="gp_rt_" + "A" * 96).is_answered_at_once() is None


@pytest.mark.spec("OIDC Core §12.2")
async def test_what_tells_of_the_person_takes_its_time_and_spends_the_token_once(app: App, browser: Surfer) -> None:
    token = await granted(app, browser, "openid orders:read")
    for _ in range(6):
        answer = given(await app.refresh(token))
        token = answer["refresh_token"]
        assert "id_token" in answer
    assert "id_token" not in given(await app.refresh(token, scope="orders:read"))


@pytest.mark.spec("REF-03")
async def test_reuse_ends_the_session(app: App, browser: Surfer) -> None:
    first, other = await granted(app, browser), await granted(app, browser)
    second = given(await app.refresh(first))
    assert_oauth_error(await app.refresh(first), 400, "invalid_grant")
    assert_oauth_error(await app.refresh(second["refresh_token"]), 400, "invalid_grant")
    assert not await app.is_active(second["access_token"])
    given(await app.refresh(other))


@pytest.mark.spec("RFC 6749 §6")
async def test_each_request_has_the_scopes_that_it_asks_for(app: App, browser: Surfer) -> None:
    token = await granted(app, browser)
    for more in ({}, {"scope": "orders:read"}, {}, {"scope": "orders:write"}, {"scope": "orders:read"}) * 2:
        answer = given(await app.refresh(token, **more))
        assert answer["scope"] == more.get("scope", "orders:read orders:write")
        token = answer["refresh_token"]
    assert_oauth_error(await app.refresh(token, scope="orders:delete"), 400, "invalid_scope")


@pytest.mark.spec("SEC-05")
async def test_what_a_client_may_no_longer_is_in_no_token_from_then_on(app: App, browser: Surfer) -> None:
    token = await granted(app, browser)
    for _ in range(6):
        token = given(await app.refresh(token))["refresh_token"]
    await app.web.rooms.clients.change(app.client.id, ClientChange(scopes=["orders:read"]), now=clock.now())
    for _ in range(6):
        answer = given(await app.refresh(token))
        assert answer["scope"] == "orders:read"
        token = answer["refresh_token"]
    await app.web.rooms.clients.change(app.client.id, ClientChange(disabled=True), now=clock.now())
    assert_oauth_error(await app.refresh(token), 401, "invalid_client")


@pytest.mark.spec("SEC-05")
async def test_what_a_person_may_no_longer_is_in_no_token_from_then_on(web: Web, app: App) -> None:
    eve = await web.add_user("eve", roles=("clerk",))
    async with surfing(web) as surfer:
        token = await granted(app, await surfer.signed_in("eve"))
    for _ in range(6):
        token = given(await app.refresh(token))["refresh_token"]
    await web.rooms.directory.change(eve.id, UserChange(roles=[], scopes=["orders:read"]), now=clock.now())
    answer = given(await app.refresh(token))
    assert answer["scope"] == "orders:read"
    assert await app.is_active(answer["access_token"])


async def test_a_token_in_another_place_than_its_own_is_none(app: App, browser: Surfer) -> None:
    first, second, third = [await granted(app, browser) for _ in range(3)]
    first = given(await app.refresh(first))["refresh_token"]
    for form in (
        {"x_refresh_token": second},
        {"refresh_token": "", "x_refresh_token": second},
        {"refresh_token ": second},
    ):
        answer = await app.ask(TOKEN, grant_type="refresh_token", **form)
        assert_oauth_error(answer, 400, "invalid_request")
    both = given(await app.ask(TOKEN, grant_type="refresh_token", x_refresh_token=second, refresh_token=third))
    assert_oauth_error(await app.refresh(third), 400, "invalid_grant")  # it was this one
    given(await app.refresh(second))
    assert_oauth_error(await app.refresh(both["refresh_token"]), 400, "invalid_grant")


async def posted(app: App, body: str) -> Any:
    return await app.web.client.post(TOKEN, content=body, headers={**app.proof, **FORM})


async def test_a_form_is_read_as_it_is_written(app: App, browser: Surfer) -> None:
    token, other = await granted(app, browser), await granted(app, browser)
    for written in ("grant_type=refresh_token&refresh_token={}", "refresh_token={}&grant_type=refresh_token"):
        for _ in range(6):
            token = given(await posted(app, written.format(token)))["refresh_token"]
        twice = await posted(app, f"{written.format(token)}&refresh_token={other}")
        assert_oauth_error(twice, 400, "invalid_request")
        # as long as a token, and what is left of the form is known: but it says something else
        for _ in range(6):
            inside = await posted(app, written.format(token[:60] + "&scope=orders:read&state=" + "x" * 17))
            assert_oauth_error(inside, 400, "invalid_grant")
            token = given(await posted(app, written.format(token)))["refresh_token"]
        escaped = given(await posted(app, written.format("%67" + token[1:])))
        token = given(await posted(app, written.format(escaped["refresh_token"])))["refresh_token"]
    given(await app.refresh(other))


@pytest.mark.spec("CL-03")
async def test_what_stands_where_a_token_was_is_read_too(web: Web) -> None:
    app = await register(web, "Robot", "orders:read", "orders:write", grants=PEOPLE | SERVICE)
    form = "grant_type=client_credentials&refresh_token=gp_rt_"
    for _ in range(6):
        assert given(await posted(app, form + "A" * 96))["scope"] == "orders:read orders:write"
    within, second = "AAAA&scope=orders:read&x=", "AAAA&client_secret=" + app.secret
    for _ in range(2):
        assert given(await posted(app, form + within + "A" * (96 - len(within))))["scope"] == "orders:read"
        assert_oauth_error(await posted(app, form + second + "A" * (96 - len(second))), 400, "invalid_request")


async def test_a_request_is_charged_once_whichever_way_it_takes(app: App, browser: Surfer) -> None:
    plain, personal = await granted(app, browser), await granted(app, browser, "openid")
    left = []
    for _ in range(4):
        answers = await app.refresh(plain), await app.refresh(personal), await app.refresh("gp_rt_" + "A" * 96)
        plain, personal = (given(answer)["refresh_token"] for answer in answers[:2])
        left += map(left_of, answers)
    assert left == [*range(left[0], left[0] - len(left), -1)]


async def test_an_engine_that_has_forgotten_its_scripts_spends_the_token_once(
    app: App, browser: Surfer, valkey_server: ValkeyServer
) -> None:
    token = given(await app.refresh(await granted(app, browser)))["refresh_token"]
    with valkey_server.client() as raw:
        raw.script_flush()
    asked = Asked(app, refresh_token=token)
    assert await asked.is_answered_at_once() is False
    assert_oauth_error(await app.refresh(token), 400, "invalid_grant")  # the successor was told


async def test_a_request_is_charged_once_while_the_engine_is_away(sqlite_url: str, own_valkey: ValkeyServer) -> None:
    async with running_web(sqlite_url, own_valkey.url, LIMITS__OAUTH_RATE=f"{RATE}/h") as web:
        app = await register(web, "Shop", "orders:read")
        token = web.rooms.pairs._mint.issue(RefreshToken(new_id(), new_id(), 0))
        assert_oauth_error(await app.refresh(token), 400, "invalid_grant")
        own_valkey.freeze()
        answers = [await app.refresh(token) for _ in range(4)]
        own_valkey.resume()
        assert {answer.status_code for answer in answers} == {503}
        left = [left_of(answer) for answer in answers]
        assert left == [*range(left[0], left[0] - len(left), -1)]
