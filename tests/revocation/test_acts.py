"""Acts: what is revoked commits with what revokes it, and is shown to all before the act is over."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta

import pytest
from sqlalchemy import make_url

from gatepost.revocation import RevocationKind
from service import clock
from service.app import House, build_house
from service.protocol.errors import Conflict, StoreUnavailable
from service.revocation.entry import Recorded
from service.settings import LONGEST_ACCESS_LIFE, Settings, load_settings
from tests.rooms import add_user, quiet_house, sign_in
from tests.servers.gatepost import settings_for
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def without_engine(settings: Settings) -> AsyncIterator[House]:
    """A worker that cannot reach Redis."""
    house = build_house(settings)
    yield house
    house.passwords.close()
    await house.link.close()
    await house.database.close()


class Undone(Exception):
    """What stops an act half way."""


async def recorded(house: House) -> list[Recorded]:
    """Every revocation in the ledger."""
    return list(await house.rooms.revocations.after(0, limit=99))


def stream_length(valkey: ValkeyServer) -> int:
    with valkey.client() as client:
        return int(client.xlen("gp:revocations"))


async def test_an_act_is_in_the_ledger_the_memory_the_engine_and_the_stream_when_it_is_over(
    house: House, valkey_server: ValkeyServer
) -> None:
    now = clock.now()
    async with house.rooms.acts.begin(now) as act:
        await act.revoke_token("t1", owner="u1", expires_at=now + timedelta(minutes=5), why="test")
        await act.revoke_sessions(["s1"], user_id="u1", why="test")
        await act.revoke_api_key("k1", user_id="u1", why="test")
        await act.raise_user_epoch("u1", 3, why="test")
        await act.raise_client_epoch("c1", 4, why="test")
        await act.raise_secret_epoch("u1", 5, why="test")
        await act.revoke_signing_key("kid1", why="test")
        assert len(house.feed.revoked) == 0
        assert stream_length(valkey_server) == 0
    revoked, until = house.feed.revoked, now + LONGEST_ACCESS_LIFE + timedelta(minutes=1)
    for kind, subject in (
        (RevocationKind.TOKEN, "t1"),
        (RevocationKind.SESSION, "s1"),
        (RevocationKind.API_KEY, "k1"),
        (RevocationKind.SIGNING_KEY, "kid1"),
    ):
        assert revoked.has(kind, subject)
    assert (revoked.user_epoch("u1"), revoked.client_epoch("c1"), revoked.secret_epoch("u1")) == (3, 4, 5)
    kept = [item.entry for item in await recorded(house)]
    assert [entry.revocation.until for entry in kept] == [now + timedelta(minutes=5)] + [until] * 6
    assert {entry.owner for entry in kept} == {"u1", "c1", "kid1"}
    assert {entry.why for entry in kept} == {"test"}
    assert stream_length(valkey_server) == 7
    with valkey_server.client() as client:
        assert client.exists("gp:{u1}:x:jti:t1", "gp:{u1}:x:sid:s1", "gp:{u1}:f:s1") == 3
        assert (client.get("gp:{u1}:e"), client.get("gp:{c1}:c")) == ("3", "4")


@pytest.mark.parametrize("stops", [Undone(), Conflict(), asyncio.CancelledError()], ids=lambda one: type(one).__name__)
async def test_nothing_is_shown_of_an_act_that_was_undone(
    house: House, valkey_server: ValkeyServer, stops: BaseException
) -> None:
    async def begin_and_stop() -> None:
        async with house.rooms.acts.begin(clock.now()) as act:
            await act.revoke_sessions(["s1"], user_id="u1", why="test")
            raise stops

    with pytest.raises(type(stops)):
        await begin_and_stop()
    await house.feed.reconcile()
    assert (len(house.feed.revoked), await recorded(house), stream_length(valkey_server)) == (0, [], 0)


async def test_nothing_is_shown_of_an_act_that_could_not_commit(
    house: House, settings: Settings, valkey_server: ValkeyServer
) -> None:
    file = make_url(settings.database_url.get_secret_value()).database or ""
    with closing(sqlite3.connect(file, isolation_level=None)) as other_process:
        other_process.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            async with house.rooms.acts.begin(clock.now()) as act:
                await act.revoke_sessions(["s1"], user_id="u1", why="test")
        other_process.execute("ROLLBACK")
    await asyncio.sleep(0.3)  # the thread of the connection that was given up comes to its end
    assert (len(house.feed.revoked), await recorded(house), stream_length(valkey_server)) == (0, [], 0)


async def test_an_act_without_revocations_touches_no_engine(house: House, valkey_server: ValkeyServer) -> None:
    async with house.rooms.acts.begin(clock.now()):
        pass
    assert stream_length(valkey_server) == 0


@pytest.mark.spec("REV-02")
async def test_an_act_stands_without_the_engine_which_hears_of_it_before_it_is_used_again(
    house: House, settings: Settings, sqlite_url: str, valkey_server: ValkeyServer
) -> None:
    pair = await sign_in(house, await add_user(house, "alice"))
    cut_off = settings_for(sqlite_url, "redis://127.0.0.1:1/0")
    cut_off["GATEPOST_SECRET_KEY"] = settings.secret_key.get_secret_value()
    async with without_engine(load_settings(cut_off)) as alone:
        await alone.rooms.ending.end(pair.session_id, user_id=pair.user_id, why="logout", now=clock.now())
        assert alone.feed.revoked.has(RevocationKind.SESSION, pair.session_id)
        await alone.feed.reconcile()
    assert len(await house.rooms.revocations.unpushed(limit=9)) == 1
    assert stream_length(valkey_server) == 0
    async with quiet_house(settings) as returned:
        assert stream_length(valkey_server) == 1  # told by the first use of the link
        with valkey_server.client() as client:
            assert client.hget(f"gp:{{{pair.user_id}}}:f:{pair.session_id}", "x") == "1"
        assert await returned.rooms.revocations.unpushed(limit=9) == []


async def test_what_was_pushed_leaves_the_outbox_at_the_next_reconciliation(house: House) -> None:
    async with house.rooms.acts.begin(clock.now()) as act:
        await act.revoke_sessions(["s1"], user_id="u1", why="test")
    assert len(await house.rooms.revocations.unpushed(limit=9)) == 1
    await house.feed.reconcile()
    assert await house.rooms.revocations.unpushed(limit=9) == []
