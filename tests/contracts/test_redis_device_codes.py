"""What a device is answered, over one server and over a cluster; and the counters of guessed codes."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from random import Random
from uuid import uuid4

import pytest

from service.codes.device import Answer, DeviceRequest, Taken
from service.codes.grant import AuthorizationGrant
from service.codes.text import DeviceCode
from service.protocol.errors import StoreUnavailable
from service.storage.redis import RedisDeviceRequests, RedisLink
from tests.contracts.redis_ground import KEYS, MICROSECOND, linked, peek
from tests.contracts.test_redis_codes import make_grant
from tests.contracts.test_redis_garbage import put_garbage

pytestmark = pytest.mark.anyio
LIFE, INTERVAL, REMEMBERED = timedelta(minutes=15), timedelta(seconds=5), timedelta(minutes=10)
CLIENT = "gp_client_tv"


def make_request() -> DeviceRequest:
    code = DeviceCode(str(uuid4()), uuid4().hex)
    return DeviceRequest(code, CLIENT, frozenset({"openid", "orders:read"}), ("https://api.example/a",))


def grant_for(request: DeviceRequest) -> AuthorizationGrant:
    return make_grant(session_id=request.code.session_id, client_id=CLIENT, redirect_uri=None, code_challenge="")


def key_of(request: DeviceRequest) -> str:
    return KEYS.device(request.code.session_id, request.code.nonce)


@pytest.fixture
def store(link: RedisLink) -> RedisDeviceRequests:
    return RedisDeviceRequests(link)


@pytest.fixture
async def request_(store: RedisDeviceRequests) -> DeviceRequest:
    """A request that waits for its person, under the user code BCDFGHJK."""
    request = make_request()
    assert await store.keep(request, "BCDFGHJK", life=LIFE, interval=INTERVAL)
    return request


async def poll(
    store: RedisDeviceRequests, request: DeviceRequest, client_id: str = CLIENT
) -> AuthorizationGrant | Taken | Answer:
    return await store.poll(request.code, client_id=client_id, life=LIFE, longer=INTERVAL, remembered=REMEMBERED)


async def test_a_user_code_leads_to_its_request_as_it_was_asked(
    store: RedisDeviceRequests, request_: DeviceRequest
) -> None:
    assert await store.find("BCDFGHJK", life=LIFE) == request_
    assert await store.find("BCDFGHJL", life=LIFE) is None


async def test_a_user_code_leads_to_one_request(store: RedisDeviceRequests, request_: DeviceRequest) -> None:
    assert not await store.keep(make_request(), "BCDFGHJK", life=LIFE, interval=INTERVAL)
    assert await store.find("BCDFGHJK", life=LIFE) == request_


@pytest.mark.spec("RFC 8628 §3.5")
async def test_who_asks_too_soon_waits_five_seconds_longer_each_time(
    store: RedisDeviceRequests, request_: DeviceRequest, redis_backend: str
) -> None:
    with peek(redis_backend) as raw:
        key = key_of(request_)

        def later(by: timedelta) -> None:
            raw.hincrby(key, "l", -(by // MICROSECOND))

        assert await poll(store, request_) is Answer.PENDING
        assert await poll(store, request_) is Answer.TOO_SOON
        later(INTERVAL)
        assert await poll(store, request_) is Answer.TOO_SOON  # it is ten by now
        later(timedelta(seconds=14))
        assert await poll(store, request_) is Answer.TOO_SOON
        later(timedelta(seconds=20))
        assert await poll(store, request_) is Answer.PENDING


@pytest.mark.spec("RFC 8628 §3.4")
async def test_the_grant_is_given_once_and_at_once(store: RedisDeviceRequests, request_: DeviceRequest) -> None:
    grant = grant_for(request_)
    assert await poll(store, request_) is Answer.PENDING
    assert await store.decide(request_, grant, life=LIFE)
    assert await poll(store, request_) == grant  # however soon
    assert not await store.is_replayed(request_.code)
    assert await poll(store, request_) == Taken(grant.user_id)
    assert await store.is_replayed(request_.code)
    assert await store.find("BCDFGHJK", life=LIFE) is None


@pytest.mark.spec("DEV-11")
async def test_of_many_racing_askings_one_gets_the_grant(store: RedisDeviceRequests, redis_backend: str) -> None:
    async with linked(redis_backend) as other:
        stores = [store, RedisDeviceRequests(other)]
        for number in range(20):
            request = make_request()
            assert await store.keep(request, f"BCDFGH{number:02}", life=LIFE, interval=INTERVAL)
            grant = grant_for(request)
            assert await store.decide(request, grant, life=LIFE)
            answers = await asyncio.gather(*(poll(stores[racer % 2], request) for racer in range(32)))
            assert answers.count(grant) == 1
            assert answers.count(Taken(grant.user_id)) == 31


async def test_of_many_racing_decisions_one_counts(store: RedisDeviceRequests, request_: DeviceRequest) -> None:
    grant = grant_for(request_)
    decisions = [grant if number % 2 else None for number in range(32)]
    counted = await asyncio.gather(*(store.decide(request_, decision, life=LIFE) for decision in decisions))
    assert counted.count(True) == 1
    said = await poll(store, request_)
    assert said == (grant if decisions[counted.index(True)] else Answer.DENIED)


@pytest.mark.spec("DEV-12")
async def test_a_no_is_told_and_stays(store: RedisDeviceRequests, request_: DeviceRequest) -> None:
    assert await store.decide(request_, None, life=LIFE)
    assert await poll(store, request_) is Answer.DENIED
    assert not await store.decide(request_, grant_for(request_), life=LIFE)
    assert await poll(store, request_) is Answer.DENIED


@pytest.mark.spec("DEV-04")
@pytest.mark.parametrize("is_granted", [False, True])
async def test_another_client_learns_and_changes_nothing(
    store: RedisDeviceRequests, request_: DeviceRequest, redis_backend: str, is_granted: bool
) -> None:
    grant = grant_for(request_)
    if is_granted:
        assert await store.decide(request_, grant, life=LIFE)
    with peek(redis_backend) as raw:
        before = raw.hgetall(key_of(request_))
        assert await poll(store, request_, client_id="gp_client_other") is Answer.FOREIGN
        assert raw.hgetall(key_of(request_)) == before


@pytest.mark.spec("DEV-12")
@pytest.mark.parametrize("is_granted", [False, True])
@pytest.mark.parametrize("away", [timedelta(0), timedelta(seconds=1), -3 * LIFE])
async def test_past_its_end_a_request_can_be_neither_decided_nor_redeemed(
    store: RedisDeviceRequests, request_: DeviceRequest, redis_backend: str, away: timedelta, is_granted: bool
) -> None:
    grant = grant_for(request_)
    if is_granted:
        assert await store.decide(request_, grant, life=LIFE)
    with peek(redis_backend) as raw:
        raw.hincrby(key_of(request_), "t", -((LIFE + away) // MICROSECOND))
    assert not await store.decide(request_, grant, life=LIFE)
    assert await poll(store, request_) is Answer.EXPIRED


async def test_a_request_that_was_lost_has_expired(
    store: RedisDeviceRequests, request_: DeviceRequest, redis_backend: str
) -> None:
    assert await store.decide(request_, grant_for(request_), life=LIFE)
    with peek(redis_backend) as raw:
        raw.delete(key_of(request_))
    assert await poll(store, request_) is Answer.EXPIRED
    assert await store.is_replayed(request_.code)
    assert not await store.decide(request_, grant_for(request_), life=LIFE)


@pytest.mark.spec("RED-08")
async def test_garbage_in_place_of_a_request_gives_no_grant(
    store: RedisDeviceRequests, request_: DeviceRequest, redis_backend: str
) -> None:
    random = Random(7)
    with peek(redis_backend) as raw:
        for _ in range(300):
            put_garbage(raw, key_of(request_), random)
            assert isinstance(await poll(store, request_), Answer)
            assert not await store.decide(request_, grant_for(request_), life=LIFE)
            with suppress(StoreUnavailable):  # a 503: nobody is led anywhere
                assert await store.find("BCDFGHJK", life=LIFE) is None
