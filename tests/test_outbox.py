"""The runner of an outbox: at once after a post, now and then without one, and it outlives what goes wrong."""

import asyncio
from datetime import timedelta

import pytest

from service import outbox as module
from service.outbox import Outbox, Pauses
from service.protocol.errors import StoreUnavailable
from service.storage.sql import Database

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def stands_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker has to come up first."""
    monkeypatch.setattr(module, "_STANDS_AFTER", timedelta(milliseconds=1))


class Rounds:
    """What the runner called, and what each call says."""

    def __init__(self, *says: bool | Exception) -> None:
        self.says = list(says)
        self.count = 0
        self.posted = asyncio.Event()
        self.runner = Outbox("rounds", self.send_due, self.posted)

    async def send_due(self) -> bool:
        self.count += 1
        said = self.says.pop(0) if self.says else False
        if isinstance(said, Exception):
            raise said
        return said

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(5):
            while self.count < count:
                await asyncio.sleep(0)


async def test_what_waits_is_sent_soon_and_what_is_posted_at_once() -> None:
    rounds = Rounds()
    await rounds.runner.start()
    await rounds.reach(1)
    await asyncio.sleep(0.02)
    assert rounds.count == 1
    rounds.posted.set()
    await rounds.reach(2)
    await rounds.runner.stop()


async def test_more_is_sent_at_once_when_there_is_more() -> None:
    rounds = Rounds(True, True, False)
    await rounds.runner.start()
    await rounds.reach(3)
    await rounds.runner.stop()
    assert rounds.count == 3


async def test_nothing_that_goes_wrong_ends_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what nobody posted here is found without being told."""
    monkeypatch.setattr(module, "_INTERVAL", timedelta(milliseconds=1))
    rounds = Rounds(StoreUnavailable("sql"), OSError("net"))
    await rounds.runner.start()
    await rounds.reach(4)
    await rounds.runner.stop()


async def test_a_round_under_way_may_end_and_none_begins_after_the_stop() -> None:
    may_go, went = asyncio.Event(), []
    posted = asyncio.Event()

    async def slow() -> bool:
        await may_go.wait()
        went.append(1)
        return True

    runner = Outbox("slow", slow, posted)
    await runner.start()
    await asyncio.sleep(0.03)
    stopping = asyncio.create_task(runner.stop())
    await asyncio.sleep(0.01)
    may_go.set()
    await stopping
    assert went == [1]


async def test_a_round_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ENDS_WITHIN", timedelta(milliseconds=10))
    ended = []

    async def hang() -> bool:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(1)
        return False

    runner = Outbox("hang", hang, asyncio.Event())
    await runner.start()
    await asyncio.sleep(0.03)
    await runner.stop()
    assert ended == [1]


async def test_a_round_waits_for_more_to_come_but_not_at_the_end() -> None:
    rounds = Rounds()
    gathering = Outbox("rounds", rounds.send_due, rounds.posted, gathers=timedelta(milliseconds=60))
    await gathering.start()
    await asyncio.sleep(0.02)
    assert rounds.count == 0
    rounds.posted.set()
    await rounds.reach(1)
    await asyncio.sleep(0.1)
    assert rounds.count == 1
    patient = Outbox("rounds", rounds.send_due, rounds.posted, gathers=timedelta(hours=1))
    await patient.start()
    async with asyncio.timeout(1):
        await patient.stop()
    await gathering.stop()


async def test_pauses_double_to_their_longest() -> None:
    pauses = Pauses(first=timedelta(seconds=2), longest=timedelta(minutes=30))
    assert [pauses.after(tries).seconds for tries in (0, 1, 2, 9, 10, 10**6)] == [2, 4, 8, 1024, 1800, 1800]


async def test_whoever_waits_for_a_commit_is_told_of_a_commit_alone(sql_url: str) -> None:
    database, told = Database(sql_url), []

    async def act(*, fails: bool) -> None:
        async with database.begin() as tx:
            tx.when_committed(lambda: told.append(1))
            assert told == []
            if fails:
                raise LookupError

    with pytest.raises(LookupError):
        await act(fails=True)
    assert told == []
    await act(fails=False)
    assert told == [1]
    await database.close()
