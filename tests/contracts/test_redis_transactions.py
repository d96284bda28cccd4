"""Sign-ins that are under way elsewhere, over one server and over a cluster: sealed, and given out once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from service import clock
from service.crypto.sealing import Sealer
from service.crypto.secret import RootSecret
from service.federation.transaction import Transaction, key_of
from service.protocol.errors import StoreUnavailable
from service.storage.redis import RedisTransactions
from tests.contracts.redis_ground import KEYS, linked, peek

pytestmark = pytest.mark.anyio
SEALER = Sealer([RootSecret(bytes(range(32)))])
LIFE = timedelta(minutes=10)
WHOLE = Transaction(
    provider="acme",
    redirect_uri="https://auth.example/callback",
    nonce="nonce-of-this",
    code_verifier="verifier-of-this",
    started_at=clock.now(),
    fresh=True,
    max_age=timedelta(seconds=300),
    carried="sealed…",
    links_to="a-person",
    asked_in="a-session",
)


@pytest.fixture
async def transactions(redis_backend: str) -> AsyncIterator[RedisTransactions]:
    async with linked(redis_backend) as link:
        yield RedisTransactions(link, SEALER)


async def test_the_first_of_many_who_come_takes_it_whole(transactions: RedisTransactions) -> None:
    bare = replace(WHOLE, fresh=False, max_age=None, carried="", links_to=None, asked_in=None)
    for number, transaction in enumerate((WHOLE, bare)):
        key = key_of(f"state-{number}", "holder")
        await transactions.keep(key, transaction, life=LIFE)
        taken = await asyncio.gather(*(transactions.take(key) for _ in range(12)))
        assert [one for one in taken if one is not None] == [transaction]


async def test_whoever_has_the_state_alone_finds_nothing_and_uses_nothing_up(transactions: RedisTransactions) -> None:
    await transactions.keep(key_of("state", "mine"), WHOLE, life=LIFE)
    for holder in ("", "theirs", "mine\n"):
        assert await transactions.take(key_of("state", holder)) is None
    assert await transactions.take(key_of("state", "mine")) == WHOLE


async def test_it_lies_sealed_and_no_longer_than_it_may_take(
    transactions: RedisTransactions, redis_backend: str
) -> None:
    key = key_of("state", "holder")
    await transactions.keep(key, WHOLE, life=LIFE)
    with peek(redis_backend) as store:
        place = KEYS.transaction(key)
        value = store.get(place)
        assert 0 < store.pttl(place) <= LIFE / timedelta(milliseconds=1)
        assert not any(part in value for part in (b"verifier", b"nonce", b"acme"))

        store.set(KEYS.transaction("elsewhere"), value)
        assert await transactions.take("elsewhere") is None
        for garbage in (b"", b"x" * 100, value[:-1]):
            store.set(place, garbage)
            assert await transactions.take(key) is None
        store.hset(place, "a", "b")
        with pytest.raises(StoreUnavailable):
            await transactions.take(key)
