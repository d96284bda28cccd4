"""From memory to the ledger: nothing is lost that can be kept, and nothing counts twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from service import clock
from service.ledger import Ledger, Transaction
from service.protocol.errors import Conflict, StoreUnavailable
from service.storage.sql import Database, SqlUsage
from service.storage.sql.migrations import upgrade
from service.storage.sql.tables import USAGE_WORKERS
from service.usage import Batch, Dimension, Key, Period, Question, Recorder
from tests.contracts.sql_ground import opened
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.anyio
SOON = timedelta(milliseconds=50)
NEVER = timedelta(minutes=5)


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    async with opened(sqlite_url) as database:
        yield database


def a_recorder(
    database: Database, ledger: Ledger | None = None, *, every: timedelta = NEVER, keep: timedelta | None = None
) -> Recorder:
    return Recorder(ledger or database, SqlUsage(database), every=every, keep=keep, now=clock.now)


def count(recorder: Recorder, *subjects: str) -> None:
    for subject in subjects:
        recorder.sheet.count("user", subject, "", "", "/users/me", "ok")


async def written(database: Database) -> dict[str, int]:
    """Requests by subject."""
    by = frozenset({Dimension.PRINCIPAL})
    found = await SqlUsage(database).totals(Question(by=by), after="", limit=10_000)
    return {total.subject or "": total.requests for total in found}


class LosesAnswers:
    """A ledger that commits, so many times, without anybody hearing of it."""

    def __init__(self, database: Database, times: int) -> None:
        self.database = database
        self.times = times

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        async with self.database.begin() as tx:
            yield tx
        if self.times:
            self.times -= 1
            raise StoreUnavailable("sql", detail="the connection broke as the commit was under way")


class Away:
    """A ledger that cannot be reached."""

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        raise StoreUnavailable("sql")
        yield


class LosesRaces:
    """A ledger in which every other transaction comes too late."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.begun = 0

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        self.begun += 1
        if self.begun % 2:
            raise Conflict
        async with self.database.begin() as tx:
            yield tx


async def test_what_is_counted_is_written_every_so_often(database: Database) -> None:
    recorder = a_recorder(database, every=SOON)
    await recorder.start()
    count(recorder, "ann", "bob", "ann")
    async with asyncio.timeout(5):
        while recorder.waiting:
            await asyncio.sleep(0.01)
    assert await written(database) == {"ann": 2, "bob": 1}
    count(recorder, "ann")
    await recorder.stop()
    assert await written(database) == {"ann": 3, "bob": 1}
    assert (recorder.written, recorder.waiting) == (4, 0)


async def test_many_rows_are_written_before_their_time(database: Database) -> None:
    recorder = a_recorder(database)
    await recorder.start()
    await asyncio.sleep(0.6)  # its first round is over
    count(recorder, *(f"s{number}" for number in range(1_200)))
    async with asyncio.timeout(5):
        while recorder.waiting >= 500:
            await asyncio.sleep(0.01)
    await recorder.stop()
    assert await written(database) == {f"s{number}": 1 for number in range(1_200)}


async def test_a_commit_that_nobody_heard_of_counts_once(database: Database) -> None:
    recorder = a_recorder(database, LosesAnswers(database, times=2))
    count(recorder, "ann", "ann")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await recorder.flush_due()
        count(recorder, "ann")  # goes with the next batch: this one may stand as it is
        assert await written(database) == {"ann": 2}
    assert recorder.waiting == 4
    await recorder.stop()
    assert await written(database) == {"ann": 4}
    assert (recorder.written, recorder.waiting) == (4, 0)


async def test_a_round_that_is_cut_off_counts_once(database: Database) -> None:
    for pause in range(12):
        recorder = a_recorder(database)
        count(recorder, "ann")
        round_ = asyncio.create_task(recorder.flush_due())
        await asyncio.sleep(pause / 2_000)
        round_.cancel()
        await asyncio.gather(round_, return_exceptions=True)
        await recorder.stop()
        assert await written(database) == {"ann": pause + 1}


async def test_while_the_ledger_is_away_counts_wait_and_nothing_is_lost(own_postgres: PostgresServer) -> None:
    await upgrade(own_postgres.url())
    async with opened(own_postgres.url()) as database:
        recorder = a_recorder(database, every=SOON)
        await recorder.start()
        sent = 0
        for down in (False, True, True, False):
            if down:
                own_postgres.kill()
            for number in range(700):
                count(recorder, f"s{number}")
                sent += 1
            await asyncio.sleep(0.3)
            if down:
                own_postgres.start()
        await recorder.stop()
        assert recorder.waiting == recorder.sheet.dropped == 0
        assert recorder.written == sent == 2_800
        found = await written(database)
        assert (len(found), set(found.values())) == (700, {4})


async def test_a_worker_that_ends_tries_again_what_was_refused_and_writes_nothing_else(database: Database) -> None:
    ledger = LosesRaces(database)
    recorder = a_recorder(database, ledger, keep=timedelta(days=400))
    count(recorder, *(f"s{number}" for number in range(1_200)))
    with capture_logs() as lines:
        await recorder.stop()
    assert lines == []
    assert (recorder.written, recorder.waiting) == (1_200, 0)
    assert await written(database) == {f"s{number}": 1 for number in range(1_200)}
    assert ledger.begun == 6, "three batches, twice each, and nothing was pruned"


async def test_a_worker_that_ends_while_the_ledger_is_away_says_how_much_is_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.usage.recorder._ENDS_WITHIN", 0.5)
    recorder = a_recorder(database, Away())
    await recorder.start()
    count(recorder, "ann", "bob", "ann")
    with capture_logs() as lines:
        async with asyncio.timeout(3):
            await recorder.stop()
    assert [(line["event"], line["requests"]) for line in lines if line["log_level"] == "warning"] == [
        ("usage lost", 3)
    ]


async def test_what_does_not_fit_is_told_once_and_counted(database: Database) -> None:
    recorder = a_recorder(database)
    recorder.sheet._most = 2
    count(recorder, "ann", "bob", "carla", "dora", "ann")
    with capture_logs() as lines:
        await recorder.flush_due()
        await recorder.flush_due()
    assert [(line["event"], line["requests"]) for line in lines] == [("usage dropped", 2)]
    assert recorder.sheet.dropped == 2
    assert await written(database) == {"ann": 2, "bob": 1}


async def test_old_hours_go_as_new_ones_come(database: Database) -> None:
    now = clock.now()
    hours = [f"{now - timedelta(days=days):%Y-%m-%dT%H}" for days in (500, 401, 400, 1)]
    rows = [(Key(hour, "user", "ann", "", "", "/users/me", "ok"), 1) for hour in hours]
    async with database.begin() as tx:
        await SqlUsage(database).add(tx, Batch("long ago", 1, rows), now=now - timedelta(days=31))
    keeps, drops = a_recorder(database), a_recorder(database, keep=timedelta(days=400))

    async def left() -> set[str]:
        found = await SqlUsage(database).totals(Question(per=Period.HOUR), after="", limit=99)
        return {total.period or "" for total in found} - {f"{clock.now():%Y-%m-%dT%H}", f"{now:%Y-%m-%dT%H}"}

    count(keeps, "ann")
    await keeps.flush_due()
    assert await left() == set(hours)
    for gone in (1, 2, 2):
        count(drops, "ann")
        await drops.flush_due()
        assert await left() == set(hours[gone:])
    workers = {str(row[0]) for row in await database.fetch_all(select(USAGE_WORKERS.c.id))}
    assert "long ago" not in workers
    assert len(workers) == 2


async def test_a_worker_that_has_counted_nothing_asks_the_ledger_nothing() -> None:
    class Untouched:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    untouched: object = Untouched()
    recorder = Recorder(untouched, untouched, every=SOON, keep=None, now=datetime.now)  # type: ignore[arg-type]  # a store that answers to nothing
    await recorder.start()
    await asyncio.sleep(0.7)
    await recorder.stop()
