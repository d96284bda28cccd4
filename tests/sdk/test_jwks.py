"""The issuer's keys: fetched once, renewed in time, looked up again for an unknown `kid`, never dropped in a hurry."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from gatepost.jwks import JwksCache
from gatepost.refusals import KeysUnknown
from tests.sdk import forge
from tests.sdk.forge import NOW
from tests.sdk.scripted import URL, ScriptedIssuer

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)
FIRST = {"keys": [forge.public_jwk("es")]}
BOTH = {"keys": [forge.public_jwk("es"), forge.public_jwk("rs")]}


@asynccontextmanager
async def cache_of(issuer: ScriptedIssuer, **options: timedelta) -> AsyncIterator[JwksCache]:
    async with issuer.client() as client:
        cache = JwksCache(URL, client, **options)
        yield cache
        await cache.aclose()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_set_is_fetched_once_from_the_well_known_place() -> None:
    issuer = ScriptedIssuer(BOTH)
    async with cache_of(issuer) as cache:
        first = await cache.keys(NOW)
        assert [key.kid for key in first] == ["es", "rs"]
        assert await cache.keys(NOW + SECOND * 30) is first
        assert cache.current is first
    assert [str(request.url) for request in issuer.asked] == ["https://issuer.test/.well-known/jwks.json"]


async def test_a_trailing_slash_or_path_of_the_issuer_is_kept_right() -> None:
    issuer = ScriptedIssuer(BOTH)
    async with issuer.client() as client:
        await JwksCache("https://issuer.test/tenant/", client).keys(NOW)
    assert str(issuer.asked[0].url) == "https://issuer.test/tenant/.well-known/jwks.json"


async def test_many_first_callers_share_one_fetch() -> None:
    issuer = ScriptedIssuer(BOTH)
    issuer.gate.clear()
    async with cache_of(issuer) as cache:
        callers = [asyncio.create_task(cache.keys(NOW)) for _ in range(50)]
        await settle()
        issuer.gate.set()
        sets = await asyncio.gather(*callers)
    assert len({id(found) for found in sets}) == 1
    assert len(issuer.asked) == 1


async def test_a_caller_that_gives_up_does_not_take_the_others_fetch_along() -> None:
    issuer = ScriptedIssuer(BOTH)
    issuer.gate.clear()
    async with cache_of(issuer) as cache:
        hasty, patient = asyncio.create_task(cache.keys(NOW)), asyncio.create_task(cache.keys(NOW))
        await settle()
        hasty.cancel()
        await settle()
        issuer.gate.set()
        assert len(await patient) == 2
    assert hasty.cancelled()
    assert len(issuer.asked) == 1


@pytest.mark.spec("RFC 9111 §5.2.2.1")
@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("", 300),
        ("public, max-age=600", 600),
        ("MAX-AGE=600", 600),
        ('max-age="600"', 600),
        ("s-maxage=999, max-age=600", 600),
        ("max-age=0", 60),
        ("no-store", 300),
        ("max-age=999999999", 3600),
        ("max-age=-5", 300),
        ("x-max-age=600", 300),
    ],
)
async def test_the_life_of_a_set_follows_the_issuer_within_bounds(cache_control: str, seconds: int) -> None:
    issuer = ScriptedIssuer(FIRST, cache_control=cache_control)
    async with cache_of(issuer) as cache:
        await cache.keys(NOW)
        await cache.keys(NOW + SECOND * (seconds - 1))
        await settle()
        assert len(issuer.asked) == 1
        await cache.keys(NOW + SECOND * seconds)
        await settle()
        assert len(issuer.asked) == 2


async def test_a_set_that_is_due_is_used_while_it_is_renewed() -> None:
    issuer = ScriptedIssuer(FIRST)
    async with cache_of(issuer) as cache:
        old = await cache.keys(NOW)
        issuer.answer = BOTH
        issuer.gate.clear()
        assert await cache.keys(NOW + SECOND * 300) is old
        await settle()
        issuer.gate.set()
        await settle()
        assert [key.kid for key in await cache.keys(NOW + SECOND * 301)] == ["es", "rs"]


async def test_an_unchanged_document_stays_the_same_set() -> None:
    issuer = ScriptedIssuer(FIRST)
    async with cache_of(issuer) as cache:
        old = await cache.keys(NOW)
        assert await cache.newer(old, NOW + SECOND * 10) is old
    assert len(issuer.asked) == 2


@pytest.mark.parametrize(("seconds", "asked"), [(9, 1), (10, 2), (11, 2)])
async def test_an_unknown_kid_causes_one_look_in_ten_seconds(seconds: int, asked: int) -> None:
    issuer = ScriptedIssuer(FIRST)
    async with cache_of(issuer) as cache:
        old = await cache.keys(NOW)
        issuer.answer = BOTH
        for _ in range(5):
            newest = await cache.newer(old, NOW + SECOND * seconds)
        assert (newest is old) == (asked == 1)
    assert len(issuer.asked) == asked


async def test_a_newer_set_that_somebody_else_has_fetched_costs_nothing() -> None:
    issuer = ScriptedIssuer(FIRST)
    async with cache_of(issuer) as cache:
        old = await cache.keys(NOW)
        issuer.answer = BOTH
        newest = await cache.newer(old, NOW + SECOND * 10)
        assert await cache.newer(old, NOW + SECOND * 60) is newest
    assert len(issuer.asked) == 2


@pytest.mark.parametrize(
    ("answer", "status"),
    [(None, 200), (FIRST, 500), ({"keys": "none"}, 200), ([], 200), ({"keys": ["x" * 100_000]}, 200)],
)
async def test_without_a_good_set_everything_is_refused(answer: object, status: int) -> None:
    async with cache_of(ScriptedIssuer(answer, status=status)) as cache:
        with pytest.raises(KeysUnknown, match="never seen"):
            await cache.keys(NOW)
        assert cache.current is None


async def test_a_first_set_that_failed_is_asked_for_again_after_a_second() -> None:
    issuer = ScriptedIssuer(None)
    async with cache_of(issuer) as cache:
        for moment in (0, 0.5, 0.9):
            with pytest.raises(KeysUnknown):
                await cache.keys(NOW + SECOND * moment)
        assert len(issuer.asked) == 1
        issuer.answer = FIRST
        assert len(await cache.keys(NOW + SECOND)) == 1


@pytest.mark.parametrize(("seconds", "good"), [(-1, True), (0, True), (1, False)])
async def test_the_last_good_set_stays_good_until_it_is_too_old(seconds: int, good: bool) -> None:
    issuer = ScriptedIssuer(FIRST)
    async with cache_of(issuer, max_stale=timedelta(hours=2)) as cache:
        old = await cache.keys(NOW)
        issuer.answer = None
        later = NOW + timedelta(hours=2) + SECOND * seconds
        if good:
            assert await cache.keys(later) is old
        else:
            with pytest.raises(KeysUnknown, match="too old"):
                await cache.keys(later)
            issuer.answer = BOTH
            assert len(await cache.keys(later + SECOND * 10)) == 2


async def test_an_issuer_that_is_away_is_asked_once_in_ten_seconds() -> None:
    issuer = ScriptedIssuer(FIRST)
    async with cache_of(issuer) as cache:
        await cache.keys(NOW)
        issuer.answer = None
        for moment in range(300, 320):
            await cache.keys(NOW + SECOND * moment)
            await settle()
    assert len(issuer.asked) == 3


async def test_a_clock_that_was_set_back_does_not_stop_the_renewal() -> None:
    issuer = ScriptedIssuer(FIRST)
    async with cache_of(issuer) as cache:
        old = await cache.keys(NOW)
        issuer.answer = BOTH
        assert await cache.newer(old, NOW - timedelta(hours=1)) is not old


def test_keys_are_not_taken_over_plain_http() -> None:
    with pytest.raises(ValueError, match="https"):
        JwksCache("http://issuer.test", ScriptedIssuer().client())
