"""Usage in the ledger: batches that count once, workers that add to the same rows, totals, and what is dropped."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from typing import Any

import pytest
from sqlalchemy import func, select

from service.protocol.errors import Invalid
from service.storage.sql import Database, SqlUsage
from service.storage.sql.tables import USAGE, USAGE_WORKERS
from service.usage import Batch, Dimension, Key, Period, Question, Total
from tests.contracts.sql_ground import DAY, NOW

pytestmark = pytest.mark.anyio
HOURS = ("2026-10-31T23", "2026-11-01T00", "2026-11-01T09", "2026-11-02T00")
EVERYTHING = frozenset(Dimension)
HOUR = timedelta(hours=1)


def a_key(**changed: str) -> Key:
    whole = Key(HOURS[1], "user", "ann", "gatepost", "", "/users/me", "ok")
    return whole._replace(**changed)


async def added(database: Database, batch: Batch, *, now: datetime = NOW) -> bool:
    async with database.begin() as tx:
        return await SqlUsage(database).add(tx, batch, now=now)


async def asked(database: Database, **question: Any) -> dict[str, int]:
    found = await SqlUsage(database).totals(Question(**question), after="", limit=1_000)
    assert [total.id for total in found] == sorted(total.id for total in found)
    return {said(total): total.requests for total in found}


def said(total: Total) -> str:
    """What a total says, out of its id."""
    return total.id[2:]


async def test_a_batch_counts_once_however_often_it_comes(database: Database, other_database: Database) -> None:
    first = Batch("w", 1, [(a_key(), 3), (a_key(outcome="refused"), 1)])
    assert await added(database, first)
    assert not await added(database, first)
    assert not await added(other_database, first)
    assert await added(database, Batch("w", 2, [(a_key(), 4)]))
    assert not await added(database, first), "an older one neither"
    assert await added(database, Batch("v", 1, [(a_key(), 5)]), now=NOW + DAY)
    assert await asked(database, by={Dimension.OUTCOME}) == {"ok": 12, "refused": 1}


async def test_a_batch_that_is_undone_has_not_been_added(database: Database) -> None:
    batch = Batch("w", 1, [(a_key(), 3)])

    async def half_way() -> None:
        async with database.begin() as tx:
            assert await SqlUsage(database).add(tx, batch, now=NOW)
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        await half_way()
    assert await asked(database) == {}
    assert await added(database, batch)
    assert await asked(database) == {"": 3}


async def test_the_same_batch_from_two_connections_at_once_counts_once(
    database: Database, other_database: Database
) -> None:
    for number in range(1, 11):
        batch = Batch("w", number, [(a_key(subject=f"s{place}"), 1) for place in range(50)])
        outcomes = await asyncio.gather(added(database, batch), added(other_database, batch))
        assert sorted(outcomes) == [False, True]
    assert await asked(database) == {"": 500}


async def test_workers_that_add_to_the_same_rows_at_once_lose_nothing_and_never_block_each_other(
    database: Database, other_database: Database
) -> None:
    rows = sorted((a_key(subject=f"s{place:03}", route=route), 1) for place in range(60) for route in ("/a", "/b"))

    async def write(worker: int) -> None:
        for number in range(1, 6):
            of = database if worker % 2 else other_database
            assert await added(of, Batch(f"w{worker}", number, rows[worker:]))

    await asyncio.gather(*(write(worker) for worker in range(8)))
    found = await asked(database, by={Dimension.PRINCIPAL, Dimension.ROUTE})
    assert sum(found.values()) == sum(5 * (len(rows) - worker) for worker in range(8))
    assert set(found.values()) == {5 * count for count in range(1, 9)}


@pytest.fixture
async def filled(database: Database) -> Counter[Key]:
    """Many different rows with a number of its own each."""
    who = [("user", "ann"), ("user", "bob"), ("client", "gp_client_1"), ("nobody", "")]
    keys = [
        Key(hour, kind, subject, "gp_client_1" if kind == "client" else "", key, route, outcome)
        for hour, (kind, subject), key, route, outcome in product(
            HOURS, who, ("", "key-1"), ("/users/me", "unmatched"), ("ok", "refused")
        )
    ]
    counts = Counter({key: 1 + 7 * number for number, key in enumerate(keys)})
    assert await added(database, Batch("w", 1, sorted(counts.items())))
    return counts


async def pages(database: Database, question: Question) -> dict[str, int]:
    """All totals, three at a time."""
    found: dict[str, int] = {}
    after = ""
    while page := await SqlUsage(database).totals(question, after=after, limit=3):
        assert len(page) <= 3
        told = {said(total): total.requests for total in page}
        assert not told.keys() & found.keys(), "a page that was seen came again"
        found |= told
        after = page[-1].id
    return found


async def test_totals_are_sums_by_what_is_asked_for_page_by_page(database: Database, filled: Counter[Key]) -> None:
    pair = {Dimension.API_KEY, Dimension.OUTCOME}
    some = [*({dimension} for dimension in Dimension), pair, set[Dimension](), set(Dimension)]
    for by, per in product(map(frozenset, some), (None, *Period)):
        question = Question(by=by, per=per)
        length = {None: 0, Period.HOUR: 13, Period.DAY: 10, Period.MONTH: 7}[per]
        expected: Counter[str] = Counter()
        for key, requests in filled.items():
            said = [key.hour[:length]] if per else []
            expected[" ".join([*said, *(getattr(key, column) for column in question.columns)])] += requests
        found = await pages(database, question)
        assert found == expected, question
        assert list(found) == sorted(found, key=lambda place: place.split(" "))


async def test_pages_end_where_every_total_is_of_what_has_none(database: Database) -> None:
    assert await added(database, Batch("w", 1, [(a_key(client_id="", api_key_id=""), 3)]))
    for by in ({Dimension.API_KEY}, {Dimension.CLIENT}, {Dimension.CLIENT, Dimension.API_KEY}, set[Dimension]()):
        [(told, requests)] = (await pages(database, Question(by=frozenset(by)))).items()
        assert (told.strip(), requests) == ("", 3), by


_FILTERS: tuple[tuple[dict[str, Any], Callable[[Key], bool]], ...] = (
    ({"kind": "client"}, lambda key: key.kind == "client"),
    ({"kind": "user", "subject": "ann"}, lambda key: key.subject == "ann"),
    ({"subject": "ANN"}, lambda key: False),
    ({"client_id": "gp_client_1", "outcome": "ok"}, lambda key: key.client_id != "" and key.outcome == "ok"),
    ({"api_key_id": "key-1", "route": "unmatched"}, lambda key: key.api_key_id != "" and key.route == "unmatched"),
    ({"subject": "a\0b"}, lambda key: False),
    ({"since": datetime(2026, 11, 1, tzinfo=UTC)}, lambda key: key.hour >= HOURS[1]),
    ({"since": datetime(2026, 11, 1, 0, 0, 1, tzinfo=UTC)}, lambda key: key.hour >= HOURS[2]),
    ({"until": datetime(2026, 11, 2, tzinfo=UTC)}, lambda key: key.hour < HOURS[3]),
    ({"until": datetime(2026, 11, 2, 0, 0, 1, tzinfo=UTC)}, lambda key: True),
    ({"since": datetime(2026, 11, 1, 5, tzinfo=timezone(3 * HOUR))}, lambda key: key.hour >= HOURS[2]),
)


async def test_filters_let_through_what_is_equal_and_hours_that_begin_within(
    database: Database, filled: Counter[Key]
) -> None:
    for question, passes in _FILTERS:
        expected = sum(requests for key, requests in filled.items() if passes(key))
        assert sum((await asked(database, by=EVERYTHING, **question)).values()) == expected, question
        assert (await asked(database, **question)) == ({"": expected} if expected else {})


async def test_a_place_of_another_question_is_refused(database: Database) -> None:
    by_route = Question(by=frozenset({Dimension.ROUTE}))
    others = ((Question(by=EVERYTHING), "= ann"), (Question(), "= a b"), (Question(per=Period.DAY), "= a b"))
    for question, after in (*others, (by_route, "="), (by_route, "a b")):
        with pytest.raises(Invalid):
            await SqlUsage(database).totals(question, after=after, limit=9)
    behind = await SqlUsage(database).totals(by_route, after="= x\0", limit=9)
    assert behind == ()


async def test_what_is_past_its_time_is_dropped_hour_by_hour(database: Database, filled: Counter[Key]) -> None:
    usage = SqlUsage(database)

    async def pruned(before: str) -> int:
        async with database.begin() as tx:
            return await usage.prune(tx, before=before)

    an_hour = len(filled) // len(HOURS)
    assert await pruned(HOURS[0]) == 0
    assert [await pruned(HOURS[2]) for _ in range(3)] == [an_hour, an_hour, 0]
    assert {hour[:13] for hour in await asked(database, per=Period.HOUR)} == set(HOURS[2:])
    assert [await pruned("2030") for _ in range(3)] == [an_hour, an_hour, 0]


async def test_workers_that_have_gone_long_ago_are_forgotten(database: Database) -> None:
    for worker, at in (("old", NOW - DAY), ("new", NOW)):
        await added(database, Batch(worker, 1, [(a_key(), 1)]), now=at)
    async with database.begin() as tx:
        await SqlUsage(database).forget_workers(tx, before=NOW)
    assert [row[0] for row in await database.fetch_all(select(USAGE_WORKERS.c.id))] == ["new"]


async def test_a_full_batch_is_written_in_good_time(database: Database) -> None:
    rows = sorted((a_key(subject=f"s{place}"), 1) for place in range(500))
    assert await added(database, Batch("w", 1, rows))
    assert await added(database, Batch("w", 2, rows))
    row = await database.fetch_one(select(func.count(), func.sum(USAGE.c.requests)))
    assert row is not None
    assert tuple(map(int, row)) == (500, 1_000)


async def test_nothing_of_a_person_is_in_a_row_but_an_id_that_may_lead_nowhere(database: Database) -> None:
    assert not list(USAGE.foreign_keys)
    assert await added(database, Batch("w", 1, [(a_key(subject="erased"), 1)]))
    assert await asked(database, subject="erased", by={Dimension.PRINCIPAL}) == {"user erased": 1}
    assert set(USAGE.c.keys()) == {*Key._fields, "requests"}
