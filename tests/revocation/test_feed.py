"""The near-cache of one worker: filled and reconciled from SQL, tailed from the stream, never losing anything."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from gatepost.revocation import Revocation, RevocationKind
from service import clock
from service.app import House, build_house
from service.protocol.errors import StoreUnavailable
from service.revocation import feed as feed_module
from service.revocation.entry import Entry
from service.revocation.feed import RevocationFeed
from service.settings import Settings, load_settings
from service.storage.sql import SqlRevocations
from service.storage.sql.database import SqlTransaction
from tests.rooms import quiet_house
from tests.servers.gatepost import settings_for
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


async def revoke(house: House, *sessions: str) -> None:
    async with house.rooms.acts.begin(clock.now()) as act:
        for session in sessions:
            await act.revoke_sessions([session], user_id="u1", why="test")


def knows(house: House, *sessions: str) -> list[bool]:
    return [house.feed.revoked.has(RevocationKind.SESSION, session) for session in sessions]


async def until(is_so: Callable[[], bool], within: float = 5) -> None:
    async with asyncio.timeout(within):
        while not is_so():
            await asyncio.sleep(0.005)


async def test_a_worker_that_starts_learns_everything_that_still_matters(settings: Settings, house: House) -> None:
    await revoke(house, "s1", "s2")
    now = clock.now()
    async with house.database.begin() as tx:
        for subject, end in (("over", now - SECOND), ("soon", now + timedelta(minutes=1))):
            entry = Entry(Revocation(RevocationKind.TOKEN, subject, end), "u1", "test")
            await SqlRevocations(house.database).add(tx, [entry])
    async with quiet_house(settings) as fresh:
        assert knows(fresh, "s1", "s2") == [True, True]
        assert fresh.feed.revoked.has(RevocationKind.TOKEN, "soon")


async def test_more_than_a_page_is_read_to_its_end(
    settings: Settings, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_PAGE", 3)
    names = [f"s{number}" for number in range(10)]
    await revoke(house, *names)
    async with quiet_house(settings) as fresh:
        assert all(knows(fresh, *names))


@pytest.mark.spec("RED-04")
async def test_the_memory_only_grows_whatever_becomes_of_the_engine(
    house: House, other_house: House, valkey_server: ValkeyServer
) -> None:
    await revoke(house, "s1")
    await other_house.feed.reconcile()
    for _ in range(2):
        valkey_server.flush()
        for one in (house, other_house):
            await one.feed.reconcile()
            assert knows(one, "s1") == [True]


@pytest.fixture
async def pg_house(postgres_url: str, valkey_url: str) -> AsyncIterator[House]:
    async with quiet_house(load_settings(settings_for(postgres_url, valkey_url))) as house:
        yield house


async def record(house: House, tx: SqlTransaction, session: str) -> int:
    """Write one revocation in an open transaction; its number."""
    entry = Entry(Revocation(RevocationKind.SESSION, session, clock.now() + DAY), "u1", "test")
    [number] = await SqlRevocations(house.database).add(tx, [entry])
    return number


async def test_what_becomes_visible_out_of_the_order_of_its_number_is_still_taken_in(pg_house: House) -> None:
    async with pg_house.database.begin() as late:
        first = await record(pg_house, late, "late")
        async with pg_house.database.begin() as early:
            second = await record(pg_house, early, "early")
        assert first < second
        await pg_house.feed.reconcile()
        assert knows(pg_house, "late", "early") == [False, True]
    await pg_house.feed.reconcile()
    assert knows(pg_house, "late", "early") == [True, True]


def age(feed: RevocationFeed, seconds: float) -> None:
    """Let everything that the feed has read be older."""
    feed._highest = deque((at - seconds, number) for at, number in feed._highest)


async def test_a_number_is_settled_when_no_transaction_can_be_older(house: House) -> None:
    assert house.feed.settled() == 0
    await revoke(house, "s1", "s2", "s3")
    await house.feed.reconcile()
    assert house.feed.settled() == 0
    age(house.feed, 9.9)
    assert house.feed.settled() == 0
    age(house.feed, 0.2)
    assert house.feed.settled() == 3
    await revoke(house, "s4")
    await house.feed.reconcile()
    assert house.feed.settled() == 3


async def test_the_reconciliation_goes_back_ten_seconds_and_not_for_ever(house: House, other_house: House) -> None:
    await revoke(house, "old")
    await other_house.feed.reconcile()
    age(other_house.feed, 11)
    await revoke(house, "new")
    async with house.database.begin() as tx:
        await tx._connection.exec_driver_sql("UPDATE revocations SET subject = 'not read again' WHERE subject = 'old'")
    await other_house.feed.reconcile()
    assert knows(other_house, "old", "new", "not read again") == [True, True, False]


@pytest.mark.spec("RED-01")
async def test_the_memory_is_trusted_from_its_first_filling_for_its_age(settings: Settings, house: House) -> None:
    fresh = build_house(settings)
    with pytest.raises(StoreUnavailable):
        fresh.feed.check_trusted()
    await fresh.feed.reconcile()
    fresh.feed.check_trusted()
    fresh.feed._trusted_until = 0.0
    assert not fresh.feed.is_trusted
    with pytest.raises(StoreUnavailable):
        fresh.feed.check_trusted()
    fresh.passwords.close()
    await fresh.database.close()


@pytest.fixture
def tail_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQL is not read again within a test."""
    monkeypatch.setattr(feed_module, "_INTERVAL", timedelta(minutes=5))


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_INTERVAL", timedelta(milliseconds=2))


@pytest.mark.usefixtures("tail_alone")
@pytest.mark.spec("REV-02")
async def test_the_stream_tells_other_workers_at_once(house: House, other_house: House) -> None:
    await house.feed.start()
    await asyncio.sleep(0.2)
    for number in range(5):
        name = f"s{number}"
        await revoke(other_house, name)
        await until(lambda name=name: all(knows(house, name)), within=1)
    await house.feed.stop()


@pytest.mark.usefixtures("tail_alone")
async def test_a_living_stream_keeps_a_filled_memory_trusted_and_no_other(house: House, settings: Settings) -> None:
    await house.feed.start()
    house.feed._trusted_until = 0.0
    await until(lambda: house.feed.is_trusted)
    await house.feed.stop()
    never_filled = build_house(settings)
    listening = asyncio.create_task(never_filled.feed._tail())
    await asyncio.sleep(1.2)  # longer than a sign of life takes
    assert not never_filled.feed.is_trusted
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    never_filled.passwords.close()
    await never_filled.link.close()
    await never_filled.database.close()


@pytest.mark.usefixtures("fast")
async def test_the_loop_takes_in_what_no_stream_told_and_empties_the_outbox(
    house: House, other_house: House, valkey_server: ValkeyServer
) -> None:
    await house.feed.start()
    async with other_house.database.begin() as tx:
        await record(other_house, tx, "s1")  # committed, and its worker died before it was pushed
    await until(lambda: all(knows(house, "s1")))
    with valkey_server.client() as client:
        await until(lambda: client.exists("gp:{u1}:x:sid:s1") == 1)
    async with asyncio.timeout(5):
        while await house.rooms.revocations.unpushed(limit=9):
            await asyncio.sleep(0.005)
    await house.feed.stop()


@pytest.mark.usefixtures("fast")
@pytest.mark.spec("REV-07")
async def test_what_no_longer_matters_is_forgotten_and_then_deleted(house: House) -> None:
    now = clock.now()
    async with house.database.begin() as tx:
        for subject, end in (
            ("two days ago", now - 2 * DAY),
            ("an hour ago", now - timedelta(hours=1)),
            ("in an hour", now + timedelta(hours=1)),
        ):
            entry = Entry(Revocation(RevocationKind.TOKEN, subject, end), "u1", "test")
            house.feed.revoked.add(entry.revocation)
            await SqlRevocations(house.database).add(tx, [entry])
    await house.feed.start()
    await until(lambda: len(house.feed.revoked) == 1)
    assert house.feed.revoked.has(RevocationKind.TOKEN, "in an hour")
    async with house.database.begin() as tx:
        while (await subjects(tx)) != {"an hour ago", "in an hour"}:
            await asyncio.sleep(0.01)
    await house.feed.stop()


async def subjects(tx: SqlTransaction) -> set[str]:
    return {row[0] for row in (await tx._connection.exec_driver_sql("SELECT subject FROM revocations")).all()}


async def test_a_ledger_that_was_put_back_is_read_from_its_beginning(house: House, other_house: House) -> None:
    await revoke(house, "s1", "s2", "s3")
    for _ in range(2):
        await other_house.feed.reconcile()
        age(other_house.feed, 11)
    assert other_house.feed.settled() == 3
    async with house.database.begin() as tx:
        await tx._connection.exec_driver_sql("DELETE FROM revocations WHERE number > 1")
        await tx._connection.exec_driver_sql("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'revocations'")
        await record(house, tx, "s4")
    await other_house.feed.reconcile()
    assert knows(other_house, "s1", "s2", "s3", "s4") == [True] * 4
    assert other_house.feed.settled() == 0


@pytest.mark.usefixtures("fast")
async def test_the_loop_goes_on_after_what_it_could_not_read(house: House, other_house: House) -> None:
    await house.feed.start()
    await revoke(other_house, "s1")
    async with other_house.database.begin() as tx:
        await tx._connection.exec_driver_sql("UPDATE revocations SET kind = 'unheard of'")
    await asyncio.sleep(0.1)
    async with other_house.database.begin() as tx:
        await tx._connection.exec_driver_sql("UPDATE revocations SET kind = 'sid', subject = 's2'")
    await until(lambda: all(knows(house, "s2")))
    await house.feed.stop()
