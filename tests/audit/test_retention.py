"""What is dropped and what never is; places that are given once; heads while the chain goes on."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from service import clock
from service.audit import Kind, journal
from service.audit.heads import TYPE, Head, HeadBook, read_head
from service.audit.sealer import Tip
from service.audit.verification import Verification
from service.signed_text import MacKey
from service.storage.sql.tables import AUDIT_START
from tests.audit.ground import ISSUER, KEY, Chain, Kept, OneKey
from tests.contracts.sql_ground import opened

pytestmark = pytest.mark.anyio
MONTH = timedelta(days=30)


async def test_nothing_is_dropped_that_is_not_older_or_not_sealed_or_when_all_is_kept(chain: Chain) -> None:
    assert await chain.sealer.drop(before=chain.now) == 0, "what is as old as that is not older"
    chain.now += timedelta(days=4_000)
    await chain.seal()
    assert len(await chain.all()) == 5, "without a bound all is kept"
    await chain.note(1)
    journal._events.take()
    assert await chain.sealer.drop(before=chain.now + MONTH) == 5
    assert journal._events.take() == {(Kind.AUDIT_DROPPED, "ok"): 1}
    assert [row.kind for row in await chain.all()] == ["audit.dropped", "sign_in"], "the last one was not sealed"


async def test_a_chain_of_which_all_was_dropped_goes_on_where_it_ended(chain: Chain) -> None:
    chain.now += MONTH
    assert await chain.sealer.drop(before=chain.now) == 5
    await chain.seal()
    assert [row.seq for row in await chain.all()] == [6]
    assert (await chain.judge()).broken is None
    chain.now += MONTH
    assert await chain.sealer.drop(before=chain.now) == 1
    await chain.seal()
    found = await chain.judge()
    assert (found.rows, found.broken) == (1, None)
    [kept] = await chain.database.fetch_all(select(AUDIT_START.c.seq))
    assert kept[0] == 6, "one beginning stays, the latest"


@pytest.mark.parametrize(
    "forged",
    ["seq = seq - 1", "link = mac", "mac = link", "secret_id = mac"],
)
@pytest.mark.spec("AUD-04")
async def test_a_beginning_that_was_forged_is_named(chain: Chain, forged: str) -> None:
    await chain.note(3)
    chain.now += MONTH
    await chain.note(2)
    await chain.seal()
    await chain.sealer.drop(before=chain.now)
    assert (await chain.judge()).broken is None
    await chain.meddle(f"UPDATE audit_start SET {forged}")
    assert "where the chain begins" in str((await chain.judge()).broken)


@pytest.mark.spec("AUD-04")
async def test_a_row_that_waits_under_a_secret_that_nobody_knows_is_named(chain: Chain) -> None:
    await chain.note(1)
    row = (await chain.all())[0]
    await chain.meddle(f"UPDATE audit SET subject = 'eve', secret_id = mac WHERE id = '{row.id}'")
    assert (await chain.judge()).broken == f"row {row.id}, which is not sealed yet, was edited"
    assert "not sealed" in str((await Verification(chain.rows, [MacKey(b"other", KEY.secret)]).check()).broken)


async def test_while_another_worker_has_the_chain_nobody_waits_for_it(chain: Chain, sql_url: str) -> None:
    if not chain.database.postgresql:
        return  # one writer at a time
    await chain.note(1)
    chain.now += MONTH
    async with opened(sql_url) as database, database.begin() as elsewhere:
        assert await chain.rows.lock_chain(elsewhere)
        assert await chain.sealer.drop(before=chain.now) == 0
        assert await chain.sealer.seal_due() is False
        assert (await chain.all())[0].seq is None
    await chain.seal()
    assert (await chain.all())[0].seq == 6


async def test_a_place_is_given_once(chain: Chain) -> None:
    row = (await chain.all())[0]
    async with chain.database.begin() as tx:
        await chain.rows.seal(tx, [(row.id, Tip(99, b"x" * 32))])
    assert (await chain.all())[0] == row


async def test_more_than_fits_into_one_round_is_sealed_and_dropped_in_several(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.audit.sealer._BATCH", 4)
    await chain.note(5)
    assert [await chain.sealer.seal_due() for _ in range(2)] == [True, False]
    assert (await chain.judge()).rows == 10
    chain.now += MONTH
    assert [await chain.sealer.drop(before=chain.now) for _ in range(4)] == [4, 4, 2, 0]


class KeptSlowly(Kept):
    """While a head is being kept, the chain goes on."""

    book: HeadBook

    async def keep(self, head: str) -> None:
        await super().keep(head)
        if len(self.heads) == 1:
            self.book.reached(Head(8, b"8" * 32))


async def test_a_chain_that_went_on_while_its_head_was_kept_has_another_to_keep(chain: Chain) -> None:
    signing, kept = OneKey(), KeptSlowly()
    kept.book = HeadBook(signing, [kept], issuer=ISSUER, algorithm="ES256", every=timedelta(0))
    await kept.book.write_due(now=chain.now)
    assert kept.heads == [], "nothing to say"
    kept.book.reached(Head(7, b"7" * 32))
    for _ in range(3):
        await kept.book.write_due(now=chain.now)
    assert [read_head(one, signing.verifying, issuer=ISSUER).seq for one in kept.heads] == [7, 8]


def test_what_the_same_key_signed_for_another_purpose_is_no_head() -> None:
    signing = OneKey()
    claims = {"iss": ISSUER, "seq": 1, "link": "00" * 32}
    assert read_head(signing.sign(claims, typ=TYPE, now=clock.now()), signing.verifying, issuer=ISSUER) == Head(
        1, bytes(32)
    )
    for wrong, typ in ((claims, "at+jwt"), (claims | {"seq": "1"}, TYPE), (claims | {"link": 7}, TYPE)):
        with pytest.raises(ValueError, match="head of"):
            read_head(signing.sign(wrong, typ=typ, now=clock.now()), signing.verifying, issuer=ISSUER)
