"""How many sessions one person has."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from gatepost.revocation import RevocationKind
from service import clock
from service.accounts.account import User
from service.app import House
from service.clients.metadata import AUTHORIZATION_CODE, NO_SECRET, ClientMetadata
from service.codes.grant import AuthorizationGrant
from service.identifiers import new_id
from service.protocol.errors import StoreUnavailable
from service.sessions.crowd import AT_ONCE, Living, crowded_out
from service.sessions.pairs import TokenPair
from service.sessions.session import Session
from service.settings import Settings, load_settings
from service.storage.sql.tables import LOGOUT_NOTICES, SESSIONS
from tests.contracts.sql_ground import NOW, a_session
from tests.rooms import NO_DEVICE, add_user, quiet_house, sign_in
from tests.servers.gatepost import settings_for

AT_MOST = 10


def at(number: int) -> datetime:
    return NOW + timedelta(minutes=number)


def living(name: str, used: int, parent: str | None = None, *, offline: bool = False) -> Living:
    return Living(name, parent, offline, at(used))


def test_what_nobody_has_used_for_longest_ends_first_and_no_more_than_has_to() -> None:
    crowd = [living("c", 3), living("a", 1), living("d", 4), living("b", 2)]
    ends = [crowded_out(crowd, at_most=most, keep=()) for most in (5, 4, 3, 2, 1)]
    assert ends == [[], [], ["a"], ["a", "b"], ["a", "b", "c"]]
    assert crowded_out(crowd, at_most=2, keep={"a"}) == ["b", "c"]


def test_a_hosted_sign_in_is_used_as_long_as_what_was_granted_in_it() -> None:
    crowd = [living("a hosted", 1), living("b app", 5, "a hosted"), living("c other", 3), living("d direct", 9)]
    assert crowded_out(crowd, at_most=3, keep=()) == ["c other"]
    assert crowded_out(crowd, at_most=2, keep=()) == ["c other", "b app"]
    assert crowded_out(crowd, at_most=1, keep=()) == ["c other", "b app", "a hosted"]
    apart = [living("a hosted", 1), living("b app", 5, "a hosted", offline=True), living("c other", 3)]
    assert crowded_out(apart, at_most=2, keep=()) == ["a hosted"]


def test_of_thousands_only_so_many_end_at_once() -> None:
    crowd = [living(f"{number:04}", number) for number in range(5_000)]
    assert crowded_out(crowd, at_most=100, keep=()) == [one.id for one in crowd[:AT_ONCE]]


@pytest.fixture
def few(sql_url: str, valkey_url: str) -> Settings:
    """A deployment over each database, in which a person has at most ten sessions."""
    return load_settings(settings_for(sql_url, valkey_url, TOKENS__SESSIONS_PER_USER=str(AT_MOST)))


@pytest.fixture
async def bounded(few: Settings) -> AsyncIterator[House]:
    """One worker of it."""
    async with quiet_house(few) as house:
        yield house


async def alive(house: House, user_id: str) -> list[Session]:
    return [*await house.rooms.sessions.page(user_id=user_id, after="", limit=9_999, now=clock.now())]


async def kept(house: House, user_id: str, count: int, **changed: object) -> list[str]:
    """So many sessions, each used a minute after the one before, all of them long ago."""
    now = clock.now()
    ids = [new_id() for _ in range(count)]
    session = a_session(user_id, id=ids[0], created_at=now, ends_at=now + timedelta(days=1), last_used_at=now)
    async with house.database.begin() as tx:
        await house.rooms.sessions.add(tx, replace(session, **changed))  # type: ignore[arg-type]  # by name, as given
        [row] = (await tx.run(select(SESSIONS).where(SESSIONS.c.id == ids[0]))).all()
        begin = now - timedelta(days=1)
        used = [{"last_used_at": begin + timedelta(minutes=number), **changed} for number in range(count)]
        if count > 1:
            await tx.run(
                insert(SESSIONS), [{**row._mapping, **more, "id": one} for one, more in zip(ids, used, strict=True)][1:]
            )
        await tx.run(update(SESSIONS).where(SESSIONS.c.id == ids[0]).values(last_used_at=used[0]["last_used_at"]))
    return ids


@pytest.mark.anyio
async def test_one_sign_in_too_many_ends_the_one_that_is_unused_for_longest(bounded: House) -> None:
    user, other = await add_user(bounded, "ada"), await add_user(bounded, "bob")
    mine, theirs = await kept(bounded, user.id, AT_MOST), await kept(bounded, other.id, AT_MOST)
    pair = await sign_in(bounded, user)
    assert [one.id for one in await alive(bounded, user.id)] == [*mine[1:], pair.session_id]
    assert [one.id for one in await alive(bounded, other.id)] == theirs
    ended = await bounded.rooms.sessions.find_standing(mine[0])
    assert ended is not None
    assert ended.session.ended_why == "too many sessions"
    assert bounded.feed.revoked.has(RevocationKind.SESSION, mine[0])


@pytest.mark.anyio
@pytest.mark.spec("RACE-06")
async def test_sign_ins_at_once_do_not_pass_the_bound(few: Settings, bounded: House) -> None:
    user = await add_user(bounded, "ada")
    await kept(bounded, user.id, AT_MOST - 1)
    async with quiet_house(few) as other:
        houses = [bounded, other] * 6
        pairs = await asyncio.gather(*(patiently(house, user) for house in houses))
    left = {one.id for one in await alive(bounded, user.id)}
    assert len(left) == AT_MOST
    assert left < {pair.session_id for pair in pairs}


async def patiently(house: House, user: User) -> TokenPair:
    """A sign-in, tried again where a busy machine kept it waiting for the others too long."""
    while True:
        try:
            return await sign_in(house, user)
        except StoreUnavailable:
            await asyncio.sleep(0.3)


@pytest.mark.anyio
async def test_a_browser_signs_in_past_the_bound_and_what_is_in_use_goes_on(bounded: House) -> None:
    user, rooms = await add_user(bounded, "ada"), bounded.rooms
    (hosted,) = await kept(bounded, user.id, 1, scopes=frozenset())
    (app,) = await kept(bounded, user.id, 1, client_id="gp_client_x", parent_id=hosted, last_used_at=clock.now())
    mine = await kept(bounded, user.id, AT_MOST - 2)
    cookie = await rooms.browser_sessions.open(user, amr=("pwd",), device=NO_DEVICE, before=None, now=clock.now())
    opened = await rooms.browser_sessions.find(cookie, now=clock.now())
    assert opened is not None
    assert {one.id for one in await alive(bounded, user.id)} == {hosted, app, *mine[1:], opened.session.id}


@pytest.mark.anyio
async def test_who_has_thousands_of_before_is_brought_down_step_by_step_and_can_sign_in_all_along(
    bounded: House,
) -> None:
    user = await add_user(bounded, "ada")
    await kept(bounded, user.id, 2 * AT_ONCE + 30)
    while (before := len(await alive(bounded, user.id))) > AT_MOST:
        await patiently(bounded, user)
        assert len(await alive(bounded, user.id)) <= max(AT_MOST, before + 1 - AT_ONCE)
    assert before == AT_MOST


@pytest.mark.anyio
@pytest.mark.spec("OIDC Back-Channel Logout §2.2")
async def test_an_application_is_told_that_its_session_had_to_make_room(bounded: House) -> None:
    user = await add_user(bounded, "ada")
    metadata = ClientMetadata(
        redirect_uris=("https://app.example/cb",),
        grant_types=frozenset({AUTHORIZATION_CODE}),
        auth_method=NO_SECRET,
        backchannel_logout_uri="https://app.example/bye",
    )
    client, _ = await bounded.rooms.clients.create(
        "Told", confidential=False, scopes=(), now=clock.now(), metadata=metadata
    )
    (granted,) = await kept(bounded, user.id, 1, client_id=client.id)
    await kept(bounded, user.id, AT_MOST - 1)
    await sign_in(bounded, user)
    rows = await bounded.database.fetch_all(select(LOGOUT_NOTICES.c.session_id, LOGOUT_NOTICES.c.uri))
    assert [tuple(row) for row in rows] == [(granted, "https://app.example/bye")]


@pytest.mark.anyio
async def test_what_is_granted_past_the_bound_ends_another_and_never_its_own_sign_in(bounded: House) -> None:
    user, rooms = await add_user(bounded, "ada"), bounded.rooms
    client, _ = await rooms.clients.create("App", confidential=False, scopes=(), now=clock.now())
    (hosted,) = await kept(bounded, user.id, 1, scopes=frozenset())  # the one that is unused for longest
    mine = await kept(bounded, user.id, AT_MOST - 1)
    grant = AuthorizationGrant(
        user_id=user.id,
        session_id=new_id(),
        client_id=client.id,
        redirect_uri=None,
        code_challenge="",
        scopes=frozenset({"openid"}),
        audience=(),
        nonce=None,
        auth_time=clock.now(),
        amr=("pwd",),
        acr=None,
        parent_id=hosted,
        epoch=user.epoch,
        user_agent="",
        address="",
    )
    await rooms.pairs.open_granted(grant, client, with_refresh=False, audience=(), now=clock.now())
    assert {one.id for one in await alive(bounded, user.id)} == {hosted, *mine[1:], grant.session_id}
