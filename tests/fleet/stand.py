"""A worker whose two stores can leave: stopped, frozen or slow."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta

import httpx2
import pytest

from tests.servers.gatepost import PASSWORD, Fleet, bearer
from tests.servers.process import ServerProcess
from tests.servers.proxy import TcpProxy

IN_TIME = 2.5  # two seconds, and what this busy machine adds
BACK_WITHIN = 5.0


@dataclass
class Store:
    """One store behind a proxy, with the ways to take it away and bring it back."""

    server: ServerProcess
    proxy: TcpProxy

    async def leave(self, how: str) -> None:
        match how:
            case "stopped":
                self.server.kill()
            case "frozen":
                self.server.freeze()
            case "slow":
                self.proxy.delay = timedelta(seconds=10)

    async def come_back(self, how: str) -> None:
        match how:
            case "stopped":
                self.server.start()
            case "frozen":
                self.server.resume()
            case "slow":
                self.proxy.delay = timedelta(0)


@dataclass
class Stand:
    """A worker whose two stores can leave."""

    fleet: Fleet
    redis: Store
    sql: Store

    @property
    def client(self) -> httpx2.AsyncClient:
        return self.fleet.clients[0]

    async def ask(self, request: Awaitable[httpx2.Response]) -> httpx2.Response:
        """The answer, which must come in time and never be a 500."""
        began = time.perf_counter()
        answer = await request
        assert time.perf_counter() - began < IN_TIME, answer.request.url
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        if answer.status_code == 503:
            assert answer.headers["retry-after"].isdigit()
        return answer

    async def verify(self, token: str) -> int:
        return (await self.ask(self.client.get("/auth/verify", headers=bearer(token)))).status_code

    async def post(self, path: str, body: dict[str, str]) -> httpx2.Response:
        return await self.ask(self.client.post(path, json=body))

    async def works_again(self, tokens: dict[str, str]) -> dict[str, str]:
        """Sign-in, refresh and revocation work within five seconds, without a restart."""
        deadline = time.monotonic() + BACK_WITHIN
        while True:
            refreshed = await self.client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
            signed_in = await self.client.post("/auth/login", json={"username": "ada", "password": PASSWORD})
            if (refreshed.status_code, signed_in.status_code) == (200, 200):
                ended = await self.client.post(
                    "/auth/logout", json={"refresh_token": signed_in.json()["refresh_token"]}
                )
                if ended.status_code == 204:
                    successor: dict[str, str] = refreshed.json()
                    return successor
            assert time.monotonic() < deadline, (refreshed.text, signed_in.text)
            await asyncio.sleep(0.1)


HOW = pytest.mark.parametrize("how", ["stopped", "frozen", "slow"])
