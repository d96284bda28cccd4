"""Rates over two workers: whatever races, no more get through than the figure and a batch for each worker."""

import asyncio
from collections import Counter

import httpx2
import pytest

from service import clock
from service.limits import Rate
from tests.servers.gatepost import Fleet

pytestmark = pytest.mark.anyio
RACING = 32


async def new_key(fleet: Fleet, name: str, figure: Rate) -> tuple[str, str]:
    """The id and the text of a key with this figure."""
    user = await fleet.add_user(name)
    made = await fleet.house.rooms.api_keys.create(
        user.id, "race", scopes=(), within=frozenset(), networks=(), life=None, now=clock.now(), rate=figure
    )
    return made.key.id, made.text


async def race(fleet: Fleet, key: str, *, until_refused: int) -> Counter[int]:
    """The statuses that 32 connections get, half at each worker, each until it has been refused so many times."""
    statuses = Counter[int]()

    async def ask(url: str) -> None:
        refused = 0
        async with httpx2.AsyncClient(base_url=url, headers={"X-API-Key": key}, timeout=10) as client:
            while refused < until_refused:
                answer = await client.get("/auth/verify")
                statuses[answer.status_code] += 1
                refused += answer.status_code == 429

    await asyncio.gather(*(ask(fleet.workers[number % 2].url) for number in range(RACING)))
    return statuses


@pytest.mark.spec("RACE-04")
@pytest.mark.parametrize("figure", ["40/d", "600/d"])
async def test_racing_connections_on_two_workers_get_the_figure_of_their_key(fleet: Fleet, figure: str) -> None:
    """Nothing comes back in the time of the test, so that not even the batches are above the figure."""
    rate = Rate.parse(figure)
    _, key = await new_key(fleet, f"racer{rate.permits}", rate)
    statuses = await race(fleet, key, until_refused=3)
    assert set(statuses) == {200, 429}
    assert rate.permits <= statuses[200] <= rate.permits + len(fleet.workers) * rate.batch
    assert statuses[429] == 3 * RACING


async def test_a_changed_figure_holds_on_both_workers_when_the_change_is_acknowledged(fleet: Fleet) -> None:
    key_id, key = await new_key(fleet, "changer", Rate.parse("5/d"))
    assert (await race(fleet, key, until_refused=1))[200] == 5
    user_id = (await fleet.house.rooms.api_keys.get(key_id)).user_id
    for figure, passes in (("50/d", 50), ("1/d", 1)):
        await fleet.house.rooms.api_keys.set_rate(key_id, Rate.parse(figure), user_id=user_id, now=clock.now())
        for worker in fleet.clients:  # told by the stream, within milliseconds
            async with asyncio.timeout(1):
                while True:
                    answer = await worker.get("/auth/verify", headers={"X-API-Key": key})
                    if answer.headers["ratelimit-policy"].startswith(f'"verify";q={passes};'):
                        break
        assert (await race(fleet, key, until_refused=1))[200] <= passes
        for worker in fleet.clients:
            assert (await worker.get("/auth/verify", headers={"X-API-Key": key})).status_code == 429
