"""Writing behind: the newest value per name, in batches, and nothing lost while the store is away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import pytest

from service.protocol.errors import Conflict, Refusal, StoreUnavailable
from service.sessions import write_behind
from service.sessions.write_behind import WriteBehind

pytestmark = pytest.mark.anyio


class Written:
    """Where values go: `fails` is raised first, as often as it is listed."""

    def __init__(self, *fails: Exception) -> None:
        self.batches: list[dict[str, int]] = []
        self.fails = list(fails)
        self.holds: asyncio.Event | None = None

    async def write(self, batch: Mapping[str, int]) -> None:
        if self.holds is not None:
            await self.holds.wait()
        if self.fails:
            raise self.fails.pop(0)
        self.batches.append(dict(batch))


@asynccontextmanager
async def running(written: Written) -> AsyncIterator[WriteBehind[int]]:
    behind = WriteBehind(written.write)
    await behind.start()
    yield behind
    await behind.stop()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_the_newest_value_of_each_name_is_written_once_within_a_second() -> None:
    written = Written()
    async with running(written) as behind:
        for number in range(100):
            behind.put(f"name{number % 3}", number)
        assert written.batches == []
        async with asyncio.timeout(1):
            await until(lambda: bool(written.batches))
    assert written.batches == [{"name0": 99, "name1": 97, "name2": 98}]


async def test_what_is_waiting_is_written_at_the_end() -> None:
    written = Written()
    async with running(written) as behind:
        behind.put("name", 1)
    assert written.batches == [{"name": 1}]


@pytest.mark.parametrize("refusal", [StoreUnavailable("sql"), Conflict(detail="deadlock")])
async def test_what_could_not_be_written_waits_and_a_newer_value_wins(refusal: Refusal) -> None:
    written = Written(refusal)
    behind = WriteBehind(written.write)
    behind.put("old", 1)
    behind.put("both", 1)
    await behind.flush()
    behind.put("both", 2)
    await behind.flush()
    assert written.batches == [{"old": 1, "both": 2}]


async def test_a_write_that_is_cut_short_by_the_end_is_made_at_the_end() -> None:
    written = Written()
    written.holds = asyncio.Event()
    async with running(written) as behind:
        behind.put("name", 1)
        await until(lambda: not behind._waiting)  # the write is under way
        behind.put("other", 2)
        asyncio.get_running_loop().call_later(0.05, written.holds.set)
    assert written.batches == [{"name": 1, "other": 2}]


async def test_a_defect_loses_its_batch_and_not_the_loop() -> None:
    written = Written(RuntimeError("a defect"))
    async with running(written) as behind:
        behind.put("lost", 1)
        await until(lambda: not written.fails)
        behind.put("kept", 2)
        await until(lambda: bool(written.batches))
    assert written.batches == [{"kept": 2}]


async def test_the_oldest_names_go_when_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_behind, "_BOUND", 3)
    written = Written(StoreUnavailable("sql"), StoreUnavailable("sql"))
    behind = WriteBehind(written.write)
    for name in "abcd":
        behind.put(name, 1)
    behind.put("b", 2)
    await behind.flush()
    written.holds = asyncio.Event()
    flushing = asyncio.create_task(behind.flush())
    await asyncio.sleep(0)
    behind.put("e", 1)
    written.holds.set()
    await flushing
    await behind.flush()
    assert written.batches == [{"d": 1, "b": 2, "e": 1}]
