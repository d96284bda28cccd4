"""Whoever looks on is told of each answered request: once, by the template of its route, and who called."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx2
import pytest
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from gatepost.principal import Principal
from service import clock
from service.protocol.errors import InvalidToken
from service.web.edge import Edge, Rendered, Rendering
from service.web.watch import CALLER, Caller
from tests.servers.gatepost import PASSWORD
from tests.web.oauth.browsing import REDIRECT, VERIFIER, Surfer, add_application, returned
from tests.web.running import Web, as_served, basic, bearer

pytestmark = pytest.mark.anyio


class Told(NamedTuple):
    method: str
    route: str
    status: int
    caller: Principal | Caller | None

    @property
    def who(self) -> tuple[str, str, str | None]:
        assert self.caller is not None
        return self.caller.kind, self.caller.subject, self.caller.client_id


class Watcher(list[Told]):
    """Writes down what it is told."""

    def answered(self, scope: Scope, method: str, route: str, status: int, began: float) -> None:
        assert began > 0
        self.append(Told(method, route, status, scope.get(CALLER)))

    def only(self) -> Told:
        """The one that there is, taken out."""
        assert len(self) == 1, self
        return self.pop()


@pytest.fixture(scope="module")
def watcher(web: Web) -> Watcher:
    """One that looks on at the shipped application, by both ways."""
    watcher = Watcher()
    web.edge._watches = (*web.edge._watches, watcher)
    return watcher


@pytest.fixture(params=["direct", "asgi"])
async def client(web: Web, watcher: Watcher, request: pytest.FixtureRequest) -> AsyncIterator[httpx2.AsyncClient]:
    """A caller by each of the ways in which a server asks."""
    transport = httpx2.ASGITransport(as_served(web.edge) if request.param == "direct" else web.edge)
    async with httpx2.AsyncClient(transport=transport, base_url=web.settings.public_url) as client:
        watcher.clear()
        yield client


@pytest.mark.parametrize(
    ("method", "path", "body", "route", "status"),
    [
        ("GET", "/livez", None, "/livez", 200),
        ("HEAD", "/livez", None, "/livez", 200),
        ("POST", "/livez", b"", "/livez", 405),
        ("GET", "/auth/verify", None, "/auth/verify", 401),
        ("HEAD", "/auth/verify", None, "/auth/verify", 401),
        ("POST", "/auth/verify", b"", "/auth/verify", 405),
        ("GET", "/oauth2/token", None, "/oauth2/token", 405),
        ("POST", "/oauth2/token", b"grant_type=none", "/oauth2/token", 415),
        ("POST", "/oauth2/token", b"x" * 300_000, "/oauth2/token", 413),
        ("GET", "/nothing/here", None, "unmatched", 404),
        ("GET", "/users/me/", None, "unmatched", 404),
        ("POST", "/users/me/api-keys", b"x" * 300_000, "unmatched", 413),
        ("GET", "/users/me/sessions", None, "/users/me/sessions", 401),
        ("DELETE", "/users/me/sessions/of-mine", None, "/users/me/sessions/{session_id}", 401),
        ("PUT", "/users/me/sessions/of-mine", None, "/users/me/sessions/{session_id}", 405),
        ("POST", "/auth/login", b"{}", "/auth/login", 422),
        ("GET", "/account", None, "/account", 303),
        ("GET", "/docs", None, "/docs", 200),
        ("GET", "/static/gatepost.css", None, "/static/{name}", 200),
    ],
)
async def test_a_request_without_a_credential_is_told_once_and_is_nobodys(
    client: httpx2.AsyncClient, watcher: Watcher, method: str, path: str, body: bytes | None, route: str, status: int
) -> None:
    answer = await client.request(method, path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert watcher.only() == (method, route, status, None)


async def test_every_route_that_there_is_is_told_by_its_template(web: Web, watcher: Watcher) -> None:
    watcher.clear()
    templates = {route.path for route in web.app.routes} | set(web.hot)
    for path in sorted(templates):
        await web.client.request("TRACE", path.replace("{", "").replace("}", ""))
        assert watcher.only() == ("TRACE", path, 405, None)


async def test_the_caller_is_known_whatever_the_credential_and_whatever_the_answer(
    web: Web, client: httpx2.AsyncClient, watcher: Watcher, request: pytest.FixtureRequest
) -> None:
    name = f"ada{abs(hash(request.node.name))}"
    user = await web.add_user(name, scopes=("orders:read",))
    service, secret = await web.add_client("service")
    key = await web.rooms.api_keys.create(
        user.id, "till", scopes=(), within=frozenset(), networks=(), life=None, now=clock.now()
    )
    signed_in = (await client.post("/auth/login", json={"username": name, "password": PASSWORD})).json()
    assert watcher.only().who == ("user", user.id, "gatepost")
    await client.post("/auth/refresh", json={"refresh_token": signed_in["refresh_token"]})
    assert watcher.only().who == ("user", user.id, "gatepost")
    by = [
        (bearer(signed_in["access_token"]), ("user", user.id, "gatepost")),
        (basic(name, PASSWORD), ("user", user.id, None)),
        (basic(service.id, secret), ("client", service.id, service.id)),
        ({"X-API-Key": key.text}, ("user", user.id, None)),
    ]
    for headers, who in by:
        for path, method, status in (
            ("/users/me", "GET", 200),
            ("/auth/verify", "GET", 200),
            ("/auth/verify", "GET", 200),
            ("/auth/verify", "HEAD", 200),
            ("/auth/verify?scope=other:scope", "GET", 403),
            ("/admin/users", "GET", 403),
        ):
            answer = await client.request(method, path, headers=headers)
            told = watcher.only()
            assert (answer.status_code, told.status, told.method, told.who) == (status, status, method, who)
    assert isinstance(told.caller, Principal)
    assert (told.caller.scheme, told.caller.credential_id) == ("api_key", key.key.id)
    await client.get("/users/me", headers=bearer(signed_in["access_token"][:-2]))
    assert watcher.only() == ("GET", "/users/me", 401, None)


async def test_the_endpoints_of_oauth_know_the_client_once_it_has_proved_itself(
    web: Web, client: httpx2.AsyncClient, watcher: Watcher
) -> None:
    service, secret = await web.add_client("service")
    headers, who = basic(service.id, secret), ("client", service.id, service.id)
    form = {"grant_type": "client_credentials"}
    for _ in range(3):
        token = (await client.post("/oauth2/token", headers=headers, data=form)).json()["access_token"]
        assert watcher.only().who == who
    for _ in range(3):
        await client.post("/oauth2/introspect", headers=headers, data={"token": token})
        assert watcher.only().who == who
    await client.post("/oauth2/token", headers=headers, data={"grant_type": "refresh_token", "refresh_token": "no"})
    told = watcher.only()
    assert (told.status, told.who) == (400, who)
    await client.post("/oauth2/token", headers=headers, data={"grant_type": "none"})
    assert watcher.only() == ("POST", "/oauth2/token", 400, None)
    await client.post("/oauth2/token", headers=basic(service.id, "wrong"), data=form)
    assert watcher.only() == ("POST", "/oauth2/token", 401, None)
    await client.post("/oauth2/revoke", headers=headers, data={"token": token})
    told = watcher.only()
    assert (told.status, told.who) == (200, who)


async def test_a_page_knows_who_has_signed_in(web: Web, surfer: Surfer, watcher: Watcher) -> None:
    user = await web.add_user("paula")
    await surfer.signed_in("paula")
    watcher.clear()
    assert (await surfer.get("/account")).status_code == 200
    assert watcher.only().who == ("user", user.id, None)


async def test_the_token_endpoint_knows_whose_grant_a_client_redeems(
    web: Web, surfer: Surfer, watcher: Watcher
) -> None:
    user = await web.add_user("carla", scopes=("orders:read",))
    public = await add_application(web, confidential=False)
    page = await surfer.sign_in(await surfer.authorize(public), "carla")
    code = returned(await surfer.follow(await surfer.allow(page)))["code"]
    watcher.clear()
    form = {"grant_type": "authorization_code", "client_id": public.id, "redirect_uri": REDIRECT, "code": code}
    answer = await web.client.post("/oauth2/token", data={**form, "code_verifier": VERIFIER})
    assert watcher.only().who == ("user", user.id, public.id)
    for method in ("GET", "HEAD", "POST"):
        asked = await web.client.request(method, "/userinfo", headers=bearer(answer.json()["access_token"]))
        told = watcher.only()
        assert (asked.status_code, told.method, told.route) == (200, method, "/userinfo")
        assert told.who == ("user", user.id, public.id)
    form = {"grant_type": "refresh_token", "client_id": public.id, "refresh_token": answer.json()["refresh_token"]}
    assert (await web.client.post("/oauth2/token", data=form)).status_code == 200
    assert watcher.only().who == ("user", user.id, public.id)
    assert (await web.client.post("/oauth2/token", data={**form, "refresh_token": "none"})).status_code == 400
    assert watcher.only() == ("POST", "/oauth2/token", 400, None), "whoever knows its id may have sent it"


class Hot:
    """Does as the body or the path says."""

    methods = ("GET", "POST")
    ok = Rendering([(b"content-type", b"text/plain")], secure=False)(b"ok")

    def at_hand(self, scope: Scope, body: bytes) -> Rendered | None:
        if scope["path"] == "/raises":
            raise RuntimeError("whatever it is")
        return self.ok if scope["path"] == "/now" else None

    async def answer(self, scope: Scope, body: bytes) -> Rendered:
        if scope["path"] == "/raises":
            raise RuntimeError("whatever it is")
        if scope["path"] == "/refuses":
            raise InvalidToken
        return self.ok


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/never":
        raise asyncio.CancelledError
    if scope["path"] != "/before":
        await send({"type": "http.response.start", "status": 202, "headers": []})
    raise RuntimeError("half way")


def edge(*watches: Any) -> Edge:
    paths = ("/now", "/later", "/raises", "/refuses")
    return Edge(app, hot=dict.fromkeys(paths, Hot()), secure=False, max_body=10, watches=watches)


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/now", b"", 200),
        ("HEAD", "/now", b"", 200),
        ("POST", "/now", b"x" * 11, 413),
        ("GET", "/later", b"", 200),
        ("GET", "/raises", b"", 500),
        ("GET", "/refuses", b"", 401),
        ("DELETE", "/now", b"", 405),
    ],
)
async def test_a_hot_answer_is_told_once_by_either_way(
    direct: bool, method: str, path: str, body: bytes, status: int
) -> None:
    watcher = Watcher()
    asked = edge(watcher)
    transport = httpx2.ASGITransport(as_served(asked) if direct else asked)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        await client.request(method, path, content=body)
    assert watcher == [(method, path, status, None)]


async def ask(asked: Edge, path: str, *messages: dict[str, Any], method: str = "GET") -> None:
    coming = iter(messages)

    async def receive() -> Any:
        return next(coming)

    async def send(message: Any) -> None:
        """Nobody is there."""

    await asked({"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}, receive, send)


async def test_what_breaks_before_and_half_way_is_told_once_by_the_status_that_was_sent() -> None:
    watcher = Watcher()
    await ask(edge(watcher), "/before")
    await ask(edge(watcher), "/half-way")
    assert watcher == [("GET", "unmatched", 500, None), ("GET", "unmatched", 202, None)]


async def test_what_was_never_answered_is_not_told() -> None:
    watcher = Watcher()
    with pytest.raises(asyncio.CancelledError):
        await ask(edge(watcher), "/never")
    assert watcher == []


async def test_a_caller_who_leaves_before_the_request_is_whole_is_told_once_and_is_no_defect_of_ours(
    web: Web, watcher: Watcher
) -> None:
    left: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    watcher.clear()
    with capture_logs() as lines:
        for path in ("/oauth2/token", "/auth/login"):
            await ask(web.edge, path, *left, method="POST")
            assert watcher.only() == ("POST", path, 400, None)
    assert lines == []


async def test_one_that_fails_is_logged_and_neither_the_answer_nor_the_others_suffer() -> None:
    class Broken:
        def answered(self, *_: object) -> None:
            raise RuntimeError("whatever it is")

    watcher = Watcher()
    asked = edge(Broken(), watcher)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(as_served(asked)), base_url="http://test") as client:
        with capture_logs() as lines:
            assert (await client.get("/now")).text == "ok"
            assert (await client.get("/later")).text == "ok"
            assert (await client.head("/now")).status_code == 200
    assert [line["event"] for line in lines] == ["watch failed"] * 3
    assert [told.status for told in watcher] == [200] * 3
