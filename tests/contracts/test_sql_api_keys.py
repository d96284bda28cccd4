"""`ApiKeys`, kept by SQL."""

import asyncio
from dataclasses import replace

import pytest

from service.api_keys.key import ApiKey
from service.limits import Rate
from service.limits.rate import UNLIMITED
from service.protocol.errors import Conflict, NotFound
from service.storage.sql import Database, SqlApiKeys, SqlUsers
from tests.contracts.sql_ground import DAY, NOW, SECOND, a_user, an_api_key

pytestmark = pytest.mark.anyio


async def _kept(database: Database, key: ApiKey, *, at_most: int = 100) -> ApiKey:
    async with database.begin() as tx:
        await SqlApiKeys(database).add(tx, key, at_most=at_most)
    return key


async def _now_kept(database: Database, key_id: str) -> ApiKey:
    found = await SqlApiKeys(database).find_with_owner(key_id)
    assert found is not None
    return found[0]


@pytest.fixture
async def other_owner_id(database: Database) -> str:
    person = a_user(disabled_at=NOW)
    async with database.begin() as tx:
        await SqlUsers(database).add(tx, person)
    return person.id


async def test_a_key_comes_back_with_its_owner_however_dead_either_is(database: Database, other_owner_id: str) -> None:
    keys, owner = SqlApiKeys(database), await SqlUsers(database).find(other_owner_id)
    plain = await _kept(database, an_api_key(other_owner_id))
    full = await _kept(
        database,
        an_api_key(
            other_owner_id,
            scopes=frozenset(),
            networks=(),
            expires_at=NOW - DAY,
            previous_digest=b"\0" * 32,
            previous_until=NOW,
            last_used_at=NOW,
            revoked_at=NOW,
            rate=Rate.parse("5000/d"),
        ),
    )

    assert await keys.find_with_owner(plain.id) == (plain, owner)
    assert await keys.find_with_owner(full.id) == (full, owner)
    for unknown in ("", "nobody", "a\0b", "\ud800"):
        assert await keys.find_with_owner(unknown) is None


async def test_a_page_has_one_persons_unrevoked_keys_in_order(
    database: Database, owner_id: str, other_owner_id: str
) -> None:
    keys = SqlApiKeys(database)
    first, second, third = [await _kept(database, an_api_key(owner_id)) for _ in range(3)]
    expired = await _kept(database, an_api_key(owner_id, expires_at=NOW - DAY))
    await _kept(database, an_api_key(owner_id, revoked_at=NOW))
    await _kept(database, an_api_key(other_owner_id))

    assert await keys.page(user_id=owner_id, after="", limit=9) == [first, second, third, expired]
    assert await keys.page(user_id=owner_id, after=first.id, limit=1) == [second]
    assert await keys.page(user_id="nobody", after="", limit=9) == []
    assert await keys.page(user_id=owner_id, after="\0", limit=9) == ()


async def test_unrevoked_keys_are_counted_and_revoked_ones_make_room(database: Database, owner_id: str) -> None:
    first = await _kept(database, an_api_key(owner_id), at_most=2)
    await _kept(database, an_api_key(owner_id, expires_at=NOW - DAY), at_most=2)

    with pytest.raises(Conflict):
        await _kept(database, an_api_key(owner_id), at_most=2)

    async with database.begin() as tx:
        assert await SqlApiKeys(database).revoke(tx, first.id, user_id=owner_id, now=NOW)
    await _kept(database, an_api_key(owner_id), at_most=2)


async def test_racing_calls_never_make_one_key_too_many(
    database: Database, other_database: Database, owner_id: str
) -> None:
    async def add(ledger: Database) -> bool:
        try:
            async with ledger.begin() as tx:
                await SqlApiKeys(ledger).add(tx, an_api_key(owner_id), at_most=5)
                await asyncio.sleep(0.01)  # so that all have counted before the first commits
        except Conflict:
            return False
        return True

    added = await asyncio.gather(*(add(ledger) for ledger in (database, other_database) * 10))

    assert sum(added) == 5
    assert len(await SqlApiKeys(database).page(user_id=owner_id, after="", limit=99)) == 5


async def test_a_key_of_nobody_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound):
        await _kept(database, an_api_key("nobody"))


async def test_a_living_key_gets_another_figure_and_the_old_one_is_told(database: Database, owner_id: str) -> None:
    keys, key = SqlApiKeys(database), await _kept(database, an_api_key(owner_id))
    dead = await _kept(database, an_api_key(owner_id, revoked_at=NOW))
    figures = (Rate.parse("5/s"), UNLIMITED, None)

    before: list[Rate | None] = []
    for figure in figures:
        async with database.begin() as tx:
            before.append(await keys.set_rate(tx, key.id, user_id=owner_id, rate=figure))
        assert await _now_kept(database, key.id) == replace(key, rate=figure)

    assert before == [None, *figures[:2]]
    for key_id, user_id in ((dead.id, owner_id), (key.id, "nobody"), ("nothing", owner_id), ("a\0b", owner_id)):
        with pytest.raises(NotFound):
            async with database.begin() as tx:
                await keys.set_rate(tx, key_id, user_id=user_id, rate=UNLIMITED)


async def test_a_living_key_is_renamed_and_its_secret_replaced_with_an_overlap(
    database: Database, owner_id: str
) -> None:
    keys, key = SqlApiKeys(database), await _kept(database, an_api_key(owner_id))

    async with database.begin() as tx:
        await keys.rename(tx, key.id, user_id=owner_id, name="desk")
        await keys.replace_secret(tx, key.id, user_id=owner_id, digest=b"\7" * 32, hint="new", old_until=NOW + DAY)

    assert await _now_kept(database, key.id) == replace(
        key, name="desk", digest=b"\7" * 32, hint="new", previous_digest=key.digest, previous_until=NOW + DAY
    )


async def test_without_an_overlap_the_old_secret_is_forgotten(database: Database, owner_id: str) -> None:
    keys = SqlApiKeys(database)
    key = await _kept(database, an_api_key(owner_id, previous_digest=b"older", previous_until=NOW + DAY))

    async with database.begin() as tx:
        await keys.replace_secret(tx, key.id, user_id=owner_id, digest=b"\7" * 32, hint="new", old_until=None)

    assert await _now_kept(database, key.id) == replace(
        key, digest=b"\7" * 32, hint="new", previous_digest=None, previous_until=None
    )


async def test_an_unknown_a_revoked_and_a_strangers_key_are_refused_alike(
    database: Database, owner_id: str, other_owner_id: str
) -> None:
    keys = SqlApiKeys(database)
    revoked = await _kept(database, an_api_key(owner_id, revoked_at=NOW))
    foreign = await _kept(database, an_api_key(other_owner_id))

    for key_id in (revoked.id, foreign.id, "unknown", "a\0b"):
        with pytest.raises(NotFound):
            async with database.begin() as tx:
                await keys.rename(tx, key_id, user_id=owner_id, name="mine")
        with pytest.raises(NotFound):
            async with database.begin() as tx:
                await keys.replace_secret(tx, key_id, user_id=owner_id, digest=b"d", hint="h", old_until=NOW)
        async with database.begin() as tx:
            assert not await keys.revoke(tx, key_id, user_id=owner_id, now=NOW + SECOND)

    assert await _now_kept(database, revoked.id) == revoked
    assert await _now_kept(database, foreign.id) == foreign


async def test_a_key_is_revoked_once(database: Database, other_database: Database, owner_id: str) -> None:
    key = await _kept(database, an_api_key(owner_id))

    async def revoke(ledger: Database) -> bool:
        async with ledger.begin() as tx:
            return await SqlApiKeys(ledger).revoke(tx, key.id, user_id=owner_id, now=NOW)

    assert sum(await asyncio.gather(*(revoke(ledger) for ledger in (database, other_database) * 5))) == 1
    assert await _now_kept(database, key.id) == replace(key, revoked_at=NOW)


async def test_last_uses_are_written_for_many_keys_and_never_moved_back(database: Database, owner_id: str) -> None:
    keys = SqlApiKeys(database)
    unused = await _kept(database, an_api_key(owner_id))
    older = await _kept(database, an_api_key(owner_id, last_used_at=NOW - SECOND))
    newer = await _kept(database, an_api_key(owner_id, last_used_at=NOW + SECOND))
    many = {f"unknown {number}": NOW for number in range(1_200)}

    await keys.touch({unused.id: NOW, older.id: NOW, newer.id: NOW, **many})

    for key, used in ((unused, NOW), (older, NOW), (newer, NOW + SECOND)):
        assert await _now_kept(database, key.id) == replace(key, last_used_at=used)
    await keys.touch({})


async def test_racing_last_uses_leave_the_latest(database: Database, other_database: Database, owner_id: str) -> None:
    kept = [await _kept(database, an_api_key(owner_id)) for _ in range(20)]

    await asyncio.gather(
        *(
            SqlApiKeys((database, other_database)[turn % 2]).touch({key.id: NOW + turn * SECOND for key in kept})
            for turn in (3, 8, 1, 9, 2, 7, 0, 5)
        )
    )

    assert {(await _now_kept(database, key.id)).last_used_at for key in kept} == {NOW + 9 * SECOND}
