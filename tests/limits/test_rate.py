"""Permits: what workers give out together, what that asks of Redis, and what happens without it."""

import asyncio
from datetime import timedelta

import pytest

from service import clock
from service.app import House
from service.limits import Budget, Rate, rate
from service.limits.rate import LEASED_FOR, UNLIMITED
from service.protocol.errors import TooManyRequests
from tests.rooms import counted
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)
ADA = Budget("api", "ada", Rate(300, HOUR))


@pytest.mark.parametrize("text", ["1000/h", "1/s", "20/m", "999999999/d", "unlimited"])
def test_a_rate_is_read_as_it_is_written(text: str) -> None:
    assert str(Rate.parse(text)) == text
    assert Rate.parse(f" {text} ") == Rate.parse(text)


@pytest.mark.parametrize("text", ["", "0/h", "-1/h", "1000", "1000/w", "1.5/s", "٣/s", "1000/2h", "1000000000/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a rate"):
        Rate.parse(text)


def test_a_batch_is_a_hundredth_and_never_more_than_a_thousand() -> None:
    assert [Rate(n, HOUR).batch for n in (1, 99, 100, 1_000, 5_000, 10**6)] == [1, 1, 1, 10, 50, 1_000]
    assert UNLIMITED.permits == 0


async def spend(house: House, budget: Budget) -> int:
    """Ask until it is refused; how many were let through."""
    passed = 0
    while True:
        try:
            await house.permits.count(budget, now=clock.now())
        except TooManyRequests:
            return passed
        passed += 1


@pytest.mark.parametrize("permits", [300, 1_000])
async def test_racing_clients_on_two_workers_get_the_rate_and_no_more_than_a_batch_each_above(
    house: House, other_house: House, permits: int
) -> None:
    budget = ADA._replace(rate=Rate(permits, HOUR))
    racing = [spend((house, other_house)[number % 2], budget) for number in range(32)]
    passed = sum(await asyncio.gather(*racing))
    assert permits <= passed <= permits + 2 * budget.rate.batch


async def test_permits_of_before_are_the_only_ones_above_the_rate(house: House, other_house: House) -> None:
    """A worker that has drawn may still give out its batch when the budget has filled up again behind it."""
    budget = ADA._replace(rate=Rate(1_000, timedelta(seconds=1)))
    for one in (house, other_house):
        await one.permits.count(budget, now=clock.now())
    await asyncio.sleep(0.05)  # ten permits, and so both batches, are back
    now = clock.now()
    at_once = 0
    for one in (house, other_house):
        while one.permits._leases[budget].permits:
            assert one.permits.take(budget, now=now) is not None
            at_once += 1
    assert at_once == 2 * (budget.rate.batch - 1)


async def test_a_busy_caller_costs_one_call_of_redis_for_each_batch_and_a_refused_one_none(
    house: House, valkey_server: ValkeyServer
) -> None:
    budget, now = ADA._replace(rate=Rate(1_000, HOUR)), clock.now()
    await house.permits.count(budget, now=now)
    with counted(house, valkey_server) as asked:
        for _ in range(9):
            await house.permits.count(budget, now=now)
    assert asked.redis == 0
    await spend(house, budget)
    with counted(house, valkey_server) as asked:
        for _ in range(50):
            with pytest.raises(TooManyRequests):
                house.permits.take(budget, now=now)
    assert asked.redis == 0


async def test_a_busy_caller_waits_for_the_first_batch_alone(house: House, valkey_server: ValkeyServer) -> None:
    budget, now = ADA._replace(rate=Rate(10_000, HOUR)), clock.now()
    with counted(house, valkey_server) as once:
        quota = await house.permits.count(budget, now=now)
    with counted(house, valkey_server) as asked:
        for passed in range(1, 1_000):
            assert quota.left == 10_000 - passed
            quota = house.permits.take(budget, now=now)
            assert quota is not None
            for drawing in list(house.permits._drawing.values()):
                await drawing
            assert house.permits._leases[budget].permits <= budget.rate.batch
    assert asked.redis <= 13 * once.redis + 2  # of 75 permits each; Valkey counts what a script does


async def test_what_cannot_be_drawn_ahead_is_drawn_when_it_is_due(house: House) -> None:
    budget, now = ADA._replace(rate=Rate(1_000, HOUR)), clock.now()
    await house.permits.count(budget, now=now)
    await house.link.close()
    for _ in range(9):
        assert house.permits.take(budget, now=now) is not None
        await asyncio.sleep(0)
    assert house.permits.take(budget, now=now) is None
    await house.permits.count(budget, now=now)
    assert not house.permits._leases[budget].is_counted


async def test_a_drawing_that_is_under_way_is_not_begun_again_by_a_caller_whose_moment_is_earlier(house: House) -> None:
    budget, now = ADA._replace(rate=Rate(10_000, HOUR)), clock.now()
    await house.permits.count(budget, now=now)
    lease = house.permits._leases[budget]
    lease.permits = lease.low + 1
    later = asyncio.create_task(house.permits.count(budget, now=lease.until))
    await asyncio.sleep(0)
    drawing = house.permits._drawing[budget]
    assert house.permits.take(budget, now=now) is not None
    assert house.permits._drawing[budget] is drawing
    await later
    assert house.permits._drawing == {}


async def test_a_refused_request_is_told_once_however_often_it_is_looked_at(house: House) -> None:
    await spend(house, ADA)
    rate._refused.take()
    with pytest.raises(TooManyRequests):
        house.permits.take(ADA, now=clock.now())
    with pytest.raises(TooManyRequests):
        await house.permits.count(ADA, now=clock.now())
    assert rate._refused.take() == {("api",): 1}


async def test_what_a_quiet_caller_left_goes_back(house: House) -> None:
    budget, now = ADA._replace(rate=Rate(1_000, HOUR)), clock.now()
    left = [(await house.permits.count(budget, now=now + turn * LEASED_FOR)).left for turn in range(5)]
    assert left == [999, 998, 997, 996, 995]


async def test_callers_that_find_nothing_wait_for_one_drawing(house: House, valkey_server: ValkeyServer) -> None:
    budget = ADA._replace(rate=Rate(10_000, HOUR))
    await asyncio.gather(*(house.permits.count(budget, now=clock.now()) for _ in range(100)))
    assert house.permits._leases[budget].permits == 0


async def test_callers_who_come_in_the_very_turn_in_which_a_drawing_ends_do_not_wait_for_it(house: House) -> None:
    """One who did would look again and again without ever letting the loop go on."""
    budget = ADA._replace(rate=Rate(199, HOUR))  # one at a time
    came = []
    for _ in range(60):
        came += [asyncio.create_task(house.permits.count(budget, now=clock.now())) for _ in range(3)]
        await asyncio.sleep(0)
    assert {quota.left for quota in await asyncio.gather(*came)} == set(range(199 - 180, 199))


async def test_without_redis_everybody_passes_and_nothing_is_owed(
    own_valkey: ValkeyServer, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    await house.link.close()
    for _ in range(400):
        await house.permits.count(ADA, now=now)
    assert not house.permits._leases[ADA].is_counted
