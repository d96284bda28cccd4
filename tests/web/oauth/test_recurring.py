"""Requests that come again take a short way; whatever has changed since is seen on the next of them."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from service import clock
from service.clients.client import Client
from service.clients.metadata import CLIENT_CREDENTIALS, SECRET_POST, ClientMetadata
from service.clients.registry import ClientChange
from service.introspection import SEES_ALL
from service.web.edge import ALIKE, Alike
from service.web.oauth.recurring import RecurringRequests
from tests.servers.gatepost import SHIPPED
from tests.web.running import Web, basic, running_web

pytestmark = pytest.mark.anyio
TOKEN, INTROSPECT, REVOKE = "/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"
HEAD = [(b"authorization", b"Basic eDp5"), (b"content-type", b"application/x-www-form-urlencoded")]


@pytest.fixture
async def web(sqlite_url: str, valkey_url: str) -> AsyncIterator[Web]:
    async with running_web(sqlite_url, valkey_url, **SHIPPED) as web:
        yield web


class Application:
    """A confidential client that asks the same again and again."""

    def __init__(self, web: Web, client: Client, secret: str) -> None:
        self.web, self.client, self.secret = web, client, secret

    async def post(self, path: str, **form: str) -> httpx2.Response:
        return await self.web.client.post(path, data=form, headers=basic(self.client.id, self.secret))

    async def token(self, **more: str) -> httpx2.Response:
        return await self.post(TOKEN, grant_type="client_credentials", **more)


@pytest.fixture
async def shop(web: Web) -> Application:
    client, secret = await web.rooms.clients.create(
        "shop", confidential=True, scopes=["keys:read", SEES_ALL], now=clock.now()
    )
    assert secret is not None
    return Application(web, client, secret)


async def test_each_request_has_a_token_of_its_own(shop: Application) -> None:
    answers = [(await shop.token()).json() for _ in range(5)]
    assert len({answer["access_token"] for answer in answers}) == 5
    assert {answer["scope"] for answer in answers} == {f"keys:read {SEES_ALL}"}
    for answer in answers:
        told = (await shop.post(INTROSPECT, token=answer["access_token"])).json()
        assert (told["active"], told["client_id"], told["exp"] - told["iat"]) == (True, shop.client.id, 3600)


@pytest.mark.spec("RFC 7662 §4")
async def test_a_secret_that_was_replaced_opens_nothing_while_the_token_is_still_asked_about(
    web: Web, shop: Application
) -> None:
    observer, secret = await web.rooms.clients.create("watch", confidential=True, scopes=[SEES_ALL], now=clock.now())
    assert secret is not None
    watch = Application(web, observer, secret)
    token = (await shop.token()).json()["access_token"]
    assert [(await watch.post(INTROSPECT, token=token)).json()["active"] for _ in range(6)] == [True] * 6
    await rotated(watch)
    assert (await shop.post(INTROSPECT, token=token)).json()["active"] is True
    assert (await watch.post(INTROSPECT, token=token)).json()["error"] == "invalid_client"


async def disabled(app: Application) -> None:
    await app.web.rooms.clients.change(app.client.id, ClientChange(disabled=True), now=clock.now())


async def rotated(app: Application) -> None:
    await app.web.rooms.clients.rotate_secret(app.client.id, overlap=timedelta(0), now=clock.now())


@pytest.mark.spec("RFC 6749 §2.3.1")
@pytest.mark.parametrize("change", [disabled, rotated])
async def test_a_client_that_may_no_longer_is_refused_on_the_very_next_request(
    shop: Application, change: Callable[[Application], Awaitable[None]]
) -> None:
    token = (await shop.token()).json()["access_token"]
    for _ in range(6):
        assert (await shop.token()).status_code == 200
        assert (await shop.post(INTROSPECT, token=token)).json()["active"] is True
    await change(shop)
    for answer in (await shop.token(), await shop.post(INTROSPECT, token=token)):
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.spec("CL-12")
async def test_an_old_secret_dies_at_the_end_of_its_overlap_and_the_new_one_goes_on(shop: Application) -> None:
    overlap = timedelta(seconds=1.5)
    began = clock.now()
    secret = await shop.web.rooms.clients.rotate_secret(shop.client.id, overlap=overlap, now=began)
    new = Application(shop.web, shop.client, secret)
    while clock.now() < began + overlap:
        last = await shop.token()
        await asyncio.sleep(0.05)
    assert last.status_code in (200, 401)
    assert (await shop.token()).status_code == 401
    assert [(await new.token()).status_code for _ in range(6)] == [200] * 6


@pytest.mark.spec("CL-03")
@pytest.mark.spec("CL-04")
@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"client_secret": "x"}, 400),
        ({"client_id": "gp_client_other"}, 400),
        ({"client_assertion": "x"}, 401),
        ({"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, 401),
    ],
)
async def test_a_known_field_beside_another_way_of_proof_is_still_refused(
    shop: Application, more: dict[str, str], status: int
) -> None:
    token = (await shop.token()).json()["access_token"]
    assert (await shop.post(INTROSPECT, token=token)).json()["active"] is True
    for path, form in ((TOKEN, {"grant_type": "client_credentials"}), (INTROSPECT, {"token": token})):
        assert (await shop.post(path, **form, **more)).status_code == status
    assert (await shop.token(client_id=shop.client.id)).status_code == 200


@pytest.mark.spec("CL-06")
async def test_a_proof_at_one_endpoint_does_not_make_its_method_right_at_the_token_endpoint(
    web: Web, shop: Application
) -> None:
    metadata = ClientMetadata(grant_types=frozenset({CLIENT_CREDENTIALS}), auth_method=SECRET_POST)
    client, secret = await web.rooms.clients.create(
        "post", confidential=True, scopes=[], metadata=metadata, now=clock.now()
    )
    assert secret is not None
    post = Application(web, client, secret)
    token = (await shop.token()).json()["access_token"]
    for _ in range(6):
        assert (await post.post(INTROSPECT, token=token)).json() == {"active": False}
        assert (await post.token()).json()["error"] == "invalid_client"


@pytest.mark.spec("CL-13")
async def test_a_door_that_has_closed_is_closed_to_the_right_secret_too_however_often_it_came_before(
    web: Web, shop: Application
) -> None:
    token = (await shop.token()).json()["access_token"]
    assert [(await shop.post(INTROSPECT, token=token)).status_code for _ in range(6)] == [200] * 6
    guesser = Application(web, shop.client, "wrong")
    while (await guesser.token()).status_code == 401:
        pass
    for answer in (await shop.token(), await shop.post(INTROSPECT, token=token), await shop.post(REVOKE, token="x")):
        assert (answer.status_code, answer.json()["error"]) == (429, "temporarily_unavailable")


async def test_scopes_that_were_taken_away_are_in_no_token_from_then_on(shop: Application) -> None:
    assert (await shop.token(scope="keys:read")).status_code == 200
    assert (await shop.token(scope="keys:read")).status_code == 200
    await shop.web.rooms.clients.change(shop.client.id, ClientChange(scopes=[SEES_ALL]), now=clock.now())
    assert (await shop.token()).json()["scope"] == SEES_ALL
    assert (await shop.token(scope="keys:read")).json()["error"] == "invalid_scope"


@pytest.mark.spec("RFC 7662 §2.2")
async def test_a_token_that_was_given_back_is_inactive_on_the_very_next_request(shop: Application) -> None:
    token = (await shop.token()).json()["access_token"]
    assert [(await shop.post(INTROSPECT, token=token)).json()["active"] for _ in range(6)] == [True] * 6
    assert (await shop.post(REVOKE, token=token)).status_code == 200
    assert (await shop.post(INTROSPECT, token=token)).json() == {"active": False}


@pytest.mark.parametrize(
    ("body", "headers", "query"),
    [
        (b"a=1", [*HEAD, HEAD[0]], b""),
        (b"a=1", HEAD[1:], b""),
        (b"a=1", HEAD[:1], b""),
        (b"a=1", [HEAD[0], (b"content-type", b"application/json")], b""),
        (b"a=1", [(b"authorization", b""), *HEAD], b""),
        (b"a=1", [(b"content-type", b""), *HEAD], b""),
        (b"a=1", [*HEAD, HEAD[1]], b""),
        (b"a=1", [*HEAD, (b"content-encoding", b"gzip")], b""),
        (b"a=1", [*HEAD, (b"transfer-encoding", b"chunked")], b""),
        (b"a=1", HEAD, b"a=1"),
        (b"a" * 20_000, HEAD, b""),
    ],
)
def test_a_request_that_is_out_of_the_ordinary_is_read_each_time(
    body: bytes, headers: list[tuple[bytes, bytes]], query: bytes
) -> None:
    assert RecurringRequests[str]().digest({"query_string": query, "headers": headers}, body) is None


def test_two_requests_are_known_by_the_same_only_when_they_say_the_same() -> None:
    recent = RecurringRequests[str]()

    def digest(authorization: bytes, body: bytes) -> bytes | None:
        return recent.digest({"query_string": b"", "headers": [(HEAD[0][0], authorization), HEAD[1]]}, body)

    assert digest(b"Basic eDp5", b"a=1") == digest(b"Basic eDp5", b"a=1") is not None
    assert len({digest(b"Basic eDp5", b"a=1"), digest(b"Basic eDp5a", b"=1"), digest(b"Basic eDp", b"5a=1")}) == 3
    assert RecurringRequests[str]().digest({"query_string": b"", "headers": HEAD}, b"a=1") != digest(
        *HEAD[0][1:], b"a=1"
    )


def request(*, alike: Alike | None = None) -> dict[str, Any]:
    """The head of a form that came by a connection."""
    return {"query_string": b"", "headers": HEAD, **({} if alike is None else {ALIKE: alike})}


def test_no_more_than_a_bound_is_remembered() -> None:
    recent = RecurringRequests[int]()
    for number in range(10_050):
        recent.keep(number, request(), b"%d" % number)
    found = [recent.find(request(), b"%d" % number)[0] for number in (0, 49, 50, 10_049)]
    assert found == [None, None, 50, 10_049]


@pytest.mark.parametrize("by", ["connection", "digest"])
def test_a_request_is_known_by_all_but_what_may_be_another(by: str) -> None:
    recent = RecurringRequests[str](re.compile(rb"a=([x-z]{2})"))
    scope = request(alike=Alike()) if by == "connection" else request()
    assert recent.find(scope, b"a=xx&b=3") == (None, b"xx")
    recent.keep("prepared", scope, b"a=xx&b=3")
    if by == "connection":
        recent._known.clear()
    assert recent.find(scope, b"a=xy&b=3") == ("prepared", b"xy")
    for body in (b"a=xyz&b=3", b"c=xy&b=3", b"a=xy&b=4", b"a=xy&b=", b"a=&&&b=3", b"a=12&b=3", b"b=3&a=xy", b""):
        assert recent.find(scope, body)[0] is None, body
    recent.keep("whole", scope, b"e=5")
    assert recent.find(scope, b"e=5") == ("whole", b"")
    assert recent.find(scope, b"e=6") == (None, b"")


def test_what_any_connection_found_the_next_request_of_this_one_finds_too() -> None:
    recent, scope = RecurringRequests[str](), request(alike=Alike())
    recent.keep("prepared", request(), b"e=5")
    assert recent.find(scope, b"e=5") == ("prepared", b"")
    recent._known.clear()
    assert recent.find(scope, b"e=5") == ("prepared", b"")
    assert recent.find(request(alike=Alike()), b"e=5") == (None, b"")
    out_of_the_ordinary = {**request(alike=Alike()), "query_string": b"a"}
    recent.keep("of a request that is read each time", out_of_the_ordinary, b"e=5")
    assert recent.find(out_of_the_ordinary, b"e=5") == (None, b"")
