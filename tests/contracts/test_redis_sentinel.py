"""A primary behind Sentinel is lost: its successor is found, and nothing that was revoked comes back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

import pytest

from service import clock
from service.app import House
from service.protocol.errors import InvalidGrant, InvalidToken, StoreUnavailable
from service.sessions.families import Rotated, Unsure
from service.sessions.pairs import TokenPair
from service.settings import load_settings
from service.storage.redis import RedisRefreshFamilies
from tests.contracts.redis_ground import Held, linked, peek
from tests.fair_clock import fair_clock
from tests.rooms import add_user, quiet_house, refresh, sign_in, whoami
from tests.servers.gatepost import settings_for
from tests.servers.valkey import ValkeyBehindSentinels

pytestmark = pytest.mark.anyio
R = TypeVar("R")
BACK_WITHIN = 5.0
AGREED_WITHIN = 60.0
"""How long the sentinels may take to agree; theirs, not ours."""


@pytest.fixture
async def houses(sqlite_url: str, own_sentinels: ValkeyBehindSentinels) -> AsyncIterator[tuple[House, House]]:
    """Two workers that ask Redis on every request."""
    settings = load_settings(settings_for(sqlite_url, own_sentinels.url, TOKENS__STRICT="true"))
    async with AsyncExitStack() as stack:
        yield (
            await stack.enter_async_context(quiet_house(settings)),
            await stack.enter_async_context(quiet_house(settings)),
        )


async def agreed(condition: Callable[[], bool]) -> None:
    """Wait for the sentinels."""
    async with asyncio.timeout(AGREED_WITHIN):
        while not condition():
            await asyncio.sleep(0.02)


async def lose_primary(servers: ValkeyBehindSentinels) -> None:
    """Kill it, and with it the sentinel that is asked first; wait until the others have promoted the replica."""
    servers.primary.kill()
    servers.sentinels[0].kill()
    await agreed(servers.is_promoted)


async def when_back(call: Callable[[], Awaitable[R]]) -> R:
    """Try again and again until Redis answers; it has five seconds."""
    async with asyncio.timeout(BACK_WITHIN):
        while True:
            try:
                return await call()
            except StoreUnavailable:
                await asyncio.sleep(0.02)


async def end(house: House, pair: TokenPair) -> None:
    await house.rooms.ending.end(pair.session_id, user_id=pair.user_id, why="signed out", now=clock.now())


async def test_a_family_is_rotated_by_the_successor_once_sql_has_been_asked(
    own_sentinels: ValkeyBehindSentinels,
) -> None:
    async with linked(own_sentinels.url) as link:
        raw = peek(own_sentinels.replica.url)
        held = await Held(RedisRefreshFamilies(link), raw).open()
        assert await held.present(0) == Rotated(held.family, 1)
        own_sentinels.catch_up()
        await lose_primary(own_sentinels)
        assert await when_back(lambda: held.present(1)) == Unsure("stale")
        await held.restore(1)
        assert await held.present(1) == Rotated(held.family, 2)
        assert raw.hget(held.key, "g") == b"2"
        raw.close()


async def test_a_primary_that_comes_back_and_is_made_a_replica_is_left(own_sentinels: ValkeyBehindSentinels) -> None:
    async with linked(own_sentinels.url) as link:
        held = await Held(RedisRefreshFamilies(link), None).open()
        own_sentinels.catch_up()
        own_sentinels.primary.freeze()
        await agreed(own_sentinels.is_settled)
        own_sentinels.primary.resume()  # it still takes itself for the primary, until it is told
        await agreed(lambda: own_sentinels.primary.role() == "slave")
        assert await when_back(lambda: held.present(0)) == Unsure("stale")
        await held.restore(0)
        raw = peek(own_sentinels.replica.url)
        assert await held.present(0) == Rotated(held.family, 1)
        assert raw.hget(held.key, "g") == b"1"
        raw.close()


async def test_nothing_that_was_revoked_comes_back(
    own_sentinels: ValkeyBehindSentinels, houses: tuple[House, House]
) -> None:
    one, other = houses
    user = await add_user(one, "ada")
    kept, copied, lost, meanwhile = [await sign_in(one, user) for _ in range(4)]
    await end(one, copied)
    own_sentinels.catch_up()
    own_sentinels.part()
    await end(one, lost)  # its family lives on in the replica
    await lose_primary(own_sentinels)
    began = fair_clock()
    await end(one, meanwhile)
    await when_back(other.link.ping)
    await when_back(one.link.ping)
    assert fair_clock() - began < BACK_WITHIN
    for house in (one, other):
        await house.feed.reconcile()  # what the loops do twice a second
        assert (await whoami(house, f"Bearer {kept.access.token}")).subject == user.id
        for pair in (copied, lost, meanwhile):
            with pytest.raises(InvalidToken):
                await whoami(house, f"Bearer {pair.access.token}")
            with pytest.raises(InvalidGrant):
                await refresh(house, pair.refresh_token)
    assert (await refresh(other, kept.refresh_token)).session_id == kept.session_id
