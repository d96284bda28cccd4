"""What a row holds and on whose behalf it was written; how many refusals are written down."""

from dataclasses import replace
from datetime import timedelta

import pytest

from service.audit import Journal, Refusals, journal
from service.audit.event import SYSTEM, Actor, Event, Kind
from service.audit.occasion import Occasion, caller_is, occasion, present_occasion
from service.audit.record import Record
from service.audit.search import Sought
from service.protocol.errors import StoreUnavailable
from service.signed_text import MacKey
from service.storage.sql import SqlAudit
from tests.audit.ground import KEY, Chain

pytestmark = pytest.mark.anyio


async def noted(chain: Chain, event: Event) -> Record:
    """The row of one event."""
    async with chain.database.begin() as tx:
        await chain.journal.note(tx, event, now=chain.now)
    return (await chain.all())[0]


async def test_a_row_holds_what_both_databases_hold(chain: Chain) -> None:
    odd = "a\0b\ud800" + "x" * 600
    actor = Actor("user", odd, "pwd", odd, odd)
    row = await noted(chain, Event(Kind.SIGN_IN, odd, odd, by=actor, personal={"email": odd, "empty": ""}))
    held = "a\ufffdb?" + "x" * 508
    assert [row.subject, row.target, row.actor, row.credential, row.client_id] == [held] * 5
    assert row.personal == {"email": held}
    assert (await chain.judge()).broken is None


async def test_who_acts_is_who_the_room_says_else_who_calls_else_the_service(chain: Chain) -> None:
    caller, person = Actor("client", "shop", "client_secret"), Actor("user", "ada", "pwd")
    with occasion(Occasion("request-1", lambda: ("192.0.2.1", "Browser/1"))):
        nobody = await noted(chain, Event(Kind.SIGN_IN))
        caller_is(caller)
        called = await noted(chain, Event(Kind.SIGN_IN))
        said = await noted(chain, Event(Kind.SIGN_IN, by=person))
    caller_is(person)
    alone = await noted(chain, Event(Kind.SIGN_IN))
    assert [(row.actor_kind, row.actor, row.request_id) for row in (nobody, called, said, alone)] == [
        ("nobody", "", "request-1"),
        ("client", "shop", "request-1"),
        ("user", "ada", "request-1"),
        ("system", "", ""),
    ]
    assert (said.personal, alone.personal) == ({"address": "192.0.2.1", "user_agent": "Browser/1"}, {})
    assert present_occasion().actor == SYSTEM, "whoever calls outside a request is nobody's caller"


async def test_what_is_personal_goes_with_its_salt_or_not_at_all(chain: Chain) -> None:
    row = (await chain.all())[0]
    for half in ({"personal": None}, {"salt": None}, {"personal": {}}, {"salt": b"x" * 16}):
        assert replace(row, **half).is_authentic([KEY]) is False  # type: ignore[arg-type]  # one field of several types
    assert replace(row, personal=None, salt=None).is_authentic([KEY]) is True


def test_the_word_for_a_name_says_nothing_without_the_secret() -> None:
    journals = [Journal(None, [key]) for key in (KEY, MacKey(KEY.id, b"x" * 32))]  # type: ignore[arg-type]  # no row is written
    words = [journal.name_of("ada") for journal in journals]
    assert words[0] == journals[0].name_of("ada") != words[1]
    assert [len(word) for word in words] == [16, 16]


async def test_the_sealer_is_told_of_a_row_when_it_has_committed_and_not_before(chain: Chain) -> None:
    told: list[int] = []
    journal = Journal(SqlAudit(chain.database, posted=lambda: told.append(1)), [KEY])

    async def undone() -> None:
        async with chain.database.begin() as tx:
            await journal.note(tx, Event(Kind.SIGN_IN), now=chain.now)
            raise LookupError

    with pytest.raises(LookupError):
        await undone()
    async with chain.database.begin() as tx:
        await journal.note(tx, Event(Kind.SIGN_IN), now=chain.now)
        assert told == []
    assert told == [1]


async def test_refusals_are_written_fifty_a_second_and_a_thousand_at_once(chain: Chain) -> None:
    now = chain.now
    refusals = Refusals(chain.database, chain.journal, now=lambda: now)

    async def written(tries: int) -> int:
        before = await chain.rows.count(Sought(outcome="refused"))
        for _ in range(tries):
            await refusals.sign_in("flooded", login="x", why="wrong password")
        return await chain.rows.count(Sought(outcome="refused")) - before

    assert await written(1) == 1
    assert refusals._room == 999
    refusals._room = 0.0
    assert await written(2) == 0
    now += timedelta(milliseconds=100)
    assert await written(8) == 5
    now -= timedelta(hours=1)
    assert (await written(1), refusals._room) == (0, 0), "a clock that is set back costs nothing"
    now += timedelta(days=400)
    assert (await written(1), refusals._room) == (1, 999)
    rows = await chain.rows.find(Sought(subject="flooded"), before="", limit=9)
    assert [row.detail.get("unwritten_before") for row in rows] == [3 + 1, None, None, None, None, 2, None]


async def test_refusals_that_were_counted_are_told_by_the_next_row_that_could_be_written(chain: Chain) -> None:
    refusals = Refusals(chain.database, chain.journal, now=lambda: chain.now)
    refusals.unwritten = 7
    journal._events.take()
    await chain.meddle("ALTER TABLE audit RENAME TO lost")
    with pytest.raises(StoreUnavailable):
        await refusals.sign_in("ada", login="ada", why="wrong password")
    assert journal._events.take() == {}, "it is in no row, and in no metric"
    await chain.meddle("ALTER TABLE lost RENAME TO audit")
    for _ in range(2):
        await refusals.sign_in("ada", login="ada", why="wrong password")
    assert journal._events.take() == {(Kind.SIGN_IN, "refused"): 2}
    rows = await chain.rows.find(Sought(subject="ada"), before="", limit=9)
    assert [row.detail.get("unwritten_before") for row in rows] == [None, 7]
