"""The desk of authorization codes: each is taken once, and whoever comes again ends what the first coming opened."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from service import clock
from service.accounts.account import User
from service.app import House
from service.codes.desk import CODE_LIFE, CodeDesk
from service.codes.grant import AuthorizationGrant
from service.identifiers import new_id
from service.protocol.errors import InvalidGrant, StoreUnavailable
from service.sessions.session import Session
from service.settings import load_settings
from service.storage.redis.keyspace import Keyspace
from service.storage.sql import SqlSessions
from tests.rooms import add_user, counted, quiet_house
from tests.servers.gatepost import settings_for
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio


def desk_of(house: House) -> CodeDesk:
    desk = house.rooms.authorization._codes
    assert isinstance(desk, CodeDesk)
    return desk


def grant_of(user: User) -> AuthorizationGrant:
    return AuthorizationGrant(
        user_id=user.id,
        session_id=new_id(),
        client_id="gp_client_shop",
        redirect_uri=None,
        code_challenge="c" * 43,
        scopes=frozenset({"openid"}),
        audience=(),
        nonce=None,
        auth_time=clock.now(),
        amr=("pwd",),
        acr=None,
        parent_id=None,
        epoch=user.epoch,
    )


async def open_session(house: House, grant: AuthorizationGrant) -> None:
    """What a redemption leaves in the ledger."""
    now = clock.now()
    session = Session(
        id=grant.session_id,
        user_id=grant.user_id,
        client_id="gatepost",
        scopes=grant.scopes,
        created_at=now,
        auth_time=now,
        amr=grant.amr,
        acr=None,
        ends_at=now + timedelta(days=1),
        last_used_at=now,
    )
    async with house.database.begin() as tx:
        await SqlSessions(house.database).add(tx, session)


async def has_ended(house: House, grant: AuthorizationGrant) -> str:
    """Why the session of the grant has ended; empty while it lives."""
    standing = await house.rooms.sessions.find_standing(grant.session_id)
    assert standing is not None
    return standing.session.ended_why


@pytest.fixture
async def ada(house: House) -> User:
    return await add_user(house, "ada")


@pytest.fixture
async def other(house: House, ada: User) -> AsyncIterator[AuthorizationGrant]:
    """Another session of the same person, which nothing here may end."""
    grant = grant_of(ada)
    await open_session(house, grant)
    yield grant
    assert await has_ended(house, grant) == ""


@pytest.mark.spec("RFC 6749 §4.1.2")
async def test_a_code_stands_for_what_was_granted_once(house: House, ada: User, other: AuthorizationGrant) -> None:
    grant = grant_of(ada)
    code = await desk_of(house).issue(grant)
    assert await desk_of(house).take(code, now=clock.now()) == grant
    await open_session(house, grant)
    await desk_of(house).settle(code, now=clock.now())
    assert await has_ended(house, grant) == ""
    for _ in range(2):
        with pytest.raises(InvalidGrant):
            await desk_of(house).take(code, now=clock.now())
        assert await has_ended(house, grant) == "code replayed"


@pytest.mark.spec("RFC 9700 §2.1.1")
async def test_whoever_came_before_the_session_was_there_is_found_when_it_is_settled(
    house: House, other_house: House, ada: User, other: AuthorizationGrant
) -> None:
    grant = grant_of(ada)
    code = await desk_of(house).issue(grant)
    await desk_of(house).take(code, now=clock.now())
    with pytest.raises(InvalidGrant):
        await desk_of(other_house).take(code, now=clock.now())
    await open_session(house, grant)
    await desk_of(house).settle(code, now=clock.now())
    assert await has_ended(house, grant) == "code replayed"


async def test_a_code_that_nobody_redeemed_ends_nothing_when_it_comes_late(
    house: House, ada: User, other: AuthorizationGrant, valkey_server: ValkeyServer
) -> None:
    grant = grant_of(ada)
    code = await desk_of(house).issue(grant)
    read = desk_of(house)._mint.read(code)
    with valkey_server.client() as raw:
        key = Keyspace().code(read.user_id, read.session_id, read.nonce)
        raw.hincrby(key, "t", -(CODE_LIFE // timedelta(microseconds=1)))
    with pytest.raises(InvalidGrant):
        await desk_of(house).take(code, now=clock.now())
    assert await house.rooms.sessions.find_standing(grant.session_id) is None


async def test_a_forged_code_reaches_no_store_and_ends_nothing(
    house: House, ada: User, other: AuthorizationGrant, valkey_server: ValkeyServer
) -> None:
    grant = grant_of(ada)
    code = await desk_of(house).issue(grant)
    await desk_of(house).take(code, now=clock.now())
    await open_session(house, grant)
    forged = code[:70] + ("A" if code[70] != "A" else "B") + code[71:]
    with counted(house, valkey_server) as asked:
        for act in (desk_of(house).take, desk_of(house).settle, desk_of(house).end):
            with pytest.raises(InvalidGrant):
                await act(forged, now=clock.now())
    assert (asked.sql, asked.redis) == (0, 0)
    assert await has_ended(house, grant) == ""


@pytest.mark.spec("RED-01")
async def test_when_nobody_can_say_whether_a_code_was_replayed_its_session_has_ended(
    sqlite_url: str, own_valkey: ValkeyServer
) -> None:
    async with quiet_house(load_settings(settings_for(sqlite_url, own_valkey.url))) as house:
        grant = grant_of(await add_user(house, "ada"))
        code = await desk_of(house).issue(grant)
        await desk_of(house).take(code, now=clock.now())
        await open_session(house, grant)
        own_valkey.kill()
        with pytest.raises(StoreUnavailable):
            await desk_of(house).settle(code, now=clock.now())
        assert await has_ended(house, grant) == "code in doubt"


@pytest.mark.spec("RED-07")
async def test_a_mark_that_was_lost_ends_the_session(
    house: House, ada: User, other: AuthorizationGrant, valkey_server: ValkeyServer
) -> None:
    grant = replace(grant_of(ada), parent_id=new_id())
    code = await desk_of(house).issue(grant)
    await desk_of(house).take(code, now=clock.now())
    await open_session(house, grant)
    valkey_server.flush()
    await desk_of(house).settle(code, now=clock.now())
    assert await has_ended(house, grant) == "code replayed"
