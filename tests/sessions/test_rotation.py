"""The table of what a presented refresh token leads to, over a real engine and a real ledger."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import make_url

from gatepost.revocation import Revocation, RevocationKind
from service import clock
from service.accounts.account import User
from service.accounts.change import UserChange
from service.app import House
from service.clients.client import Client
from service.clients.registry import ClientChange
from service.identifiers import new_id
from service.protocol.errors import InvalidGrant, InvalidScope, InvalidToken, StoreUnavailable
from service.sessions.pairs import TokenPair
from service.sessions.refresh_token import RefreshToken
from service.sessions.session import Session
from service.settings import Settings
from service.storage.redis import RedisRefreshFamilies
from service.storage.sql import SqlSessions
from tests.rooms import add_user, refresh, sign_in, whoami
from tests.servers.valkey import ValkeyServer

pytestmark = [pytest.mark.anyio, pytest.mark.spec("RFC 9700 §4.14.2")]
SECOND = timedelta(seconds=1)
STRICT = pytest.mark.parametrize("more_settings", [{"TOKENS__REFRESH_GRACE": "0s"}], ids=["strict"])


@pytest.fixture
async def alice(house: House) -> User:
    return await add_user(house, "alice")


@pytest.fixture
async def pair(house: House, alice: User) -> TokenPair:
    return await sign_in(house, alice)


def generation(house: House, pair: TokenPair) -> int:
    return house.rooms.pairs.read(pair.refresh_token).generation


def other(house: House, pair: TokenPair, *, generation: int) -> str:
    """The genuine token of another generation of this family."""
    return house.rooms.pairs._mint.issue(RefreshToken(pair.user_id, pair.session_id, generation))


async def chain(house: House, pair: TokenPair, length: int) -> list[TokenPair]:
    """The pair and its successors."""
    found = [pair]
    for _ in range(length):
        found.append(await refresh(house, found[-1].refresh_token))
    return found


async def refused(house: House, token: str, **more: object) -> None:
    with pytest.raises(InvalidGrant):
        await refresh(house, token, **more)


async def lives(house: House, pair: TokenPair) -> bool:
    try:
        await whoami(house, f"Bearer {pair.access.token}")
    except InvalidToken:
        return False
    return True


async def has_ended(house: House, pair: TokenPair) -> str:
    """Why the session has ended, says the ledger; empty while it lives."""
    standing = await SqlSessions(house.database).find_standing(pair.session_id)
    assert standing is not None
    return standing.session.ended_why


async def test_the_current_generation_gives_its_successor(house: House, pair: TokenPair) -> None:
    found = await chain(house, pair, 3)
    assert [generation(house, one) for one in found] == [0, 1, 2, 3]
    assert {(one.session_id, one.user_id, one.access.scopes) for one in found} == {
        (pair.session_id, pair.user_id, pair.access.scopes)
    }
    assert len({one.access.jti for one in found}) == 4
    assert all([await lives(house, one) for one in found])


@pytest.mark.spec("REF-28")
async def test_a_lost_answer_can_be_asked_for_again_inside_the_window(house: House, pair: TokenPair) -> None:
    first = await refresh(house, pair.refresh_token)
    again = await refresh(house, pair.refresh_token)
    assert again.refresh_token == first.refresh_token
    assert await lives(house, first)
    assert generation(house, await refresh(house, first.refresh_token)) == 2


@pytest.mark.parametrize("more_settings", [{"TOKENS__REFRESH_GRACE": "200ms"}])
@pytest.mark.spec("REF-25")
async def test_the_same_token_after_the_window_ends_the_session_and_no_other(
    house: House, alice: User, pair: TokenPair
) -> None:
    other_device = await sign_in(house, alice)
    successor = await refresh(house, pair.refresh_token)
    await asyncio.sleep(0.25)
    await refused(house, pair.refresh_token)
    assert await has_ended(house, pair) == "refresh token reuse"
    assert not await lives(house, pair)
    assert not await lives(house, successor)
    await refused(house, successor.refresh_token)
    assert await lives(house, other_device)
    assert await refresh(house, other_device.refresh_token)


@STRICT
async def test_without_a_window_the_same_token_is_good_once(house: House, pair: TokenPair) -> None:
    successor = await refresh(house, pair.refresh_token)
    await refused(house, pair.refresh_token)
    await refused(house, successor.refresh_token)
    assert await has_ended(house, pair) == "refresh token reuse"


@pytest.mark.spec("REF-03")
async def test_an_older_generation_ends_the_session_inside_the_window_too(house: House, pair: TokenPair) -> None:
    found = await chain(house, pair, 2)
    await refused(house, pair.refresh_token)
    assert not any([await lives(house, one) for one in found])
    await refused(house, found[2].refresh_token)


async def test_another_clients_use_is_refused_and_changes_nothing(
    house: House, pair: TokenPair, valkey_server: ValkeyServer
) -> None:
    found = await chain(house, pair, 2)
    for state in ("kept", "lost"):
        if state == "lost":
            await house.reached.flush()
            valkey_server.flush()
        for one in found:
            await refused(house, one.refresh_token, client_id="gp_client_other")
        assert await has_ended(house, pair) == ""
    with valkey_server.client() as client:
        assert client.dbsize() == 0  # nothing was restored for a stranger
    assert generation(house, await refresh(house, found[-1].refresh_token)) == 3


async def test_a_family_under_another_persons_name_is_refused(house: House, pair: TokenPair) -> None:
    mallory = await add_user(house, "mallory")
    await refused(house, house.rooms.pairs._mint.issue(RefreshToken(mallory.id, pair.session_id, 0)))
    await refused(house, house.rooms.pairs._mint.issue(RefreshToken(pair.user_id, new_id(), 0)))
    assert await refresh(house, pair.refresh_token)


async def test_a_family_that_the_engine_lost_is_restored_where_it_stood(
    house: House, pair: TokenPair, valkey_server: ValkeyServer
) -> None:
    found = await chain(house, pair, 3)
    for _ in range(2):
        await house.reached.flush()
        valkey_server.flush()
        found.append(await refresh(house, found[-1].refresh_token))
    assert [generation(house, one) for one in found] == [0, 1, 2, 3, 4, 5]
    assert found[-1].access.scopes == pair.access.scopes


async def test_the_window_outlives_the_loss_of_the_engine(
    house: House, pair: TokenPair, valkey_server: ValkeyServer
) -> None:
    found = await chain(house, pair, 2)
    await house.reached.flush()
    valkey_server.flush()
    again = await refresh(house, found[1].refresh_token)
    assert again.refresh_token == found[2].refresh_token


@pytest.mark.parametrize("back", [2, 3])
async def test_reuse_is_found_after_the_loss_of_the_engine(
    house: House, pair: TokenPair, valkey_server: ValkeyServer, back: int
) -> None:
    found = await chain(house, pair, 3)
    await house.reached.flush()
    valkey_server.flush()
    await refused(house, found[-1 - back].refresh_token)
    assert await has_ended(house, pair) == "refresh token reuse"
    await refused(house, found[-1].refresh_token)


@STRICT
async def test_without_a_window_reuse_is_found_after_the_loss_too(
    house: House, pair: TokenPair, valkey_server: ValkeyServer
) -> None:
    found = await chain(house, pair, 1)
    await house.reached.flush()
    valkey_server.flush()
    await refused(house, pair.refresh_token)
    await refused(house, found[1].refresh_token)


@pytest.mark.spec("RED-07")
async def test_a_generation_that_the_engine_forgot_is_gone_on_from(house: House, pair: TokenPair) -> None:
    ahead = await refresh(house, other(house, pair, generation=5))
    assert generation(house, ahead) == 6
    await refused(house, pair.refresh_token)
    assert await has_ended(house, pair) == "refresh token reuse"


@pytest.mark.spec("RED-04")
async def test_a_session_that_has_ended_is_not_restored(
    house: House, other_house: House, pair: TokenPair, valkey_server: ValkeyServer
) -> None:
    await house.rooms.ending.end(pair.session_id, user_id=pair.user_id, why="logout", now=clock.now())
    await refused(house, pair.refresh_token)
    valkey_server.flush()
    for one in (house, other_house):
        await refused(one, pair.refresh_token)
        await refused(one, other(one, pair, generation=1))


async def test_a_family_that_the_engine_has_ended_ends_in_the_ledger(house: House, pair: TokenPair) -> None:
    families = RedisRefreshFamilies(house.link)
    await families.close(pair.user_id, pair.session_id, until=clock.now() + timedelta(hours=1))
    await refused(house, pair.refresh_token)
    assert await has_ended(house, pair) == "family ended"
    assert not await lives(house, pair)


async def test_reuse_found_while_the_ledger_is_away_ends_the_session_when_it_is_back(
    house: House, settings: Settings, pair: TokenPair
) -> None:
    found = await chain(house, pair, 2)
    file = make_url(settings.database_url.get_secret_value()).database or ""
    with closing(sqlite3.connect(file, isolation_level=None)) as other_process:
        other_process.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await refresh(house, pair.refresh_token)
        other_process.execute("ROLLBACK")
    await asyncio.sleep(0.3)  # the thread of the connection that was given up comes to its end
    assert await has_ended(house, pair) == ""
    await refused(house, found[2].refresh_token)
    assert await has_ended(house, pair) == "family ended"


async def test_a_disabled_person_gets_nothing_wherever_it_was_done(
    house: House, other_house: House, alice: User, pair: TokenPair, valkey_server: ValkeyServer
) -> None:
    await other_house.rooms.directory.change(alice.id, UserChange(disabled=True), now=clock.now())
    await refused(house, pair.refresh_token)
    valkey_server.flush()
    await refused(house, pair.refresh_token)
    await other_house.rooms.directory.change(alice.id, UserChange(disabled=False), now=clock.now())
    await refused(house, pair.refresh_token)


async def test_a_living_session_of_a_disabled_person_is_not_restored(
    house: House, pair: TokenPair, valkey_server: ValkeyServer
) -> None:
    async with house.database.begin() as tx:  # by hand: no act of ours leaves the session alive
        await tx._connection.exec_driver_sql("UPDATE users SET disabled_at = created_at")
    valkey_server.flush()
    await refused(house, pair.refresh_token)


@pytest.mark.spec("KEYS-08")
async def test_a_role_that_was_taken_away_is_gone_at_the_next_refresh_and_may_come_back(
    house: House, other_house: House, alice: User, pair: TokenPair
) -> None:
    assert "orders:read" in pair.access.scopes
    await other_house.rooms.directory.change(alice.id, UserChange(roles=[]), now=clock.now())
    narrowed = await refresh(house, pair.refresh_token)
    assert narrowed.access.scopes == pair.access.scopes - {"orders:read", "orders:write"}
    assert await lives(other_house, narrowed)
    with pytest.raises(InvalidScope):
        await refresh(house, narrowed.refresh_token, asked=["orders:read"])
    await other_house.rooms.directory.change(
        alice.id, UserChange(roles=["clerk"], scopes=["stock:read"]), now=clock.now()
    )
    restored = await refresh(house, narrowed.refresh_token)
    assert restored.access.scopes == pair.access.scopes  # stock:read was not granted to this session


@pytest.mark.spec("RFC 6749 §6")
async def test_what_is_asked_may_only_narrow_and_lasts_one_token(house: House, alice: User) -> None:
    pair = await sign_in(house, alice, asked=["orders:read", "account:read"])
    narrow = await refresh(house, pair.refresh_token, asked=["orders:read"])
    assert narrow.access.scopes == {"orders:read"}
    with pytest.raises(InvalidScope):
        await refresh(house, narrow.refresh_token, asked=["orders:read", "orders:write"])
    wide = await refresh(house, narrow.refresh_token)  # the one that was refused told no successor
    assert wide.access.scopes == {"orders:read", "account:read"}
    assert (await refresh(house, wide.refresh_token, asked=[])).access.scopes == frozenset()


async def a_session_of(house: House, alice: User, client_id: str) -> str:
    """The first refresh token of a session that a client holds, which only the ledger knows."""
    now = clock.now()
    session = Session(
        id=new_id(),
        user_id=alice.id,
        client_id=client_id,
        scopes=frozenset({"orders:read"}),
        created_at=now,
        auth_time=now,
        amr=("pwd",),
        acr=None,
        ends_at=now + timedelta(days=1),
        last_used_at=now,
    )
    async with house.database.begin() as tx:
        await SqlSessions(house.database).add(tx, session)
    return house.rooms.pairs._mint.issue(RefreshToken(alice.id, session.id, 0))


@pytest.fixture
async def client(house: House) -> Client:
    made, _ = await house.rooms.clients.create("Till", confidential=True, scopes=["orders:read"], now=clock.now())
    return made


async def test_a_disabled_client_refreshes_nothing_until_it_is_enabled(
    house: House, other_house: House, alice: User, client: Client
) -> None:
    first = await refresh(house, await a_session_of(house, alice, client.id), client_id=client.id)
    assert (await whoami(house, f"Bearer {first.access.token}")).client_id == client.id
    await other_house.rooms.clients.change(client.id, ClientChange(disabled=True), now=clock.now())
    await house.feed.reconcile()
    with pytest.raises(InvalidToken):
        await whoami(house, f"Bearer {first.access.token}")
    await refused(house, first.refresh_token, client_id=client.id)
    await other_house.rooms.clients.change(client.id, ClientChange(disabled=False), now=clock.now())
    await house.feed.reconcile()
    second = await refresh(house, first.refresh_token, client_id=client.id)
    assert (await whoami(house, f"Bearer {second.access.token}")).client_id == client.id


async def test_a_session_of_a_client_that_is_not_there_is_dead(house: House, alice: User) -> None:
    token = await a_session_of(house, alice, "gp_client_gone")
    await refused(house, token, client_id="gp_client_gone")


@pytest.mark.spec("SESS-02")
@pytest.mark.parametrize("end", ["absolute", "idle"])
async def test_a_session_ends_to_the_second(house: House, alice: User, valkey_server: ValkeyServer, end: str) -> None:
    tokens = {"absolute": timedelta(days=90), "idle": timedelta(days=30)}
    now = clock.now()
    pair = await sign_in(house, alice, now=now)
    if end == "absolute":
        async with house.database.begin() as tx:
            await tx._connection.exec_driver_sql("UPDATE sessions SET last_used_at = ends_at")
    last = now + tokens[end]
    for moment in (last + SECOND, last):
        valkey_server.flush()
        await refused(house, pair.refresh_token, now=moment)
    valkey_server.flush()
    found = await refresh(house, pair.refresh_token, now=last - SECOND)
    assert found.refresh_expires_in == (SECOND if end == "absolute" else timedelta(days=30))
    assert found.access.expires_in == (1 if end == "absolute" else 3_600)


async def test_a_family_that_never_holds_still_is_a_503_and_not_a_loop(house: House, pair: TokenPair) -> None:
    ahead = Revocation(RevocationKind.USER, pair.user_id, clock.now() + timedelta(hours=1), 99)
    house.feed.revoked.add(ahead)  # an epoch that the ledger does not know of
    async with asyncio.timeout(2):
        with pytest.raises(StoreUnavailable):
            await refresh(house, pair.refresh_token)
    assert await has_ended(house, pair) == ""


@pytest.mark.spec("RACE-01")
async def test_racing_refreshes_on_two_workers_agree_on_one_successor(
    house: House, other_house: House, pair: TokenPair, valkey_server: ValkeyServer
) -> None:
    for state in ("kept", "lost"):
        if state == "lost":
            await house.reached.flush()
            await other_house.reached.flush()
            valkey_server.flush()
        racing = [refresh(one, pair.refresh_token) for one in [house, other_house] * 16]
        successors = {found.refresh_token for found in await asyncio.gather(*racing)}
        assert len(successors) == 1
        pair = await refresh(house, successors.pop())


@STRICT
@pytest.mark.spec("RACE-01")
async def test_without_a_window_one_racer_wins_and_the_session_ends(
    house: House, other_house: House, pair: TokenPair
) -> None:
    racing = [refresh(one, pair.refresh_token) for one in [house, other_house] * 8]
    outcomes = await asyncio.gather(*racing, return_exceptions=True)
    winners = [one for one in outcomes if isinstance(one, TokenPair)]
    assert len(winners) == 1
    assert all(isinstance(one, InvalidGrant) for one in outcomes if not isinstance(one, TokenPair))
    await refused(house, winners[0].refresh_token)
    await house.feed.reconcile()  # the other worker may have ended it: the stream is milliseconds behind
    assert not await lives(house, winners[0])


@pytest.mark.spec("RACE-07")
async def test_nothing_of_a_session_works_after_a_logout_that_raced_with_refreshes(
    house: House, other_house: House, alice: User
) -> None:
    for _ in range(3):
        pair = await sign_in(house, alice)
        ending = house.rooms.ending.end(pair.session_id, user_id=alice.id, why="logout", now=clock.now())
        outcomes = await asyncio.gather(
            *(refresh(other_house, pair.refresh_token) for _ in range(4)), ending, return_exceptions=True
        )
        await other_house.feed.reconcile()
        for found in [pair, *(one for one in outcomes if isinstance(one, TokenPair))]:
            for one in (house, other_house):
                assert not await lives(one, found)
                await refused(one, found.refresh_token)
