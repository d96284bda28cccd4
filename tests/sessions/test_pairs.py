"""Opening a session: what is kept, what is given out, and what happens when a store is away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from service import clock
from service.accounts.account import User
from service.app import House, build_house
from service.protocol.errors import InvalidScope, NotFound, StoreUnavailable
from service.sessions.pairs import MAX_USER_AGENT, Device
from service.settings import Settings, load_settings
from tests.rooms import add_user, refresh, sign_in, whoami
from tests.servers.gatepost import settings_for
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
EVERYONE = {"account:read", "account:write"}


@pytest.fixture
async def alice(house: House) -> User:
    return await add_user(house, "alice")


async def test_a_session_is_kept_as_it_was_opened(house: House, alice: User) -> None:
    now = clock.now()
    device = Device("Browser/1 " + "x" * 500, "192.0.2.7")
    pair = await sign_in(house, alice, device=device, now=now, asked=["orders:read"], amr=("pwd", "otp"))
    [session] = await house.rooms.sessions.page(user_id=alice.id, after="", limit=9, now=now)
    assert (session.id, session.user_id, session.client_id) == (pair.session_id, alice.id, "gatepost")
    assert (session.scopes, session.amr, session.floor) == ({"orders:read"}, ("pwd", "otp"), 0)
    assert session.created_at == session.auth_time == session.last_used_at == now
    assert session.ends_at == now + timedelta(days=90)
    assert (len(session.user_agent), session.address) == (MAX_USER_AGENT, "192.0.2.7")
    assert pair.refresh_expires_in == timedelta(days=30)
    assert pair.refresh_token not in repr(pair)
    assert pair.access.token not in repr(pair)


@pytest.mark.spec("RFC 6749 §3.3")
async def test_a_sign_in_grants_what_is_asked_and_held_and_no_more(house: House, alice: User) -> None:
    everything = {"orders:read", "orders:write"} | EVERYONE
    assert (await sign_in(house, alice)).access.scopes == everything
    assert (await sign_in(house, alice, asked=["orders:read"])).access.scopes == {"orders:read"}
    assert (await sign_in(house, alice, asked=[])).access.scopes == frozenset()
    for asked in (["stock:read"], ["orders:read", "admin:users:read"], ["orders"], ["*"]):
        with pytest.raises(InvalidScope):
            await sign_in(house, alice, asked=asked)
    assert len(await house.rooms.sessions.page(user_id=alice.id, after="", limit=9, now=clock.now())) == 3


@pytest.mark.spec("REF-01")
async def test_a_refresh_keeps_when_and_how_the_person_signed_in(house: House, alice: User) -> None:
    signed_in = clock.now() - timedelta(minutes=5)
    pair = await sign_in(house, alice, now=signed_in, amr=("pwd",))
    renewed = await refresh(house, pair.refresh_token)
    caller = await whoami(house, f"Bearer {renewed.access.token}")
    assert (caller.subject, caller.session_id) == (alice.id, pair.session_id)
    assert caller.auth_time == signed_in.replace(microsecond=0)
    assert caller.claims["amr"] == ["pwd"]
    assert caller.claims["iat"] != int(signed_in.timestamp())


@pytest.mark.parametrize("more_settings", [{"TOKENS__SESSION_LIFE": "2h", "TOKENS__SESSION_IDLE": "90m"}])
async def test_nothing_outlives_the_session(house: House, alice: User) -> None:
    now = clock.now()
    pair = await sign_in(house, alice, now=now - timedelta(minutes=80))
    renewed = await refresh(house, pair.refresh_token, now=now)
    assert renewed.access.expires_in == 40 * 60
    assert renewed.refresh_expires_in == timedelta(minutes=40)


@asynccontextmanager
async def house_of(settings: Settings) -> AsyncIterator[House]:
    house = build_house(settings)
    await house.rooms.keyring.make_missing()
    yield house
    house.passwords.close()
    await house.link.close()
    await house.database.close()


@pytest.mark.spec("RED-01")
async def test_without_the_engine_nothing_is_opened(house: House, settings: Settings, alice: User) -> None:
    database_url = settings.database_url.get_secret_value()
    nowhere = settings_for(database_url, "redis://127.0.0.1:1/0")
    nowhere["GATEPOST_SECRET_KEY"] = settings.secret_key.get_secret_value()
    async with house_of(load_settings(nowhere)) as cut_off:
        with pytest.raises(StoreUnavailable):
            await sign_in(cut_off, alice)
    assert await house.rooms.sessions.page(user_id=alice.id, after="", limit=9, now=clock.now()) == []


@pytest.mark.spec("REF-27")
async def test_a_dump_of_both_stores_holds_no_token(
    house: House, settings: Settings, alice: User, valkey_server: ValkeyServer
) -> None:
    pair = await sign_in(house, alice)
    renewed = await refresh(house, pair.refresh_token)
    await house.reached.flush()
    async with house.database.begin() as tx:
        rows = (await tx._connection.exec_driver_sql("SELECT * FROM sessions")).all()
    with valkey_server.client() as client:
        kept = [client.hgetall(key) if client.type(key) == "hash" else key for key in client.scan_iter()]
    dump = f"{rows} {kept}"
    assert pair.session_id in dump
    for one in (pair, renewed):
        for token in (one.refresh_token, one.access.token, one.access.jti):
            assert token not in dump
            assert token[-40:] not in dump


async def test_a_session_is_ended_by_its_owner_once(house: House, alice: User) -> None:
    bob = await add_user(house, "bob")
    pair = await sign_in(house, alice)
    ending, now = house.rooms.ending, clock.now()
    with pytest.raises(NotFound):
        await ending.end(pair.session_id, user_id=bob.id, why="", now=now)
    assert not await ending.end_if_living(pair.session_id, user_id=bob.id, why="", now=now)
    assert len(house.feed.revoked) == 0
    assert await ending.end_if_living(pair.session_id, user_id=alice.id, why="logout", now=now)
    assert not await ending.end_if_living(pair.session_id, user_id=alice.id, why="logout", now=now)
    for text in ("", "\0", "\ud800", "x" * 5_000):
        with pytest.raises(NotFound):
            await ending.end(text, user_id=alice.id, why="", now=now)


@pytest.mark.spec("LOG-08")
async def test_all_sessions_but_one_are_ended(house: House, alice: User) -> None:
    bob = await add_user(house, "bob")
    pairs, foreign = [await sign_in(house, alice) for _ in range(4)], await sign_in(house, bob)
    kept = pairs.pop()
    now = clock.now()
    assert await house.rooms.ending.end_all(alice.id, why="x", now=now, but=kept.session_id) == 3
    assert await house.rooms.ending.end_all(alice.id, why="x", now=now, but=kept.session_id) == 0
    for pair in (kept, foreign):
        await refresh(house, pair.refresh_token)
    assert await house.rooms.ending.end_all(alice.id, why="x", now=now) == 1
    assert await house.rooms.sessions.page(user_id=alice.id, after="", limit=9, now=now) == []
    assert len(await house.rooms.sessions.page(user_id=bob.id, after="", limit=9, now=now)) == 1
