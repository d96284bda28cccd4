"""`Links` and `Letters`, kept by SQL."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from service.addresses import Letter, Link, Purpose
from service.addresses.letter import LetterKind
from service.storage.sql import Database, SqlLetters, SqlLinks, SqlUsers
from tests.contracts.sql_ground import DAY, NOW, SECOND, a_user

pytestmark = pytest.mark.anyio
LINK = Link(Purpose.INVITE, "Zoë@Example.org", NOW + DAY, about={"roles": ["clerk"]})
ONE, OTHER, THIRD = (bytes([number]) * 32 for number in (1, 2, 3))


def a_letter(**changed: object) -> Letter:
    letter = Letter.now(LetterKind.INVITE, "Zoë@Example.org", locale="ar", at=NOW, about={"roles": ["clerk"]})
    return replace(letter, **changed)  # type: ignore[arg-type]  # fields of a letter


async def keep(database: Database, digest: bytes, link: Link) -> None:
    async with database.begin() as tx:
        await SqlLinks(database).replace(tx, digest, link, now=NOW)


async def post(database: Database, letter: Letter) -> Letter:
    async with database.begin() as tx:
        await SqlLetters(database).post(tx, letter)
    return letter


async def test_a_link_comes_back_until_it_expires(database: Database) -> None:
    links = SqlLinks(database)
    await keep(database, ONE, LINK)
    assert await links.find(ONE, now=NOW + DAY - SECOND) == LINK
    assert await links.find(ONE, now=NOW + DAY) is None
    assert await links.find(OTHER, now=NOW) is None


async def test_a_link_of_an_account_knows_its_epoch(database: Database) -> None:
    user = a_user()
    async with database.begin() as tx:
        await SqlUsers(database).add(tx, user)
    link = replace(LINK, purpose=Purpose.RESET, user_id=user.id, epoch=7, about={})
    await keep(database, ONE, link)
    assert await SqlLinks(database).find(ONE, now=NOW) == link


async def test_a_new_link_replaces_those_of_its_purpose_and_address_however_spelled(database: Database) -> None:
    links = SqlLinks(database)
    await keep(database, ONE, LINK)
    await keep(database, OTHER, replace(LINK, purpose=Purpose.REGISTER))
    await keep(database, THIRD, replace(LINK, address="ZOË@example.ORG"))
    assert await links.find(ONE, now=NOW) is None
    assert await links.find(OTHER, now=NOW) is not None
    assert await links.find(THIRD, now=NOW) is not None
    assert await links.was_made_since(Purpose.INVITE, "zoë@example.org", NOW - SECOND)
    assert not await links.was_made_since(Purpose.INVITE, "zoë@example.org", NOW)
    assert not await links.was_made_since(Purpose.RESET, "zoë@example.org", NOW - SECOND)


async def test_of_racing_takers_one_gets_the_link(database: Database) -> None:
    await keep(database, ONE, LINK)

    async def take() -> bool:
        async with database.begin() as tx:
            return await SqlLinks(database).take(tx, ONE, now=NOW)

    assert sorted(await asyncio.gather(*(take() for _ in range(8)))) == [False] * 7 + [True]


async def test_an_undone_taking_leaves_the_link(database: Database) -> None:
    await keep(database, ONE, LINK)
    with suppress(RuntimeError):
        async with database.begin() as tx:
            assert await SqlLinks(database).take(tx, ONE, now=NOW)
            raise RuntimeError
    assert await SqlLinks(database).find(ONE, now=NOW) == LINK


async def test_letters_come_when_they_are_due_those_that_wait_longest_first(database: Database) -> None:
    letters = SqlLetters(database)
    later = await post(database, a_letter(address="b@example.org", next_try_at=NOW + SECOND))
    first = await post(database, a_letter())
    assert await letters.due(now=NOW - SECOND, limit=9) == []
    assert await letters.due(now=NOW, limit=9) == [first]
    assert await letters.due(now=NOW + SECOND, limit=9) == [first, later]
    assert await letters.due(now=NOW + SECOND, limit=1) == [first]
    await letters.put_off(first.id, until=NOW + DAY)
    await letters.done(later.id)
    assert await letters.due(now=NOW + timedelta(hours=1), limit=9) == []
    assert await letters.due(now=NOW + DAY, limit=9) == [replace(first, next_try_at=NOW + DAY)]


async def test_an_equal_wish_gives_way_unless_its_sending_has_begun(database: Database) -> None:
    letters = SqlLetters(database)
    await post(database, a_letter())
    second = await post(database, a_letter(address="zoë@EXAMPLE.org"))
    assert await letters.due(now=NOW, limit=9) == [second]
    assert await letters.claim(second, until=NOW + SECOND)
    third = await post(database, a_letter())
    begun = replace(second, tries=1, next_try_at=NOW + SECOND)
    assert await letters.due(now=NOW + SECOND, limit=9) == [third, begun]


async def test_of_racing_workers_one_claims_a_letter(database: Database) -> None:
    letter = await post(database, a_letter())
    letters = SqlLetters(database)
    claims = await asyncio.gather(*(letters.claim(letter, until=NOW + SECOND) for _ in range(8)))
    assert sorted(claims) == [False] * 7 + [True]
