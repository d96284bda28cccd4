"""The chain: sealed behind the acts by one worker at a time; whatever is done to it afterwards is found and named."""

import asyncio
from datetime import timedelta

import pytest

from service.audit.event import Event, Kind
from service.audit.heads import Head, read_head
from service.audit.record import Record
from service.audit.search import Sought, erase_person
from service.audit.verification import Verification
from service.ledger import Transaction
from service.signed_text import MacKey
from tests.audit.ground import ISSUER, KEY, Chain
from tests.contracts.sql_ground import opened

pytestmark = pytest.mark.anyio


async def test_rows_are_sealed_in_their_order_without_gaps_and_the_whole_is_good(chain: Chain) -> None:
    rows = list(reversed(await chain.all()))
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
    assert rows[1].link == rows[1].linked_to(rows[0].link or b"", 2)
    assert len({rows[1].link, rows[1].linked_to(b"x" * 32, 2), rows[1].linked_to(rows[0].link or b"", 3)}) == 3
    found = await chain.judge()
    assert (found.rows, found.unsealed, found.heads, found.broken) == (5, 0, 1, None)
    await chain.note(2)
    found = await chain.judge()
    assert (found.rows, found.unsealed, found.broken) == (5, 2, None)
    assert await chain.sealer.seal_due() is False
    assert (await chain.judge()).rows == 7


EDITS = {
    "kind": "'sign_out'",
    "outcome": "'refused'",
    "actor": "'somebody'",
    "actor_kind": "'system'",
    "scheme": "'otp'",
    "credential": "''",
    "client_id": "'other'",
    "subject": "'somebody'",
    "target": "'session:1'",
    "request_id": "'r1'",
    "detail": "'{\"number\": 99}'",
    "personal": '\'{"address": "192.0.2.8"}\'',
    "salt": "NULL",
    "personal_digest": "mac",
    "mac": "personal_digest",
    "at": "'2020-01-01 00:00:00+00:00'",
}


@pytest.mark.spec("AUD-04")
async def test_an_edited_row_is_named_sealed_or_not_whatever_was_edited(chain: Chain) -> None:
    """From the last one backwards, so that each is the first that is broken."""
    await chain.note(2 * len(EDITS) - 5)
    rows = await chain.all()
    waiting, edited = rows[: len(EDITS)], rows[len(EDITS) :]
    for row, (column, value) in zip(waiting, EDITS.items(), strict=True):
        await chain.meddle(f"UPDATE audit SET {column} = {value} WHERE id = '{row.id}'")
        assert (await chain.judge()).broken == f"row {row.id}, which is not sealed yet, was edited", column
    await chain.seal()
    for row, (column, value) in zip(edited, EDITS.items(), strict=True):
        await chain.meddle(f"UPDATE audit SET {column} = {value} WHERE id = '{row.id}'")
        found = await chain.judge(with_heads=False)
        assert str(found.broken).endswith(f"({row.id}) was edited"), column


@pytest.mark.spec("AUD-04")
async def test_a_removed_row_is_named(chain: Chain) -> None:
    await chain.meddle("DELETE FROM audit WHERE seq = 3")
    assert (await chain.judge()).broken == "row 3 was removed: after 2 comes 4"
    await chain.meddle("DELETE FROM audit WHERE seq < 3")
    assert (await chain.judge()).broken == "row 1 was removed: after 0 comes 4"


@pytest.mark.spec("AUD-04")
async def test_rows_that_changed_places_are_named(chain: Chain) -> None:
    second = next(row for row in await chain.all() if row.seq == 2)
    third = next(row for row in await chain.all() if row.seq == 3)
    await chain.meddle(
        "UPDATE audit SET seq = 99 WHERE seq = 2",
        "UPDATE audit SET seq = 2 WHERE seq = 3",
        "UPDATE audit SET seq = 3 WHERE seq = 99",
    )
    assert f"row 2 ({third.id}) is not the one" in str((await chain.judge()).broken)
    await chain.meddle(
        f"DELETE FROM audit WHERE id = '{third.id}'", f"UPDATE audit SET seq = 2 WHERE id = '{second.id}'"
    )
    assert (await chain.judge()).broken == "row 3 was removed: after 2 comes 4"


@pytest.mark.spec("AUD-04")
async def test_a_cut_tail_is_seen_by_the_heads_also_when_the_chain_went_on_since(chain: Chain) -> None:
    await chain.meddle("DELETE FROM audit WHERE seq > 3")
    assert (await chain.judge(with_heads=False)).broken is None
    assert (await chain.judge()).broken == "the tail was cut: a head says that row 5 was there, the chain ends at 3"
    await chain.note(4)
    await chain.seal()
    assert (await chain.judge()).broken == "the chain was made anew: a head says otherwise about row 5"


@pytest.mark.spec("AUD-04")
async def test_a_chain_that_is_linked_anew_without_the_secret_is_seen(chain: Chain) -> None:
    """All links are right then, and no head is there; the rows themselves are not what the service wrote."""
    await chain.meddle(
        "UPDATE audit SET subject = 'somebody' WHERE seq = 1", "UPDATE audit SET seq = NULL, link = NULL"
    )
    await chain.seal()
    assert "(" in str((await chain.judge(with_heads=False)).broken)
    row = (await chain.all())[0]
    other = MacKey(KEY.id, b"x" * 32)
    assert row.is_authentic([KEY]) is True
    assert (row.is_authentic([other]), row.is_authentic([])) == (False, None)
    assert (await Verification(chain.rows, []).check()).unjudged == 5


async def test_two_sealers_never_give_one_place_twice(chain: Chain, sql_url: str) -> None:
    async with opened(sql_url) as database:
        other = Chain(database)

        async def seal_on(one: Chain) -> None:
            for _ in range(20):
                await one.sealer.seal_due()
                await asyncio.sleep(0)

        await asyncio.gather(chain.note(40), other.note(40), seal_on(chain), seal_on(other))
        await chain.seal()
    found = await chain.judge(with_heads=False)
    assert (found.rows, found.broken) == (85, None)


async def test_a_row_that_commits_late_is_sealed_behind_those_that_came_after_it(chain: Chain) -> None:
    if not chain.database.postgresql:
        return  # one writer at a time: nobody commits late
    async with chain.database.begin() as slow:
        await chain.journal.note(slow, Event(Kind.SIGN_IN, detail={"late": True}), now=chain.now)
        await chain.note(2)
        await chain.seal()
    await chain.seal()
    late = next(row for row in await chain.all() if row.detail.get("late"))
    assert late.seq == 8
    assert (await chain.judge()).broken is None


async def test_an_act_that_is_undone_leaves_no_row(chain: Chain) -> None:
    async def act() -> None:
        async with chain.database.begin() as tx:
            await chain.journal.note(tx, Event(Kind.SIGN_IN), now=chain.now)
            raise LookupError

    with pytest.raises(LookupError):
        await act()
    assert len(await chain.all()) == 5


async def test_a_head_is_written_now_and_then_and_again_when_it_could_not_be(chain: Chain) -> None:
    assert [head.seq for head in chain.heads()] == [5]
    await chain.note(1)
    await chain.seal()
    assert [head.seq for head in chain.heads()] == [5]
    chain.now += timedelta(minutes=1)
    chain.kept.broken = True
    await chain.seal()
    chain.kept.broken = False
    await chain.seal()
    assert [head.seq for head in chain.heads()] == [5, 6]
    assert (await chain.judge()).heads == 2
    for bad in ("", "x.y.z", chain.kept.heads[0] + "A"):
        with pytest.raises(ValueError, match="no head of ours"):
            read_head(bad, chain.signing.verifying, issuer=ISSUER)
    with pytest.raises(ValueError, match="somebody else"):
        read_head(chain.kept.heads[0], chain.signing.verifying, issuer="https://other.example")
    disagreeing = [*chain.heads(), Head(5, b"x" * 32)]
    assert "disagree" in str((await Verification(chain.rows, [KEY]).check(disagreeing)).broken)


async def test_what_is_old_is_dropped_and_the_rest_stays_provable(sql_url: str) -> None:
    async with opened(sql_url) as database:
        chain = Chain(database, keep=timedelta(days=30))
        await chain.note(4)
        await chain.seal()
        chain.now += timedelta(days=31)
        await chain.note(2)
        await chain.seal()
        await chain.seal()
        rows = await chain.all()
        assert [row.seq for row in rows] == [7, 6, 5]
        assert (rows[0].kind, rows[0].detail["up_to"]) == ("audit.dropped", 4)
        found = await chain.judge()
        assert (found.rows, found.broken) == (3, None)
        await chain.meddle("DELETE FROM audit WHERE seq = 5")
        assert (await chain.judge()).broken == "row 5 was removed: after 4 comes 6"
        await chain.meddle("UPDATE audit_start SET seq = 5")
        assert "not under our secret" in str((await chain.judge()).broken)
        await chain.meddle("DELETE FROM audit WHERE seq > 5", "DELETE FROM audit_start")
        assert (await chain.judge()).broken is not None


class Erasing:
    """An act in progress."""

    def __init__(self, chain: Chain, tx: Transaction) -> None:
        self.chain, self.tx = chain, tx

    async def note(self, event: Event) -> None:
        await self.chain.journal.note(self.tx, event, now=self.chain.now)


async def test_an_erased_person_leaves_nothing_personal_and_a_whole_chain(chain: Chain) -> None:
    await chain.note(1, subject="ada", personal={"email": "ada@example.org"})
    await chain.note(1, subject="ada", personal={"email": "ada@example.org"})
    await chain.seal()
    async with chain.database.begin() as tx:
        assert await erase_person(Erasing(chain, tx), chain.rows, "ada") == 2
    await chain.seal()
    mine = await chain.rows.find(Sought(person="ada"), before="", limit=9)
    assert [row.kind for row in mine] == ["audit.erased", "sign_in", "sign_in"]
    assert [(row.personal, row.salt) for row in mine[1:]] == [(None, None)] * 2
    found = await chain.judge()
    assert (found.rows, found.erased, found.broken) == (8, 2, None)


async def test_rows_are_found_by_what_they_say_newest_first_page_by_page(chain: Chain) -> None:
    await chain.note(3, subject="ada", outcome="refused")
    await chain.note(1, subject="bob", target="session:7")
    rows: list[Record] = []
    before = ""
    while page := await chain.rows.find(Sought(subject="ada"), before=before, limit=2):
        rows += page
        before = page[-1].id
    assert [row.detail["number"] for row in rows] == [2, 1, 0]
    assert await chain.rows.count(Sought(outcome="refused")) == 3
    assert await chain.rows.count(Sought(target="session:7", kind="sign_in")) == 1
    assert await chain.rows.count(Sought(since=chain.now + timedelta(seconds=1))) == 0
    assert await chain.rows.count(Sought(until=chain.now)) == 0
    assert await chain.rows.count(Sought()) == 9
    assert await chain.rows.find(Sought(subject="a\0b"), before="", limit=9) == ()
