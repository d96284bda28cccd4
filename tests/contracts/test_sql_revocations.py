"""`RevocationLedger`, kept by SQL."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.revocation import Revocation, RevocationKind
from service.revocation.entry import Entry, Recorded
from service.storage.sql import Database, SqlRevocations
from tests.contracts.sql_ground import DAY, NOW

pytestmark = pytest.mark.anyio


def an_entry(
    subject: str = "subject", *, kind: RevocationKind = RevocationKind.TOKEN, until: datetime = NOW, epoch: int = 0
) -> Entry:
    return Entry(Revocation(kind, subject, until, epoch), "owner", "because")


async def _kept(database: Database, *entries: Entry) -> list[Recorded]:
    async with database.begin() as tx:
        return list(map(Recorded, await SqlRevocations(database).add(tx, entries), entries))


async def test_entries_of_every_kind_come_back_as_they_were_written_in_order(database: Database) -> None:
    kept = await _kept(
        database, *(an_entry(f"{kind} é", kind=kind, epoch=2**50 + index) for index, kind in enumerate(RevocationKind))
    )
    revocations = SqlRevocations(database)

    assert await revocations.after(0, limit=99) == kept
    assert await revocations.after(kept[0].number, limit=2) == kept[1:3]
    assert await revocations.after(kept[-1].number, limit=99) == []
    assert [one.number for one in kept] == sorted({one.number for one in kept})


async def test_thousands_of_entries_are_written_at_once_each_with_its_own_number(database: Database) -> None:
    kept = await _kept(database, *(an_entry(f"s{index:04}") for index in range(2_500)))
    assert await SqlRevocations(database).after(0, limit=9_999) == kept
    async with database.begin() as tx:
        assert list(await SqlRevocations(database).add(tx, [])) == []


async def test_an_entry_that_was_undone_was_never_there(database: Database) -> None:
    async def write_and_fail() -> None:
        async with database.begin() as tx:
            await SqlRevocations(database).add(tx, [an_entry()])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await write_and_fail()

    assert await SqlRevocations(database).after(0, limit=99) == []


async def test_the_highest_number_is_known_also_when_its_entry_has_gone(database: Database) -> None:
    revocations = SqlRevocations(database)
    assert await revocations.highest() == 0
    kept = await _kept(database, *(an_entry(until=datetime.now(UTC) - 2 * DAY) for _ in range(3)))
    assert await revocations.highest() == kept[-1].number
    assert await revocations.drop_expired() == 3
    assert await revocations.highest() == kept[-1].number


async def test_an_entry_stays_in_the_outbox_until_it_is_marked_as_pushed(database: Database) -> None:
    revocations = SqlRevocations(database)
    first, second, third = await _kept(database, an_entry("1"), an_entry("2"), an_entry("3"))

    assert await revocations.unpushed(limit=2) == [first, second]

    await revocations.mark_pushed([third.number, first.number, first.number, 10**9])
    await revocations.mark_pushed([first.number])
    await revocations.mark_pushed([])

    assert await revocations.unpushed(limit=9) == [second]
    assert await revocations.after(0, limit=9) == [first, second, third], "pushed ones are still told"


async def test_only_what_ended_more_than_a_day_ago_is_dropped(database: Database) -> None:
    revocations, now = SqlRevocations(database), datetime.now(UTC)
    long_gone = await _kept(database, an_entry("1", until=now - DAY - timedelta(minutes=1)))
    kept = await _kept(database, an_entry("2", until=now - DAY + timedelta(minutes=1)), an_entry("3", until=now + DAY))

    assert await revocations.drop_expired() == 1
    assert await revocations.drop_expired() == 0
    assert await revocations.after(0, limit=9) == kept
    assert long_gone[0].number < kept[0].number


async def test_a_number_is_never_used_again(database: Database) -> None:
    revocations = SqlRevocations(database)
    gone = await _kept(database, an_entry("1", until=NOW - 1_000 * DAY), an_entry("2", until=NOW - 1_000 * DAY))
    assert await revocations.drop_expired() == 2

    (fresh,) = await _kept(database, an_entry("3"))

    assert fresh.number > gone[-1].number


async def test_racing_writers_get_numbers_of_their_own(database: Database, other_database: Database) -> None:
    async def write(ledger: Database, subject: str) -> int:
        return (await _kept(ledger, an_entry(subject)))[0].number

    numbers = await asyncio.gather(*(write((database, other_database)[n % 2], str(n)) for n in range(30)))

    told = await SqlRevocations(database).after(0, limit=99)
    assert {one.number: one.entry.revocation.subject for one in told} == {
        number: str(n) for n, number in enumerate(numbers)
    }
    assert len(told) == 30
