"""Twenty thousand values under our keys that we never wrote: unsure or unavailable, never an error, never believed."""

import asyncio
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from gatepost.revocation import RevocationKind
from service.protocol.errors import StoreUnavailable
from service.sessions.families import Closed, Foreign, Outcome, Repeated, Reused, Rotated, Unsure
from service.storage.redis import RedisLink, RedisRefreshFamilies, RedisRevocationEngine
from tests.contracts.redis_ground import KEYS, Held, make_family, make_token, peek

pytestmark = pytest.mark.anyio
ROUNDS = 14
AT_ONCE = 250
FIELDS = ("p", "c", "a", "d", "g", "t", "i", "s", "e", "k", "x")
NUMBERS = (
    b"-1", b"0", b"1.5", b"1e3", b"0x10", b"inf", b"nan", b" 7", b"9" * 16, b"9" * 17, b"9" * 400, b"4294967295",
    b"9007199254740991", b"9007199254740993", b"-0", b"", b"1\n", b"\xd9\xa3",
)  # fmt: skip
PACKED = (b"[]", b"null", b"{}", b"[1,2,3,4,5]", b'[1,2,["a"],[],null]', b"[" * 5_000, b"[1e999,1,[],[],null]", b'"')


@pytest.fixture
def random() -> Random:
    return Random(20_000)


def some_bytes(random: Random) -> bytes:
    kind = random.randrange(4)
    if kind == 0:
        return random.choice(NUMBERS)
    if kind == 1:
        return random.choice(PACKED)
    if kind == 2:
        return str(random.choice((1, -1)) * random.getrandbits(random.randrange(1, 80))).encode()
    return random.randbytes(random.randrange(40))


def put_garbage(raw: Any, key: str, random: Random) -> None:
    """Something of any type in place of what was there."""
    kind = random.choice(("string", "list", "set", "zset", "stream", "hash", "bits"))
    raw.delete(key)
    if kind == "string":
        raw.set(key, some_bytes(random))
    elif kind == "list":
        raw.rpush(key, some_bytes(random))
    elif kind == "set":
        raw.sadd(key, some_bytes(random))
    elif kind == "zset":
        raw.zadd(key, {some_bytes(random): random.random()})
    elif kind == "stream":
        raw.xadd(key, {some_bytes(random): some_bytes(random)})
    elif kind == "hash":
        raw.hset(
            key,
            mapping={random.choice((*FIELDS[:-1], "z")): some_bytes(random) for _ in range(random.randrange(1, 12))},
        )
    else:
        raw.setbit(key, random.randrange(999), 1)


async def attempt(held: Held, generation: int) -> Outcome | StoreUnavailable:
    try:
        return await held.present(generation)
    except StoreUnavailable as refusal:
        return refusal


async def test_garbage_in_place_of_a_family_is_unsure_and_is_written_over(
    redis_backend: str, link: RedisLink, random: Random
) -> None:
    raw = peek(redis_backend)
    for _ in range(ROUNDS):
        holders = [Held(RedisRefreshFamilies(link), raw, make_family()) for _ in range(AT_ONCE)]
        await asyncio.gather(*(held.open() for held in holders))
        pipe = raw.pipeline(transaction=False) if not redis_backend.startswith("redis+") else raw.pipeline()
        for held in holders:
            put_garbage(pipe, held.epoch_key if random.random() < 0.2 else held.key, random)
        pipe.execute()
        for outcome in await asyncio.gather(*(attempt(held, 0) for held in holders)):
            assert isinstance(outcome, Unsure | StoreUnavailable | Rotated)
            if isinstance(outcome, Rotated):  # the garbage was a low number in place of the epoch
                assert outcome.generation == 1
        await asyncio.gather(*(held.restore(1) for held in holders))
        for held, outcome in zip(holders, await asyncio.gather(*(attempt(held, 1) for held in holders)), strict=True):
            # A high number in place of the epoch stays: it may be a raise that SQL has told nobody of yet.
            assert outcome == Rotated(held.family, 2) or (
                outcome == Unsure("stale") and int(raw.get(held.epoch_key)) > 3
            )
    raw.close()


async def test_a_family_that_was_damaged_in_one_field_is_believed_in_nothing_that_matters(
    redis_backend: str, link: RedisLink, random: Random
) -> None:
    raw = peek(redis_backend)
    seen = set()
    for _ in range(ROUNDS):
        holders = [Held(RedisRefreshFamilies(link), raw, make_family()) for _ in range(AT_ONCE)]
        await asyncio.gather(*(held.open() for held in holders))
        pipe = raw.pipeline(transaction=False) if not redis_backend.startswith("redis+") else raw.pipeline()
        for held in holders:
            if random.random() < 0.2:
                pipe.hdel(held.key, random.choice(FIELDS[:-1]))
            else:
                pipe.hset(held.key, random.choice(FIELDS), some_bytes(random))
        pipe.execute()
        for held, outcome in zip(holders, await asyncio.gather(*(attempt(held, 1) for held in holders)), strict=True):
            seen.add(type(outcome))
            assert isinstance(outcome, Unsure | StoreUnavailable | Closed | Foreign | Reused | Rotated | Repeated)
            if isinstance(outcome, Rotated | Repeated):
                same = Rotated(held.family, 2).family
                assert (outcome.family.scopes, outcome.family.ends_at) == (same.scopes, same.ends_at)
        await asyncio.gather(*(held.store.close(held.family.user_id, held.family.id, until=NOW) for held in holders))
        outcomes = await asyncio.gather(*(attempt(held, 2**32 - 2) for held in holders))
        assert {type(outcome) for outcome in outcomes} <= {Closed, Foreign}
    assert {Unsure, Closed} <= seen
    raw.close()


NOW = datetime.now(UTC)


async def test_garbage_in_place_of_revocations_is_unavailable_or_revoked(
    redis_backend: str, link: RedisLink, random: Random
) -> None:
    raw = peek(redis_backend)
    engine = RedisRevocationEngine(link)
    seen = set()
    for _ in range(ROUNDS):
        users = [make_family().user_id for _ in range(AT_ONCE)]
        pipe = raw.pipeline(transaction=False) if not redis_backend.startswith("redis+") else raw.pipeline()
        for user in users:
            place = random.randrange(3)
            if place == 0:
                put_garbage(pipe, KEYS.user_epoch(user), random)
            elif place == 1:
                put_garbage(pipe, KEYS.client_epoch(user), random)
            else:
                put_garbage(pipe, KEYS.blacklist(user, RevocationKind.TOKEN, "jti"), random)
        pipe.execute()
        tokens = [make_token(user, jti="jti", client_id=user, client_epoch=3) for user in users]
        questions = [engine.is_revoked(token) for token in tokens]
        for user, answer in zip(users, await asyncio.gather(*questions, return_exceptions=True), strict=True):
            seen.add(type(answer))
            assert isinstance(answer, bool | StoreUnavailable)
            if answer is False:  # a low number, or nothing at all
                for key in (KEYS.user_epoch(user), KEYS.client_epoch(user)):
                    assert int(raw.get(key) or 0) <= 3
    assert seen == {bool, StoreUnavailable}
    raw.close()
