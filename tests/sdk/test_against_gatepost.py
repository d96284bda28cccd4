"""The kit and the shipped server, each as it is: tokens, keys and revocations cross real sockets."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx2
import jwt
import pytest
from fastapi import FastAPI

from gatepost import Principal
from gatepost.fastapi import Gatepost, install
from tests.servers.gatepost import PASSWORD, ROOT, ServedGatepost

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def served(server_folder: Path) -> Iterator[ServedGatepost]:
    """`gatepost serve` with a role for whoever reads orders."""
    server = ServedGatepost(server_folder / "kit", ACCESS__ROLES='{"clerk": ["orders:read"]}')
    server.start()
    yield server
    server.stop()


def operator(served: ServedGatepost, *words: str, typed: str = "") -> dict[str, Any]:
    """What an operator's command prints."""
    command = [sys.executable, "-m", "service", *words, "--json"]
    ran = subprocess.run(
        command, env=served.environ, cwd=ROOT, input=typed, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


@pytest.fixture(scope="module")
def client_credentials(served: ServedGatepost) -> dict[str, str]:
    """A client that may read the revocation feed."""
    client = operator(served, "clients", "create", "orders", "--scope", "revocations:read")
    return {"client_id": client["id"], "client_secret": client["client_secret"]}


@pytest.fixture(scope="module")
def alice(served: ServedGatepost) -> str:
    """The id of a clerk."""
    user = operator(served, "users", "create", "alice", "--role", "clerk", "--password-stdin", typed=PASSWORD + "\n")
    return str(user["id"])


@asynccontextmanager
async def service(served: ServedGatepost, **credentials: str) -> AsyncIterator[httpx2.AsyncClient]:
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


async def test_a_token_of_the_server_is_taken_and_refused_within_a_second_of_its_logout(
    served: ServedGatepost, client_credentials: dict[str, str], alice: str
) -> None:
    async with httpx2.AsyncClient(base_url=served.url) as gatepost, service(served, **client_credentials) as orders:
        tokens, other = await sign_in(gatepost), await sign_in(gatepost)
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        answer = await orders.get("/orders", headers=headers)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["subject"], answer.json()["kind"]) == (alice, "user")
        assert answer.json()["session"]
        assert (await orders.get("/invoices", headers=headers)).status_code == 403

        await gatepost.post("/auth/logout", json={"refresh_token": tokens["refresh_token"]})
        acknowledged = time.perf_counter()
        while (await orders.get("/orders", headers=headers)).status_code != 401:
            assert time.perf_counter() - acknowledged < 1.5
            await asyncio.sleep(0.01)
        still_in = {"Authorization": f"Bearer {other['access_token']}"}
        assert (await orders.get("/orders", headers=still_in)).status_code == 200


async def test_without_the_right_to_the_feed_nobody_is_let_in(served: ServedGatepost, alice: str) -> None:
    poor = operator(served, "clients", "create", "poor")
    credentials = {"client_id": poor["id"], "client_secret": poor["client_secret"]}
    async with httpx2.AsyncClient(base_url=served.url) as gatepost, service(served, **credentials) as orders:
        headers = {"Authorization": f"Bearer {(await sign_in(gatepost))['access_token']}"}
        answer = await orders.get("/orders", headers=headers)
    assert answer.status_code == 503
    assert answer.json()["code"] == "revocations_unknown"


async def test_the_tokens_of_a_compromised_key_are_refused_within_a_second(
    served: ServedGatepost, client_credentials: dict[str, str], alice: str
) -> None:
    """KEY-03"""
    async with httpx2.AsyncClient(base_url=served.url) as gatepost, service(served, **client_credentials) as orders:
        headers = {"Authorization": f"Bearer {(await sign_in(gatepost))['access_token']}"}
        assert (await orders.get("/orders", headers=headers)).status_code == 200
        kid = jwt.get_unverified_header(headers["Authorization"].removeprefix("Bearer "))["kid"]
        operator(served, "keys", "retire", kid, "--compromised")
        acknowledged = time.perf_counter()
        while (await orders.get("/orders", headers=headers)).status_code != 401:
            assert time.perf_counter() - acknowledged < 1.5
            await asyncio.sleep(0.01)
