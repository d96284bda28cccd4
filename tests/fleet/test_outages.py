"""A store that is stopped, frozen or slow: the answers of the architecture's table, each in time, and the return."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.servers.gatepost import PASSWORD, Fleet, bearer, running_fleet, settings_for
from tests.servers.postgres import PostgresServer
from tests.servers.process import ServerProcess
from tests.servers.proxy import TcpProxy
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
_number = count(1)
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


@pytest.fixture
async def stand(server_folder: Path, own_valkey: ValkeyServer, own_postgres: PostgresServer) -> AsyncIterator[Stand]:
    """One worker, both stores behind proxies."""
    async with TcpProxy(own_valkey.port) as to_redis, TcpProxy(own_postgres.port) as to_sql:
        redis_url = urlsplit(own_valkey.tcp_url)._replace(netloc=f"127.0.0.1:{to_redis.port}").geturl()
        environ = settings_for(own_postgres.tcp_url(port=to_sql.port), redis_url, TOKENS__MAX_FEED_AGE="4s")
        async with running_fleet(server_folder / f"stand{next(_number)}", environ, workers=1) as fleet:
            await fleet.add_user("ada")
            yield Stand(fleet, Store(own_valkey, to_redis), Store(own_postgres, to_sql))


HOW = pytest.mark.parametrize("how", ["stopped", "frozen", "slow"])


@HOW
async def test_without_redis_tokens_are_judged_and_revoked_and_the_rest_waits(stand: Stand, how: str) -> None:
    kept, dropped = await stand.fleet.sign_in("ada"), await stand.fleet.sign_in("ada")
    await stand.redis.leave(how)
    for _ in range(2):
        assert (await stand.post("/auth/login", {"username": "ada", "password": PASSWORD})).status_code == 503
        assert (await stand.post("/auth/refresh", {"refresh_token": kept["refresh_token"]})).status_code == 503
        assert await stand.verify(kept["access_token"]) == 200
    assert (await stand.post("/auth/logout", {"refresh_token": dropped["refresh_token"]})).status_code == 204
    assert await stand.verify(dropped["access_token"]) == 401
    await asyncio.sleep(4.5)
    assert await stand.verify(kept["access_token"]) == 200
    await stand.redis.come_back(how)
    await stand.works_again(kept)
    assert (await stand.post("/auth/refresh", {"refresh_token": dropped["refresh_token"]})).status_code == 401
    assert await stand.verify(dropped["access_token"]) == 401


@HOW
async def test_without_sql_the_common_refresh_goes_on_and_nothing_is_acknowledged(stand: Stand, how: str) -> None:
    kept, dropped = await stand.fleet.sign_in("ada"), await stand.fleet.sign_in("ada")
    await stand.sql.leave(how)
    login = {"username": "ada", "password": PASSWORD}
    for _ in range(2):
        assert (await stand.post("/auth/login", login)).status_code == 503
        refreshed = await stand.post("/auth/refresh", {"refresh_token": kept["refresh_token"]})
        assert refreshed.status_code == 200
        kept = refreshed.json()
        assert await stand.verify(kept["access_token"]) == 200
        assert (await stand.post("/auth/logout", {"refresh_token": dropped["refresh_token"]})).status_code == 503
    await asyncio.sleep(4.5)
    assert await stand.verify(kept["access_token"]) == 200
    assert (await stand.ask(stand.client.get("/.well-known/jwks.json"))).status_code == 200
    assert (await stand.ask(stand.client.get("/livez"))).status_code == 200
    assert (await stand.ask(stand.client.get("/readyz"))).json() == {
        "status": "degraded",
        "sql": False,
        "redis": True,
        "keys": True,
    }
    await stand.sql.come_back(how)
    await stand.works_again(kept)


@HOW
async def test_without_both_tokens_are_judged_for_a_bounded_time_only(stand: Stand, how: str) -> None:
    kept = await stand.fleet.sign_in("ada")
    await stand.redis.leave(how)
    await stand.sql.leave(how)
    assert await stand.verify(kept["access_token"]) == 200
    assert (await stand.post("/auth/refresh", {"refresh_token": kept["refresh_token"]})).status_code == 503
    assert (await stand.post("/auth/logout", {"refresh_token": kept["refresh_token"]})).status_code == 503
    await asyncio.sleep(5)
    assert await stand.verify(kept["access_token"]) == 503
    await stand.redis.come_back(how)
    await stand.sql.come_back(how)
    await stand.works_again(kept)
    assert await stand.verify(kept["access_token"]) == 200
