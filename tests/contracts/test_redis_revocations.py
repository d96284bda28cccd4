"""Revocations in Redis: each kind takes effect, lives as long as it matters, may come twice and in any order."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from gatepost.revocation import Revocation, RevocationKind
from service.protocol.errors import StoreUnavailable
from service.revocation.entry import Entry, Recorded
from service.sessions.families import Closed, Rotated, Unsure
from service.storage.redis import RedisLink, RedisRefreshFamilies, RedisRevocationEngine
from service.storage.redis.keyspace import MARGIN, STREAM_LENGTH
from tests.contracts.redis_ground import KEYS, Held, linked, make_family, make_token, peek
from tests.settled import settled

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)
SOON = timedelta(seconds=1)
NAMED = (RevocationKind.TOKEN, RevocationKind.SESSION, RevocationKind.API_KEY, RevocationKind.SIGNING_KEY)
_numbers = count(1)


def make_entry(kind: RevocationKind, subject: str, owner: str, *, epoch: int = 0, life: timedelta = HOUR) -> Recorded:
    revocation = Revocation(kind, subject, datetime.now(UTC) + life, epoch)
    return Recorded(next(_numbers), Entry(revocation, owner, "because"))


class Ground:
    """An engine, the families beside it, and a plain client."""

    def __init__(self, link: RedisLink, raw: Any) -> None:
        self.engine = RedisRevocationEngine(link)
        self.families = RedisRefreshFamilies(link)
        self.raw = raw
        self.user = str(uuid4())

    async def is_revoked(self, **changes: Any) -> bool:
        """Both ways of asking say the same, where one server has all that is asked for."""
        token = make_token(**({"owner": self.user} | changes))
        is_revoked = await self.engine.is_revoked(token)
        begun = self.engine.begin(token)
        if begun is not None:
            await settled(begun)
            assert begun.at_once() is is_revoked
        return is_revoked

    def left(self, key: str) -> timedelta:
        return timedelta(milliseconds=self.raw.pttl(key))


@pytest.fixture
async def ground(redis_backend: str) -> AsyncIterator[Ground]:
    raw = peek(redis_backend)
    async with linked(redis_backend) as link:
        yield Ground(link, raw)
    raw.close()


async def test_nothing_is_revoked_of_which_redis_has_not_heard(ground: Ground) -> None:
    assert not await ground.is_revoked()
    assert not await ground.is_revoked(session_id=None, jti="none")


@pytest.mark.spec("RFC 7009 §2.1")
@pytest.mark.parametrize(("kind", "subject"), [(RevocationKind.TOKEN, "jti-1"), (RevocationKind.SESSION, "sid-1")])
async def test_a_revoked_token_or_session_is_told_and_no_other(
    ground: Ground, kind: RevocationKind, subject: str
) -> None:
    await ground.engine.push([make_entry(kind, subject, ground.user)])
    assert await ground.is_revoked()
    assert not await ground.is_revoked(session_id=None, jti="another")
    assert not await ground.is_revoked(session_id="another", jti="none")
    assert not await ground.is_revoked(owner=str(uuid4()))
    # A name of one kind is not a name of another.
    assert not await ground.is_revoked(session_id="jti-1", jti="sid-1")


@pytest.mark.parametrize("kind", NAMED)
async def test_a_blacklist_key_lives_until_its_moment_and_then_goes(ground: Ground, kind: RevocationKind) -> None:
    key = KEYS.blacklist(ground.user, kind, "it")
    await ground.engine.push([make_entry(kind, "it", ground.user)])
    assert abs(ground.left(key) - (HOUR + MARGIN)) < SOON
    await ground.engine.push([make_entry(kind, "going", ground.user, life=timedelta(milliseconds=300) - MARGIN)])
    going = KEYS.blacklist(ground.user, kind, "going")
    assert ground.raw.exists(going)
    await asyncio.sleep(0.35)
    assert not ground.raw.exists(going)


@pytest.mark.parametrize("kind", NAMED)
async def test_what_no_longer_matters_is_not_kept(ground: Ground, kind: RevocationKind) -> None:
    await ground.engine.push([make_entry(kind, "it", ground.user, life=-MARGIN - SOON)])
    assert not ground.raw.exists(KEYS.blacklist(ground.user, kind, "it"))
    past = Revocation(kind, "old", datetime(1969, 12, 31, tzinfo=UTC))
    await ground.engine.push([Recorded(1, Entry(past, ground.user, ""))])
    assert not await ground.is_revoked(jti="old", session_id="old")


@pytest.mark.parametrize("kind", NAMED)
async def test_an_entry_that_comes_late_shortens_nothing(ground: Ground, kind: RevocationKind) -> None:
    key = KEYS.blacklist(ground.user, kind, "it")
    for life in (HOUR, HOUR * 3, HOUR * 2):
        await ground.engine.push([make_entry(kind, "it", ground.user, life=life)])
    assert abs(ground.left(key) - (HOUR * 3 + MARGIN)) < SOON


async def test_ending_a_session_closes_its_family_also_when_it_is_absent(ground: Ground) -> None:
    held = await Held(ground.families, ground.raw, make_family(user_id=ground.user)).open()
    other = await Held(ground.families, ground.raw, make_family(user_id=ground.user)).open()
    absent = Held(ground.families, ground.raw, make_family(user_id=ground.user))
    entries = [make_entry(RevocationKind.SESSION, one.family.id, ground.user) for one in (held, absent)]
    await ground.engine.push(entries)
    assert await held.present(0) == Closed()
    await absent.restore(0)
    assert await absent.present(0) == Closed()
    assert held.goes_at() >= held.family.ends_at
    assert await other.present(0) == Rotated(other.family, 1)


async def test_a_raised_epoch_of_a_user_reaches_tokens_and_families(ground: Ground) -> None:
    held = await Held(ground.families, ground.raw, make_family(user_id=ground.user, epoch=3)).open()
    stranger = await Held(ground.families, ground.raw, make_family(epoch=3)).open()
    await ground.engine.push([make_entry(RevocationKind.USER, ground.user, ground.user, epoch=4)])
    assert await ground.is_revoked(epoch=3)
    assert not await ground.is_revoked(epoch=4)
    assert await held.present(0) == Unsure("stale")
    assert await stranger.present(0) == Rotated(stranger.family, 1)
    await held.restore(0, epoch=4)
    assert await held.present(0) == Rotated(replace(held.family, epoch=4), 1)


async def test_a_raised_epoch_of_a_client_reaches_its_tokens(ground: Ground) -> None:
    await ground.engine.push([make_entry(RevocationKind.CLIENT, "shop", "shop", epoch=6)])
    assert await ground.is_revoked(client_epoch=5)
    assert not await ground.is_revoked(client_epoch=6)
    assert not await ground.is_revoked(client_id="bank")


@pytest.mark.spec("RFC 9700 §4.15")
async def test_a_client_whose_id_is_a_users_id_is_not_that_user(ground: Ground) -> None:
    await ground.engine.push([make_entry(RevocationKind.CLIENT, ground.user, ground.user, epoch=6)])
    assert not await ground.is_revoked(epoch=5)
    await ground.engine.push([make_entry(RevocationKind.USER, "shop", "shop", epoch=6)])
    assert not await ground.is_revoked()


@pytest.mark.parametrize("kind", [RevocationKind.USER, RevocationKind.CLIENT])
async def test_an_epoch_is_never_lowered_nor_its_life_shortened(ground: Ground, kind: RevocationKind) -> None:
    key = (KEYS.user_epoch if kind is RevocationKind.USER else KEYS.client_epoch)(ground.user)
    for epoch, life in ((7, HOUR), (6, HOUR * 3), (5, -HOUR)):
        await ground.engine.push([make_entry(kind, ground.user, ground.user, epoch=epoch, life=life)])
    assert ground.raw.get(key) == b"7"
    assert abs(ground.left(key) - (HOUR * 3 + MARGIN)) < SOON


async def test_a_raise_does_not_shorten_the_epoch_key_that_outlives_the_families(ground: Ground) -> None:
    held = await Held(ground.families, ground.raw, make_family(user_id=ground.user)).open()
    await ground.engine.push([make_entry(RevocationKind.USER, ground.user, ground.user, epoch=4, life=-HOUR)])
    assert held.goes_at(held.epoch_key) > held.family.ends_at + MARGIN
    assert await held.present(0) == Unsure("stale")


async def test_pushing_again_and_in_any_order_changes_nothing(ground: Ground) -> None:
    held = await Held(ground.families, ground.raw, make_family(user_id=ground.user)).open()
    entries = [
        make_entry(RevocationKind.SESSION, held.family.id, ground.user),
        make_entry(RevocationKind.TOKEN, "jti-1", ground.user),
        make_entry(RevocationKind.USER, ground.user, ground.user, epoch=9),
        make_entry(RevocationKind.USER, ground.user, ground.user, epoch=8),
        make_entry(RevocationKind.CLIENT, "shop", "shop", epoch=9),
    ]
    keys = [held.key, held.epoch_key, KEYS.client_epoch("shop"), KEYS.blacklist(ground.user, NAMED[0], "jti-1")]
    await ground.engine.push(entries)
    before = [(ground.raw.type(key), ground.raw.pexpiretime(key)) for key in keys], ground.raw.get(held.epoch_key)
    assert b"none" not in [kind for kind, _ in before[0]]
    await ground.engine.push(entries[::-1] + entries)
    after = [(ground.raw.type(key), ground.raw.pexpiretime(key)) for key in keys], ground.raw.get(held.epoch_key)
    assert after[1] == before[1] == b"9"
    for (kind, goes), (kind_then, went) in zip(after[0], before[0], strict=True):
        assert kind == kind_then
        assert abs(goes - went) < 1_000


async def test_a_push_of_thousands_takes_effect_and_the_stream_stays_bounded(ground: Ground) -> None:
    users = [str(uuid4()) for _ in range(STREAM_LENGTH + 2_000)]
    await ground.engine.push([make_entry(RevocationKind.TOKEN, "jti-1", user) for user in users])
    for user in users[:: len(users) // 50]:
        assert await ground.is_revoked(owner=user)
    assert STREAM_LENGTH <= ground.raw.xlen(KEYS.stream) < STREAM_LENGTH + 200


async def test_pushing_nothing_asks_nothing(ground: Ground) -> None:
    await ground.engine.push([])
    assert not ground.raw.exists(KEYS.stream)


async def test_a_push_that_did_not_happen_in_part_is_refused(ground: Ground) -> None:
    """Something else lies where the family should be read from; all the rest is done."""
    ground.raw.set(KEYS.client_epoch("shop"), "x" * 20)
    with pytest.raises(StoreUnavailable):
        await ground.is_revoked()
    await ground.engine.push([make_entry(RevocationKind.CLIENT, "shop", "shop", epoch=6)])
    assert await ground.is_revoked()
