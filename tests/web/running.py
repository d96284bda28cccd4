"""The shipped application in this process, with its lifespan, and the people that tests send to it."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import httpx2
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import clock
from service.accounts.account import User
from service.app import create_app
from service.clients.client import Client
from service.pending import Pending
from service.settings import Settings, load_settings
from service.web.edge import ALIKE, Alike, Edge, HotEndpoint
from service.web.rooms import Rooms
from tests.servers.gatepost import PASSWORD, settings_for
from tests.settled import settled
from tests.telemetry.spans import Spans

PROBLEM_MEMBERS = {"type", "title", "status", "detail", "instance", "code", "request_id"}


@dataclass(frozen=True)
class Web:
    """One running application: `client` asks it over ASGI, `rooms` prepares what it finds."""

    settings: Settings
    edge: Edge
    client: httpx2.AsyncClient

    @property
    def app(self) -> FastAPI:
        """The FastAPI application inside."""
        inner = self.edge._app
        assert isinstance(inner, FastAPI)
        return inner

    @property
    def hot(self) -> Mapping[str, HotEndpoint]:
        """What answers without FastAPI."""
        return self.edge._hot

    @property
    def rooms(self) -> Rooms:
        """The rooms of the running application."""
        rooms: Rooms = self.app.state.rooms
        return rooms

    async def shown_to_operators(self, spans: Spans) -> dict[str, bytes]:
        """The metrics, and the spans of all that was asked before."""
        await self.client.get("/readyz")
        metrics = await self.app.state.metrics.read()
        assert b"gatepost_http_requests_total{" in metrics
        return {"metrics": metrics, "traces": await spans.until(b"/readyz")}

    async def add_user(self, username: str, *, roles: tuple[str, ...] = (), scopes: tuple[str, ...] = ()) -> User:
        """A person with `PASSWORD`."""
        directory = self.rooms.directory
        return await directory.create(username, PASSWORD, email=None, roles=roles, scopes=scopes, now=clock.now())

    async def add_client(self, name: str, *scopes: str) -> tuple[Client, str]:
        """A confidential client and its secret."""
        client, secret = await self.rooms.clients.create(name, confidential=True, scopes=scopes, now=clock.now())
        assert secret is not None
        return client, secret

    async def sign_in(self, username: str, password: str = PASSWORD, **more: str) -> dict[str, str]:
        """The answer of a sign-in."""
        answer = await self.client.post("/auth/login", json={"username": username, "password": password, **more})
        assert answer.status_code == 200, answer.text
        tokens: dict[str, str] = answer.json()
        return tokens

    async def token(self, username: str, **more: str) -> dict[str, str]:
        """The Authorization field of a fresh sign-in."""
        return bearer((await self.sign_in(username, **more))["access_token"])


@asynccontextmanager
async def running_web(database_url: str, redis_url: str, **more: str) -> AsyncIterator[Web]:
    """The application over a migrated database; `more` is what it is told beyond the defaults."""
    settings = load_settings(settings_for(database_url, redis_url, **more))
    edge = create_app(settings)
    transport = httpx2.ASGITransport(as_served(edge))
    async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url) as client:
        web = Web(settings, edge, client)
        async with web.app.router.lifespan_context(web.app):
            yield web


def as_served(edge: Edge) -> ASGIApp:
    """The edge as `gatepost serve` asks it (`service/cli/http_protocol.py`): what it lets a server answer is asked for
    directly, and all else takes the way of ASGI. Requests come by two connections in turn."""
    turns, connections = count(), [_Connection(), _Connection()]

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        whole = None
        connection = connections[next(turns) % 2]
        if edge.is_direct(scope):
            body = await _whole_body(receive)
            receive = _once(body)
            connection.note(scope)
            whole = edge.at_hand(scope, body)
            if isinstance(whole, Pending):
                await settled(whole)
                whole = edge.asked(scope)
            whole = whole or await asyncio.create_task(edge.later(scope, body))
        if whole is None:
            await edge(scope, receive, send)
            return
        head, _, body = whole.partition(b"\r\n\r\n")
        fields = [tuple(line.split(b": ", 1)) for line in head.split(b"\r\n")]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    return serve


class _Connection:
    """Knows a head that comes again."""

    def __init__(self) -> None:
        self._head: tuple[object, ...] = ()
        self._alike: Alike | None = None

    def note(self, scope: Scope) -> None:
        head = (scope["method"], scope["path"], scope["query_string"], *scope["headers"])
        if head != self._head:
            self._head, self._alike = head, Alike()
        elif self._alike is not None:
            scope[ALIKE] = self._alike


async def _whole_body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _once(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def bearer(token: str) -> dict[str, str]:
    """The Authorization field of a token."""
    return {"Authorization": f"Bearer {token}"}


def basic(name: str, password: str) -> dict[str, str]:
    """The Authorization field of a name and password (RFC 7617 §2)."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def assert_problem(answer: httpx2.Response, status: int, code: str) -> None:
    """The answer is a problem document of this status and code, whole and with nothing of FastAPI's (RFC 9457 §3)."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document.keys() - {"errors", "scope"} == PROBLEM_MEMBERS
    assert (document["status"], document["code"]) == (status, code)
    assert document["type"] == "about:blank"
    assert document["instance"] == answer.request.url.path
    assert document["request_id"] == answer.headers["x-request-id"]
    assert isinstance(document["detail"], str)
    assert document["detail"]
