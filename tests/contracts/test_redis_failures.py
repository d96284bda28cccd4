"""Counters of failures, over one server and over a cluster: what they cost, how long they live, who races with whom."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import uuid4

import pytest

from service.limits import Count, Counter, Meter, Step
from service.storage.redis import RedisFailures, RedisLink
from tests.contracts.redis_ground import KEYS, linked, peek
from tests.contracts.test_redis_garbage import put_garbage
from tests.servers.valkey import ValkeyServer, connected

pytestmark = pytest.mark.anyio
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
KEY = b"k" * 32
PLAIN = Meter("plain", 5, MINUTE, 15 * MINUTE, timedelta(days=1), timedelta(days=30), stop=12)
RESERVING = replace(PLAIN, name="reserving", reserves=True, resets=True)
OPEN = timedelta(0)


@pytest.fixture
def failures(link: RedisLink) -> RedisFailures:
    return RedisFailures(link, KEY)


async def step(failures: RedisFailures, what: Step, counter: Counter) -> Count:
    [count] = await failures.step(what, [counter])
    return count


def key_of(failures: RedisFailures, counter: Counter) -> str:
    return failures._name(counter)


def turn_clock(redis_backend: str, key: str, by: timedelta) -> None:
    """As if all that the counter knows were longer ago."""
    with peek(redis_backend) as raw:
        for field in ("u", "q", "t"):
            raw.hincrby(key, field, -(by // timedelta(microseconds=1)))


async def test_each_failure_past_the_free_ones_closes_for_twice_as_long(failures: RedisFailures) -> None:
    counter = Counter(PLAIN, "ada")
    closed = [(await step(failures, Step.FAIL, counter)).closed_for for _ in range(11)]
    minutes = [round(one / MINUTE) for one in closed]
    assert minutes == [0, 0, 0, 0, 1, 2, 4, 8, 15, 15, 15]
    assert (await step(failures, Step.BEGIN, counter)).closed_for > 14 * MINUTE
    assert await step(failures, Step.BEGIN, Counter(PLAIN, "bob")) == Count(0, OPEN)
    assert await step(failures, Step.BEGIN, Counter(PLAIN, "ada", "elsewhere")) == Count(0, OPEN)


@pytest.mark.spec("LOCK-05")
async def test_a_door_opens_when_its_time_is_over_and_one_more_failure_closes_it_for_longer(
    failures: RedisFailures, redis_backend: str
) -> None:
    counter = Counter(PLAIN, "ada")
    for _ in range(5):
        await step(failures, Step.FAIL, counter)
    for before in (59, 61):
        turn_clock(redis_backend, key_of(failures, counter), before * SECOND)
        assert ((await step(failures, Step.BEGIN, counter)).closed_for > OPEN) is (before == 59)
        turn_clock(redis_backend, key_of(failures, counter), -before * SECOND)
    turn_clock(redis_backend, key_of(failures, counter), 61 * SECOND)
    assert MINUTE < (await step(failures, Step.FAIL, counter)).closed_for <= 2 * MINUTE


async def test_what_has_stopped_stays_closed_until_it_is_reset(failures: RedisFailures, redis_backend: str) -> None:
    counter = Counter(PLAIN, "ada")
    for _ in range(12):
        await step(failures, Step.FAIL, counter)
    turn_clock(redis_backend, key_of(failures, counter), timedelta(days=60))
    assert await step(failures, Step.BEGIN, counter) == Count(12, 15 * MINUTE)
    with peek(redis_backend) as raw:
        assert raw.ttl(key_of(failures, counter)) > 365 * 86_400
    await step(failures, Step.RESET, counter)
    assert await step(failures, Step.BEGIN, counter) == Count(0, OPEN)


@pytest.mark.spec("RACE-04")
async def test_of_racing_attempts_no_more_get_in_than_may_still_fail(link: RedisLink) -> None:
    workers = [RedisFailures(link, KEY) for _ in range(2)]
    counter = Counter(RESERVING, "ada")
    begun = await asyncio.gather(*(step(workers[n % 2], Step.BEGIN, counter) for n in range(64)))
    assert [one.is_busy for one in begun].count(False) == 5
    for _ in range(5):
        await step(workers[0], Step.FAIL, counter)
    assert (await step(workers[1], Step.BEGIN, counter)).closed_for > OPEN


async def test_a_closed_door_that_opens_lets_one_in_at_a_time(failures: RedisFailures, redis_backend: str) -> None:
    counter = Counter(RESERVING, "ada")
    for _ in range(5):
        await step(failures, Step.FAIL, counter)
    turn_clock(redis_backend, key_of(failures, counter), 2 * MINUTE)
    begun = await asyncio.gather(*(step(failures, Step.BEGIN, counter) for _ in range(8)))
    assert [one.is_busy for one in begun].count(False) == 1
    await step(failures, Step.RELEASE, counter)
    assert not (await step(failures, Step.BEGIN, counter)).is_busy


async def test_an_attempt_that_was_never_heard_of_again_has_failed(failures: RedisFailures, redis_backend: str) -> None:
    counter = Counter(RESERVING, "ada")
    for _ in range(5):
        await step(failures, Step.BEGIN, counter)
    turn_clock(redis_backend, key_of(failures, counter), 11 * SECOND)
    found = await step(failures, Step.BEGIN, counter)
    assert (found.failures, found.is_busy) == (5, False)
    assert found.closed_for > 59 * SECOND


async def test_a_place_is_forgiven_one_failure_at_a_time(failures: RedisFailures, redis_backend: str) -> None:
    counter = Counter(replace(PLAIN, pace=10 * SECOND, first=SECOND, stop=0), "192.0.2.7")
    for _ in range(8):
        await step(failures, Step.FAIL, counter)
    turn_clock(redis_backend, key_of(failures, counter), 25 * SECOND)
    assert (await step(failures, Step.BEGIN, counter)).failures == 6
    assert (await step(failures, Step.FAIL, counter)).failures == 7
    turn_clock(redis_backend, key_of(failures, counter), 6 * SECOND)
    assert (await step(failures, Step.BEGIN, counter)).failures == 6
    turn_clock(redis_backend, key_of(failures, counter), timedelta(days=3))
    assert await step(failures, Step.BEGIN, counter) == Count(0, OPEN)


@pytest.mark.spec("RATE-05")
async def test_every_counter_has_its_end_and_a_name_of_one_length(failures: RedisFailures, redis_backend: str) -> None:
    names = ["a", "ada@example.org", "x" * 100_000, "\ud800", "{ada}", str(uuid4())]
    for number, name in enumerate(names, start=1):
        for _ in range(number):
            await step(failures, Step.FAIL, Counter(PLAIN, name, name))
        await step(failures, Step.BEGIN, Counter(RESERVING, name))
    with peek(redis_backend) as raw:
        keys = [key_of(failures, Counter(PLAIN, name, name)) for name in names]
        days = [round(raw.ttl(key) / 86_400) for key in keys]
        assert days == [1, 2, 4, 8, 16, 30]
        assert all(0 < raw.ttl(key_of(failures, Counter(RESERVING, name))) <= 86_400 for name in names)
        assert {len(key) for key in keys} == {len("gp:{}:n:") + 44}
        assert not any("ada" in key for key in keys)


async def test_garbage_in_place_of_a_counter_counts_from_none(failures: RedisFailures, redis_backend: str) -> None:
    random, counter = Random(7), Counter(PLAIN, "x")
    with peek(redis_backend) as raw:
        for _ in range(100):
            put_garbage(raw, key_of(failures, counter), random)
            assert (await step(failures, Step.FAIL, counter)).failures >= 1
            assert (await step(failures, Step.BEGIN, counter)).closed_for <= 15 * MINUTE


@pytest.mark.spec("LOCK-08")
async def test_locks_survive_a_restart_of_redis_and_a_flush_is_noticed(
    own_valkey: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    counter = Counter(PLAIN, "ada")
    async with linked(own_valkey.url) as link:
        failures = RedisFailures(link, KEY)
        for _ in range(5):
            await step(failures, Step.FAIL, counter)
        own_valkey.stop()
        own_valkey.start()
        await connected(link)
        assert (await step(failures, Step.BEGIN, counter)).failures == 5
        assert "lost" not in capsys.readouterr().out
        own_valkey.flush()
        for _ in range(3):
            assert await step(failures, Step.BEGIN, counter) == Count(0, OPEN)
    assert capsys.readouterr().out.count("counters of failures were lost") == 1
    assert KEYS.failures_mark == "gp:failures"
