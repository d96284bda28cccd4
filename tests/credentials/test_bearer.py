"""Access tokens as credentials: judged from memory, or with the engine's word in strict mode."""

import asyncio
import time
from datetime import timedelta

import pytest

from gatepost.revocation import Revocation, RevocationKind
from service import clock
from service.accounts.account import User
from service.app import House, build_house
from service.credentials.resolver import Presented
from service.protocol.errors import InvalidLogin, InvalidToken, StoreUnavailable
from service.revocation.entry import Entry, Recorded
from service.sessions.pairs import TokenPair
from service.settings import Settings
from service.storage.redis import RedisRevocationEngine
from tests.rooms import add_user, counted, sign_in, whoami
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
STRICT = pytest.mark.parametrize("more_settings", [{"TOKENS__STRICT": "true"}], ids=["strict"])


@pytest.fixture
async def alice(house: House) -> User:
    return await add_user(house, "alice")


@pytest.fixture
async def pair(house: House, alice: User) -> TokenPair:
    return await sign_in(house, alice)


def field(pair: TokenPair) -> str:
    return f"Bearer {pair.access.token}"


def recall(house: House, pair: TokenPair) -> bool:
    return house.resolver.recall(field(pair).encode(), now=clock.now()) is not None


async def push(house: House, kind: RevocationKind, subject: str, owner: str, epoch: int = 0) -> None:
    """Tell the engine alone."""
    revocation = Revocation(kind, subject, clock.now() + timedelta(hours=1), epoch)
    await RedisRevocationEngine(house.link).push([Recorded(1, Entry(revocation, owner, "test"))])


async def test_a_token_is_judged_without_any_store(house: House, pair: TokenPair, valkey_server: ValkeyServer) -> None:
    with counted(house, valkey_server) as asked:
        for _ in range(3):
            await whoami(house, field(pair))
    assert (asked.sql, asked.redis) == (0, 0)


async def test_a_session_that_ends_is_refused_by_this_worker_before_the_act_returns(
    house: House, other_house: House, pair: TokenPair
) -> None:
    for one in (house, other_house):
        await whoami(one, field(pair))
    await house.rooms.ending.end(pair.session_id, user_id=pair.user_id, why="logout", now=clock.now())
    with pytest.raises(InvalidToken):
        await whoami(house, field(pair))
    await other_house.feed.reconcile()
    with pytest.raises(InvalidToken):
        await whoami(other_house, field(pair))


async def test_what_is_recalled_is_what_was_judged_and_nothing_since(
    house: House, other_house: House, pair: TokenPair
) -> None:
    assert not recall(house, pair)
    judged = await whoami(house, field(pair))
    assert house.resolver.recall(field(pair).encode(), now=clock.now()) is judged
    for other in (
        b"bearer " + field(pair).encode()[7:],
        field(pair).encode() + b"=",
    ):
        assert house.resolver.recall(other, now=clock.now()) is None
    with pytest.raises(InvalidLogin):
        house.resolver.recall(b"Basic " + field(pair).encode()[7:], now=clock.now())
    assert house.resolver.recall(field(pair).encode(), now=clock.now() + timedelta(hours=1)) is None
    await house.rooms.keyring.rotate("ES256", now=clock.now())
    assert not recall(house, pair)
    await whoami(house, field(pair))
    assert recall(house, pair)
    house.feed._trusted_until = 0.0
    assert not recall(house, pair)
    await house.feed.reconcile()
    await other_house.rooms.ending.end(pair.session_id, user_id=pair.user_id, why="logout", now=clock.now())
    await house.feed.reconcile()
    assert not recall(house, pair)


@pytest.mark.parametrize("more_settings", [{"TOKENS__MAX_FEED_AGE": "2s"}])
@pytest.mark.spec("RED-01")
async def test_nobody_is_judged_by_a_memory_that_no_store_has_confirmed_for_too_long(
    house: House, settings: Settings, pair: TokenPair
) -> None:
    await whoami(house, field(pair))
    await house.feed.reconcile()
    confirmed = time.monotonic()
    await asyncio.sleep(1.7)
    await whoami(house, field(pair))
    await asyncio.sleep(2.05 - (time.monotonic() - confirmed))
    with pytest.raises(StoreUnavailable):
        await whoami(house, field(pair))
    assert not recall(house, pair)
    await house.feed.reconcile()
    await whoami(house, field(pair))
    never_filled = build_house(settings)
    await never_filled.rooms.keyring.make_missing()
    with pytest.raises(StoreUnavailable):
        await whoami(never_filled, field(pair))
    never_filled.passwords.close()
    await never_filled.database.close()


@STRICT
async def test_in_strict_mode_the_engine_is_asked_once_for_each_request(
    house: House, pair: TokenPair, valkey_server: ValkeyServer
) -> None:
    for _ in range(2):
        with counted(house, valkey_server) as asked:
            await whoami(house, field(pair))
        assert asked.sql == 0
        assert 1 <= asked.redis <= 3
        assert not recall(house, pair)


@STRICT
@pytest.mark.parametrize("what", ["token", "session", "user", "client"])
async def test_in_strict_mode_the_engines_word_is_enough(house: House, pair: TokenPair, what: str) -> None:
    await whoami(house, field(pair))
    match what:
        case "token":
            await push(house, RevocationKind.TOKEN, pair.access.jti, pair.user_id)
        case "session":
            await push(house, RevocationKind.SESSION, pair.session_id, pair.user_id)
        case "user":
            await push(house, RevocationKind.USER, pair.user_id, pair.user_id, epoch=2)
        case "client":
            await push(house, RevocationKind.CLIENT, "gatepost", "gatepost", epoch=1)
    with pytest.raises(InvalidToken):
        await whoami(house, field(pair))


@STRICT
@pytest.mark.spec("RED-04")
async def test_in_strict_mode_what_the_engine_forgot_is_still_revoked(
    house: House, pair: TokenPair, valkey_server: ValkeyServer
) -> None:
    await house.rooms.ending.end(pair.session_id, user_id=pair.user_id, why="logout", now=clock.now())
    valkey_server.flush()
    with pytest.raises(InvalidToken):
        await whoami(house, field(pair))


@STRICT
async def test_in_strict_mode_without_the_engine_nobody_can_say(house: House, pair: TokenPair) -> None:
    await house.link.close()
    with pytest.raises(StoreUnavailable):
        await house.resolver.resolve(Presented([field(pair).encode()]), address=lambda: "192.0.2.7", now=clock.now())
