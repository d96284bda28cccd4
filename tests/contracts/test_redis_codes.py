"""What an authorization code stands for, over one server and over a cluster: given to the first who comes, once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from service.codes.grant import AuthorizationGrant
from service.codes.text import Code
from service.storage.redis import RedisCodes
from tests.contracts.redis_ground import KEYS, linked, peek
from tests.contracts.test_redis_garbage import put_garbage

pytestmark = pytest.mark.anyio
LIFE, REMEMBERED = timedelta(seconds=60), timedelta(minutes=10)
SECOND = timedelta(seconds=1)


def make_grant(**changes: Any) -> AuthorizationGrant:
    """A grant with something in every part of it."""
    grant = AuthorizationGrant(
        user_id=str(uuid4()),
        session_id=str(uuid4()),
        client_id="gp_client_shop",
        redirect_uri="https://shop.example/back?x=1",
        code_challenge="c" * 43,
        scopes=frozenset({"openid", "orders:read"}),
        audience=("https://api.example/a", "https://api.example/b"),
        nonce='n"\n\u2028',
        auth_time=datetime(2026, 2, 28, 23, 59, 59, 999_999, UTC),
        amr=("pwd", "otp"),
        acr=None,
        parent_id=str(uuid4()),
        epoch=7,
        claims={"id_token": {"email": None, "acr": {"values": ["a"], "essential": True}}},
        user_agent="Browser/1",
        address="192.0.2.7",
        on_consent=True,
    )
    return replace(grant, **changes)


def code_of(grant: AuthorizationGrant) -> Code:
    return Code(grant.user_id, grant.session_id, "00112233aabbccdd")


def key_of(grant: AuthorizationGrant) -> str:
    code = code_of(grant)
    return KEYS.code(code.user_id, code.session_id, code.nonce)


@pytest.fixture
async def codes(redis_backend: str) -> AsyncIterator[RedisCodes]:
    async with linked(redis_backend) as link:
        yield RedisCodes(link)


async def take(codes: RedisCodes, grant: AuthorizationGrant) -> AuthorizationGrant | None:
    return await codes.take(code_of(grant), life=LIFE, remembered=REMEMBERED)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "redirect_uri": None,
            "nonce": None,
            "parent_id": None,
            "audience": (),
            "amr": (),
            "acr": "urn:x",
            "claims": {},
        },
        {"scopes": frozenset(f"scope:{n}" for n in range(128)), "user_agent": "é" * 256, "epoch": 2**53},
    ],
)
async def test_what_was_kept_comes_back_exactly_and_once(codes: RedisCodes, changes: dict[str, Any]) -> None:
    grant = make_grant(**changes)
    await codes.keep(code_of(grant), grant, life=LIFE)
    assert await take(codes, grant) == grant
    assert not await codes.is_replayed(code_of(grant))
    assert await take(codes, grant) is None
    assert await codes.is_replayed(code_of(grant))


@pytest.mark.spec("RACE-02")
async def test_of_many_racing_takings_one_gets_it_and_the_others_leave_their_mark(
    codes: RedisCodes, redis_backend: str
) -> None:
    async with linked(redis_backend) as link:
        stores = [codes, RedisCodes(link)]
        for _ in range(20):
            grant = make_grant()
            await codes.keep(code_of(grant), grant, life=LIFE)
            taken = await asyncio.gather(*(take(stores[number % 2], grant) for number in range(32)))
            assert sorted(one is not None for one in taken) == [False] * 31 + [True]
            assert await codes.is_replayed(code_of(grant))


@pytest.mark.parametrize(("age", "lives"), [(-SECOND, True), (timedelta(0), False), (SECOND, False)])
@pytest.mark.spec("CODE-07")
async def test_a_code_lives_a_minute(codes: RedisCodes, redis_backend: str, age: timedelta, lives: bool) -> None:
    grant = make_grant()
    await codes.keep(code_of(grant), grant, life=LIFE)
    with peek(redis_backend) as raw:
        raw.hincrby(key_of(grant), "t", -((LIFE + age) // timedelta(microseconds=1)))
    assert (await take(codes, grant) is not None) is lives


@pytest.mark.spec("CLK-02")
async def test_a_clock_that_was_set_back_gives_a_code_no_more_life(codes: RedisCodes, redis_backend: str) -> None:
    grant = make_grant()
    await codes.keep(code_of(grant), grant, life=LIFE)
    with peek(redis_backend) as raw:
        raw.hincrby(key_of(grant), "t", timedelta(minutes=10) // timedelta(microseconds=1))
    assert await take(codes, grant) is None


async def test_nothing_stays_longer_than_it_must(codes: RedisCodes, redis_backend: str) -> None:
    grant = make_grant()
    await codes.keep(code_of(grant), grant, life=LIFE)
    with peek(redis_backend) as raw:
        assert 59_000 < raw.pttl(key_of(grant)) <= 60_001
        await take(codes, grant)
        assert 599_000 < raw.pttl(key_of(grant)) <= 600_001
        assert raw.hgetall(key_of(grant)) == {b"x": b"1"}


@pytest.mark.spec("CODE-10")
async def test_a_code_that_was_lost_redeems_nothing_and_whoever_came_with_it_is_known(
    codes: RedisCodes, redis_backend: str
) -> None:
    grant = make_grant()
    await codes.keep(code_of(grant), grant, life=LIFE)
    with peek(redis_backend) as raw:
        raw.delete(key_of(grant))
    assert await take(codes, grant) is None
    assert await codes.is_replayed(code_of(grant))


async def test_a_mark_of_taking_that_was_lost_counts_as_a_replay(codes: RedisCodes, redis_backend: str) -> None:
    grant = make_grant()
    await codes.keep(code_of(grant), grant, life=LIFE)
    assert await take(codes, grant) == grant
    with peek(redis_backend) as raw:
        raw.delete(key_of(grant))
    assert await codes.is_replayed(code_of(grant))


@pytest.mark.spec("RED-08")
async def test_garbage_in_place_of_a_code_redeems_nothing(codes: RedisCodes, redis_backend: str) -> None:
    random = Random(7)
    grant = make_grant()
    with peek(redis_backend) as raw:
        for _ in range(300):
            put_garbage(raw, key_of(grant), random)
            assert await take(codes, grant) is None


async def test_the_grant_of_another_code_is_not_given_out(codes: RedisCodes, redis_backend: str) -> None:
    grant, other = make_grant(), make_grant()
    await codes.keep(code_of(grant), other, life=LIFE)
    assert await take(codes, grant) is None
