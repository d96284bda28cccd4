"""Both stores away: what the architecture's table promises, each answer in time, and the return."""

import asyncio

import pytest

from tests.fleet.stand import HOW, Stand

pytestmark = pytest.mark.anyio


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
