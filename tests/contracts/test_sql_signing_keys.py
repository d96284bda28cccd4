"""`SigningKeys`, kept by SQL."""

import asyncio
from dataclasses import replace

import pytest

from service.keys.signing_key import SigningKey
from service.protocol.errors import Conflict, NotFound
from service.storage.sql import Database, SqlSigningKeys
from tests.contracts.sql_ground import DAY, NOW, SECOND, a_signing_key

pytestmark = pytest.mark.anyio


async def _kept(database: Database, key: SigningKey) -> SigningKey:
    async with database.begin() as tx:
        await SqlSigningKeys(database).add(tx, key)
    return key


async def test_keys_come_back_as_they_were_kept_oldest_first(database: Database) -> None:
    young = await _kept(database, a_signing_key(created_at=NOW + SECOND))
    old = await _kept(
        database,
        a_signing_key(
            algorithm="HS256",
            public_jwk={},
            signs_until=NOW + DAY,
            verifies_until=NOW + 2 * DAY,
            compromised_at=NOW,
        ),
    )

    assert await SqlSigningKeys(database).all() == [old, young]


async def test_a_key_id_is_taken_once(database: Database) -> None:
    key = await _kept(database, a_signing_key())

    with pytest.raises(Conflict):
        await _kept(database, a_signing_key(kid=key.kid))

    assert await SqlSigningKeys(database).all() == [key]


async def test_of_racing_workers_each_sees_the_keys_that_the_ones_before_it_made(
    database: Database, other_database: Database
) -> None:
    async def make_if_none(ledger: Database) -> bool:
        keys = SqlSigningKeys(ledger)
        async with ledger.begin() as tx:
            is_first = not await keys.all_locked(tx)
            await asyncio.sleep(0.01)  # so that all are under way before the first commits
            if is_first:
                await keys.add(tx, a_signing_key())
            return is_first

    assert sum(await asyncio.gather(*(make_if_none(ledger) for ledger in (database, other_database) * 5))) == 1
    assert len(await SqlSigningKeys(database).all()) == 1


async def test_locked_keys_can_be_read_by_others(database: Database, other_database: Database) -> None:
    key = await _kept(database, a_signing_key())

    async with database.begin() as tx:
        assert await SqlSigningKeys(database).all_locked(tx) == [key]
        assert await SqlSigningKeys(other_database).all() == [key]


async def test_the_ends_of_a_key_are_written(database: Database) -> None:
    keys, key, other = SqlSigningKeys(database), await _kept(database, a_signing_key()), a_signing_key()
    await _kept(database, other)

    async with database.begin() as tx:
        await keys.set_ends(tx, key.kid, signs_until=NOW + DAY, verifies_until=NOW + 2 * DAY)

    assert await keys.all() == [replace(key, signs_until=NOW + DAY, verifies_until=NOW + 2 * DAY), other]


async def test_a_compromised_key_neither_signs_nor_verifies(database: Database) -> None:
    keys, key = SqlSigningKeys(database), await _kept(database, a_signing_key())

    async with database.begin() as tx:
        await keys.mark_compromised(tx, key.kid, now=NOW + SECOND)

    (kept,) = await keys.all()
    assert kept == replace(key, compromised_at=NOW + SECOND)
    assert not kept.signs(NOW + SECOND)
    assert not kept.verifies(NOW + SECOND)


async def test_an_unknown_key_is_not_found(database: Database) -> None:
    keys = SqlSigningKeys(database)

    with pytest.raises(NotFound):
        async with database.begin() as tx:
            await keys.set_ends(tx, "unknown", signs_until=NOW, verifies_until=NOW)
    with pytest.raises(NotFound):
        async with database.begin() as tx:
            await keys.mark_compromised(tx, "unknown", now=NOW)
