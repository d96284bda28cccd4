"""The kit and the shipped server, each as it is: tokens, keys and revocations cross real sockets."""

import asyncio
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated

import httpx2
import jwt
import pytest
from fastapi import FastAPI

from gatepost import Principal, RevocationFeed
from gatepost.fastapi import Gatepost, install
from gatepost.fetch import FetchError
from service import clock
from service.accounts.change import UserChange
from service.app import House, build_house
from service.settings import load_settings
from tests.servers.gatepost import PASSWORD, GatepostServer, settings_for

pytestmark = pytest.mark.anyio
_number = count(1)


class Gate(GatepostServer):
    """A worker that is known to the world by its own address."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        super().__init__(folder, environ)
        self.environ = {**environ, "GATEPOST_PUBLIC_URL": self.url}
        self._environ = {**(self._environ or {}), **self.environ}


@dataclass
class Served:
    """A running Gatepost, and a house in this process to do the operator's work in."""

    url: str
    house: House
    user_id: str = ""

    async def client(self, name: str, *scopes: str) -> dict[str, str]:
        """A new client's credentials."""
        client, secret = await self.house.rooms.clients.create(name, confidential=True, scopes=scopes, now=clock.now())
        assert secret is not None
        return {"client_id": client.id, "client_secret": secret}


@pytest.fixture
async def served(server_folder: Path, sqlite_url: str, valkey_url: str) -> AsyncIterator[Served]:
    """One worker with a clerk, alice, who may read orders."""
    server = Gate(server_folder / f"kit{next(_number)}", settings_for(sqlite_url, valkey_url))
    server.start()
    house = build_house(load_settings(server.environ))
    async with house.open():
        user = await house.rooms.directory.create(
            "alice", PASSWORD, email=None, roles=["clerk"], scopes=[], now=clock.now()
        )
        yield Served(server.url, house, user.id)
    server.kill()


@asynccontextmanager
async def service(served: Served, **credentials: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Another service, which knows Gatepost by its address alone."""
    gate = Gatepost(served.url, served.url, **credentials)
    app = FastAPI(lifespan=gate.lifespan)
    install(app)

    @app.get("/orders")
    async def list_orders(caller: Annotated[Principal, gate.require("orders:read")]) -> dict[str, str | None]:
        return {"subject": caller.subject, "kind": caller.kind, "session": caller.session_id}

    @app.get("/invoices")
    async def list_invoices(caller: Annotated[Principal, gate.require("invoices:read")]) -> dict[str, str]:
        return {"subject": caller.subject}

    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://orders.test") as client,
    ):
        yield client


async def sign_in(gatepost: httpx2.AsyncClient) -> dict[str, str]:
    answer = await gatepost.post("/auth/login", json={"username": "alice", "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    tokens: dict[str, str] = answer.json()
    return tokens


async def test_a_token_of_the_server_is_taken_and_refused_within_a_second_of_its_logout(served: Served) -> None:
    credentials = await served.client("orders", "revocations:read")
    async with httpx2.AsyncClient(base_url=served.url) as gatepost, service(served, **credentials) as orders:
        tokens, other = await sign_in(gatepost), await sign_in(gatepost)
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        answer = await orders.get("/orders", headers=headers)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["subject"], answer.json()["kind"]) == (served.user_id, "user")
        assert answer.json()["session"]
        assert (await orders.get("/invoices", headers=headers)).status_code == 403

        await gatepost.post("/auth/logout", json={"refresh_token": tokens["refresh_token"]})
        acknowledged = time.perf_counter()
        while (await orders.get("/orders", headers=headers)).status_code != 401:
            assert time.perf_counter() - acknowledged < 1.5
            await asyncio.sleep(0.01)
        still_in = {"Authorization": f"Bearer {other['access_token']}"}
        assert (await orders.get("/orders", headers=still_in)).status_code == 200


async def test_without_the_right_to_the_feed_nobody_is_let_in(served: Served) -> None:
    credentials = await served.client("poor", "orders:read")
    async with httpx2.AsyncClient(base_url=served.url) as gatepost, service(served, **credentials) as orders:
        headers = {"Authorization": f"Bearer {(await sign_in(gatepost))['access_token']}"}
        answer = await orders.get("/orders", headers=headers)
    assert answer.status_code == 503
    assert answer.json()["code"] == "revocations_unknown"


async def test_the_tokens_of_a_compromised_key_are_refused_within_a_second(served: Served) -> None:
    """KEY-03"""
    credentials = await served.client("orders", "revocations:read")
    async with httpx2.AsyncClient(base_url=served.url) as gatepost, service(served, **credentials) as orders:
        headers = {"Authorization": f"Bearer {(await sign_in(gatepost))['access_token']}"}
        assert (await orders.get("/orders", headers=headers)).status_code == 200
        kid = jwt.get_unverified_header(headers["Authorization"].removeprefix("Bearer "))["kid"]
        await served.house.rooms.keyring.retire_compromised(kid, now=clock.now())
        acknowledged = time.perf_counter()
        while (await orders.get("/orders", headers=headers)).status_code != 401:
            assert time.perf_counter() - acknowledged < 1.5
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("cursor", "status"),
    [
        ("of another server", "422"),
        (urlsafe_b64encode(b"9:9").rstrip(b"=").decode(), "410"),  # of what the server was before it was put back
    ],
)
async def test_a_cursor_that_the_server_does_not_know_leads_back_to_a_snapshot(
    served: Served, cursor: str, status: str
) -> None:
    credentials = await served.client("orders", "revocations:read")
    async with httpx2.AsyncClient() as client:
        feed = RevocationFeed(served.url, client, **credentials)
        assert await feed.poll(clock.now()) == 0
        feed._cursor = cursor
        with pytest.raises(FetchError, match=status):
            await feed.poll(clock.now())
        await served.house.rooms.directory.change(served.user_id, UserChange(disabled=True), now=clock.now())
        assert await feed.poll(clock.now()) > 0
        assert feed.current(clock.now()).user_epoch(served.user_id) > 0
