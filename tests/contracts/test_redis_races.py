"""Racing refreshes: of any number, over any number of links and processes, one spends the generation."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from service.sessions.families import Closed, Outcome, Repeated, Reused, Rotated, Unsure
from service.storage.redis import RedisRefreshFamilies
from tests.contracts.redis_ground import GRACE, IDLE, Held, linked, make_family, peek

pytestmark = pytest.mark.anyio
RACERS = 64
ROUNDS = 40


@pytest.fixture
async def stores(redis_backend: str) -> AsyncIterator[list[RedisRefreshFamilies]]:
    """The same store over four links."""
    async with AsyncExitStack() as stack:
        links = [await stack.enter_async_context(linked(redis_backend)) for _ in range(4)]
        yield [RedisRefreshFamilies(link) for link in links]


async def present_at_once(
    stores: list[RedisRefreshFamilies], held: Held, generation: int, grace: timedelta
) -> Counter[type[Outcome]]:
    """Everybody presents the same token over some link; outcomes by kind."""
    holders = [Held(stores[number % len(stores)], held.raw, held.family) for number in range(RACERS)]
    outcomes = await asyncio.gather(*(holder.present(generation, grace=grace) for holder in holders))
    for outcome in outcomes:
        if isinstance(outcome, Rotated | Repeated):
            assert outcome.generation == generation + 1
            assert outcome.family == held.family
    return Counter(type(outcome) for outcome in outcomes)


@pytest.mark.spec("RFC 9700 §4.14.2")
async def test_racing_refreshes_inside_the_window_agree_on_one_successor(
    redis_backend: str, stores: list[RedisRefreshFamilies]
) -> None:
    held = await Held(stores[0], peek(redis_backend)).open()
    for generation in range(ROUNDS):
        assert await present_at_once(stores, held, generation, GRACE) == {Rotated: 1, Repeated: RACERS - 1}


@pytest.mark.spec("RFC 9700 §4.14.2")
async def test_without_a_window_one_racing_refresh_wins_and_the_others_are_reuse(
    redis_backend: str, stores: list[RedisRefreshFamilies]
) -> None:
    raw = peek(redis_backend)
    for _ in range(ROUNDS):
        held = await Held(stores[0], raw, make_family()).open()
        assert await present_at_once(stores, held, 0, timedelta(0)) == {Rotated: 1, Reused: RACERS - 1}
        assert await held.present(1) == Closed()


async def test_families_of_many_users_rotate_at_once_without_mixing(
    redis_backend: str, stores: list[RedisRefreshFamilies]
) -> None:
    raw = peek(redis_backend)
    holders = [Held(stores[number % len(stores)], raw, make_family()) for number in range(RACERS)]
    await asyncio.gather(*(held.open() for held in holders))

    async def use(held: Held) -> None:
        for generation in range(ROUNDS):
            assert await held.present(generation) == Rotated(held.family, generation + 1)

    await asyncio.gather(*(use(held) for held in holders))


async def test_a_refresh_racing_with_the_end_of_its_session_leaves_nothing_that_works(
    redis_backend: str, stores: list[RedisRefreshFamilies]
) -> None:
    raw = peek(redis_backend)
    seen: Counter[type[Outcome]] = Counter()
    for number in range(100):
        held = await Held(stores[0], raw, make_family()).open()
        late = Held(stores[1], raw, held.family)
        calls = [late.present(0), held.store.close(held.family.user_id, held.family.id, until=datetime.now(UTC))]
        outcomes = await asyncio.gather(*(calls if number % 2 else reversed(calls)))
        seen.update(type(outcome) for outcome in outcomes if outcome is not None)
        for generation in (0, 1):
            assert await late.present(generation) == Closed()
    assert seen[Rotated] > 0
    assert seen[Closed] > 0


async def test_restoring_from_many_workers_at_once_yields_one_successor(
    redis_backend: str, stores: list[RedisRefreshFamilies]
) -> None:
    raw = peek(redis_backend)
    for generation in range(10):
        held = Held(stores[0], raw, make_family())

        async def refresh(holder: Held, generation: int = generation) -> Outcome:
            while isinstance(outcome := await holder.present(generation, grace=timedelta(0)), Unsure):
                await holder.restore(generation)
            return outcome

        holders = [Held(stores[number % len(stores)], raw, held.family) for number in range(RACERS)]
        outcomes = await asyncio.gather(*(refresh(holder) for holder in holders))
        assert Counter(type(outcome) for outcome in outcomes) == {Rotated: 1, Reused: RACERS - 1}


@pytest.mark.parametrize(("grace", "others"), [(GRACE, "Repeated"), (timedelta(0), "Reused")])
async def test_racing_processes_agree_on_one_successor(
    redis_backend: str, stores: list[RedisRefreshFamilies], grace: timedelta, others: str
) -> None:
    racers, processes = 24, 3
    families = [make_family() for _ in range(ROUNDS)]
    for family in families:
        await stores[0].open(family, idle=IDLE)
    lines = "".join(f"{family.user_id} {family.id}\n" for family in families)
    command = [sys.executable, "-m", "tests.contracts.redis_racer", redis_backend, families[0].client_id]
    running = [
        await asyncio.create_subprocess_exec(
            *(*command, str(grace.total_seconds()), str(racers)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(processes)
    ]
    tables = await asyncio.gather(*(run_to_the_start(process, lines) for process in running))
    assert tables == [b"ready\n"] * processes
    printed = await asyncio.gather(*(process.communicate(b"go\n") for process in running))
    counts = [[Counter(json.loads(line)) for line in output.splitlines()] for output, _ in printed]
    for of_each in zip(*counts, strict=True):
        assert sum(of_each, Counter()) == {"Rotated": 1, others: racers * processes - 1}


async def run_to_the_start(process: asyncio.subprocess.Process, lines: str) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{lines}\n".encode())
    await process.stdin.drain()
    return await process.stdout.readline()
