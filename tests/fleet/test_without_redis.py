"""Redis away: what the architecture's table promises, each answer in time, and the return."""

import asyncio

import pytest

from tests.fleet.stand import HOW, Stand
from tests.servers.gatepost import PASSWORD

pytestmark = pytest.mark.anyio


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
