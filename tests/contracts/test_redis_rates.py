"""Budgets of requests, over one server and over a cluster: what is drawn, what comes back, and when."""

import asyncio
from datetime import timedelta
from random import Random

import pytest

from service.limits import Budget, Rate
from service.storage.redis import RedisLink, RedisRates
from tests.contracts.redis_ground import peek
from tests.contracts.test_redis_garbage import put_garbage

pytestmark = pytest.mark.anyio
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
ADA = Budget("api", "ada", Rate(60, HOUR))


@pytest.fixture
def rates(link: RedisLink) -> RedisRates:
    return RedisRates(link, b"k" * 32)


@pytest.fixture
def key(rates: RedisRates) -> str:
    """Where ada's budget lies."""
    return rates._name(ADA)


def later(redis_backend: str, key: str, by: timedelta) -> None:
    """As if the budget had been touched longer ago."""
    with peek(redis_backend) as raw:
        raw.set(key, int(raw.get(key) or 0) - by // timedelta(microseconds=1), keepttl=True)


async def test_a_budget_is_spent_to_its_end_and_comes_back_one_by_one(
    rates: RedisRates, key: str, redis_backend: str
) -> None:
    first = await rates.draw(ADA, 50, back=0)
    assert (first.granted, first.left, first.next_in) == (50, 10, timedelta(0))
    assert 50 * 60 * SECOND >= first.full_in > 49 * 60 * SECOND
    last = await rates.draw(ADA, 50, back=0)
    assert (last.granted, last.left) == (10, 0)
    none = await rates.draw(ADA, 1, back=0)
    assert none.granted == 0
    assert 0 * SECOND < none.next_in <= 60 * SECOND
    later(redis_backend, key, 61 * SECOND)
    assert (await rates.draw(ADA, 5, back=0)).granted == 1


@pytest.mark.spec("RATE-04")
async def test_no_edge_lets_twice_the_rate_through(rates: RedisRates, key: str, redis_backend: str) -> None:
    assert (await rates.draw(ADA, 100, back=0)).granted == 60
    came = 0
    for _ in range(6):
        later(redis_backend, key, 10 * 60 * SECOND)
        came += (await rates.draw(ADA, 100, back=0)).granted
    assert came == 60, "ten in ten minutes, six times: never a second burst"


async def test_what_was_not_used_comes_back_and_never_more(rates: RedisRates) -> None:
    await rates.draw(ADA, 60, back=0)
    assert (await rates.draw(ADA, 60, back=7)).granted == 7
    assert (await rates.draw(ADA, 1_000, back=1_000)).granted == 60


async def test_each_caller_policy_and_rate_has_a_budget_of_its_own(rates: RedisRates) -> None:
    for budget in (ADA, ADA._replace(who="bob"), ADA._replace(policy="verify"), ADA._replace(rate=Rate(61, HOUR))):
        assert (await rates.draw(budget, 60, back=0)).granted == 60


async def test_racing_drawings_give_out_the_budget_and_no_more(rates: RedisRates) -> None:
    drawn = await asyncio.gather(*(rates.draw(ADA, 7, back=0) for _ in range(32)))
    assert sum(one.granted for one in drawn) == 60


@pytest.mark.spec("RATE-05")
async def test_a_budget_that_is_whole_again_is_kept_nowhere(rates: RedisRates, key: str, redis_backend: str) -> None:
    drawn = await rates.draw(ADA, 10, back=0)
    with peek(redis_backend) as raw:
        assert 0 < raw.pttl(key) <= drawn.full_in // timedelta(milliseconds=1) + 1
        await rates.draw(ADA, 0, back=10)
        assert raw.get(key) is None


async def test_garbage_in_place_of_a_budget_is_at_worst_an_empty_one(
    rates: RedisRates, key: str, redis_backend: str
) -> None:
    await rates.draw(ADA, 1, back=0)
    random = Random(7)
    with peek(redis_backend) as raw:
        for _ in range(100):
            put_garbage(raw, key, random)
            drawn = await rates.draw(ADA, 5, back=0)
            assert 0 <= drawn.granted <= 5
            assert drawn.next_in <= 61 * SECOND
