"""Acts on accounts: each is one transaction with what it revokes."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.revocation import RevocationKind
from service import clock
from service.accounts.account import User
from service.accounts.change import UserChange
from service.accounts.directory import SETUP_LINK_LIFE, Directory
from service.app import House
from service.protocol.errors import BeyondOwnScopes, Conflict, Invalid, InvalidLogin, InvalidToken, NotFound
from tests.rooms import HERE, add_user, refresh, sign_in
from tests.servers.gatepost import PASSWORD

pytestmark = pytest.mark.anyio
NEW = "seven swans a-swimming"
SECOND = timedelta(seconds=1)


@pytest.fixture
def directory(house: House) -> Directory:
    return house.rooms.directory


@pytest.fixture
async def alice(house: House) -> User:
    return await add_user(house, "alice", email="alice@example.org")


async def create(directory: Directory, username: str, password: str = PASSWORD, **more: object) -> User:
    options: dict[str, object] = {"email": None, "roles": (), "scopes": (), "now": clock.now(), **more}
    return await directory.create(username, password, **options)  # type: ignore[arg-type]  # keyword names are those of create


@pytest.mark.spec("RACE-08")
async def test_of_sixteen_racing_registrations_of_one_name_one_succeeds(house: House, other_house: House) -> None:
    directories = [house.rooms.directory, other_house.rooms.directory] * 8
    spellings = ["alice", "Alice", "ALICE", "aLICE"] * 4
    made = await asyncio.gather(
        *(create(one, name) for one, name in zip(directories, spellings, strict=True)), return_exceptions=True
    )
    winners = [one for one in made if isinstance(one, User)]
    assert len(winners) == 1
    assert all(isinstance(one, Conflict) for one in made if not isinstance(one, User))
    assert await house.rooms.directory.page(search="", after="", limit=50) == winners


async def test_a_taken_address_is_a_conflict_in_any_spelling(directory: Directory, alice: User) -> None:
    with pytest.raises(Conflict):
        await create(directory, "bob", email="ALICE@example.org")
    bob = await create(directory, "bob", email="bob@example.org")
    with pytest.raises(Conflict):
        await directory.change(bob.id, UserChange(email="Alice@Example.org"), now=clock.now())
    assert (await directory.get(bob.id)).email == "bob@example.org"


async def test_nothing_is_made_of_what_is_refused(directory: Directory) -> None:
    for refused in (
        {"username": "al ice"},
        {"email": "no address"},
        {"password": "short"},
        {"roles": ["king"]},
        {"scopes": ["admin:everything"]},
    ):
        with pytest.raises(Invalid):
            await create(directory, **{"username": "alice", **refused})  # type: ignore[arg-type]  # one of them is wrong on purpose
    assert await directory.page(search="", after="", limit=50) == []


async def test_a_person_is_found_by_id_name_or_address(directory: Directory, alice: User) -> None:
    for text in (alice.id, "ALICE", "Alice@Example.Org"):
        assert await directory.get_named(text) == alice
    for text in ("", "bob", "\0", "\ud800", "alice "):
        with pytest.raises(NotFound):
            await directory.get_named(text)


async def test_a_change_leaves_what_it_does_not_name_and_raises_the_epoch(directory: Directory, alice: User) -> None:
    now = clock.now()
    changed = await directory.change(alice.id, UserChange(scopes=["stock:read"]), now=now)
    assert changed == replace(alice, scopes=frozenset({"stock:read"}), epoch=2)
    disabled = await directory.change(alice.id, UserChange(disabled=True), now=now)
    again = await directory.change(alice.id, UserChange(disabled=True), now=now + SECOND)
    assert (disabled.disabled_at, again.disabled_at, again.epoch) == (now, now, 4)
    enabled = await directory.change(alice.id, UserChange(disabled=False), now=now)
    assert enabled == await directory.get(alice.id) == replace(changed, epoch=5)


async def test_disabling_ends_every_session_and_enabling_brings_none_back(house: House, alice: User) -> None:
    directory = house.rooms.directory
    pairs = [await sign_in(house, alice) for _ in range(3)]
    await directory.change(alice.id, UserChange(disabled=True), now=clock.now())
    await directory.change(alice.id, UserChange(disabled=False), now=clock.now())
    for pair in pairs:
        assert house.feed.revoked.has(RevocationKind.SESSION, pair.session_id)
    assert await house.rooms.sessions.page(user_id=alice.id, after="", limit=9, now=clock.now()) == []


@pytest.mark.spec("AUTHZ-06")
async def test_the_last_administrator_stays(house: House, other_house: House) -> None:
    root = await add_user(house, "root", roles=frozenset({"admin"}))
    spare = await add_user(house, "spare", roles=frozenset({"admin"}))
    ends = [UserChange(roles=[]), UserChange(disabled=True)]
    outcomes = await asyncio.gather(
        *(
            one.rooms.directory.change(user.id, ends[number % 2], now=clock.now())
            for number, (one, user) in enumerate([(house, root), (other_house, spare)] * 4)
        ),
        return_exceptions=True,
    )
    assert any(isinstance(outcome, Conflict) for outcome in outcomes)
    left = [user for user in (root, spare) if "admin" in (await house.rooms.directory.get(user.id)).roles]
    assert [(await house.rooms.directory.get(user.id)).active for user in left].count(True) == 1


@pytest.mark.spec("AUTHZ-06")
async def test_an_administrator_neither_hands_out_nor_commands_more_than_he_has(
    directory: Directory, alice: User
) -> None:
    within, now = frozenset({"admin:users:read", "admin:users:write"}), clock.now()
    for act in (
        create(directory, "bob", roles=["admin"], within=within),
        create(directory, "bob", scopes=["orders:read"], within=within),
        directory.change(alice.id, UserChange(disabled=True), now=now, within=within),
        directory.set_password(alice.id, NEW, now=now, within=within),
        directory.end_sessions(alice.id, now=now, within=within),
    ):
        with pytest.raises(BeyondOwnScopes):
            await act
    assert await directory.get(alice.id) == alice
    equal = within | {"orders:read", "orders:write"}
    assert (await directory.change(alice.id, UserChange(disabled=True), now=now, within=equal)).epoch == 2
    with pytest.raises(BeyondOwnScopes):
        await directory.change(alice.id, UserChange(roles=["admin"]), now=now, within=equal)


@pytest.mark.spec("SESS-03")
async def test_a_changed_password_ends_every_session_but_the_one_that_asked(house: House, alice: User) -> None:
    kept, other = await sign_in(house, alice), await sign_in(house, alice)
    await house.rooms.directory.change_own_password(
        alice.id, current=PASSWORD, new=NEW, keep_session=kept.session_id, now=clock.now()
    )
    living = await house.rooms.sessions.page(user_id=alice.id, after="", limit=9, now=clock.now())
    assert [session.id for session in living] == [kept.session_id]
    assert (await refresh(house, kept.refresh_token)).session_id == kept.session_id
    assert house.feed.revoked.has(RevocationKind.SESSION, other.session_id)
    assert (await house.rooms.sign_in.check("alice", NEW, source=HERE)).id == alice.id
    with pytest.raises(InvalidLogin):
        await house.rooms.sign_in.check("alice", PASSWORD, source=HERE)


async def test_a_password_set_by_an_administrator_ends_every_session(house: House, alice: User) -> None:
    pair = await sign_in(house, alice)
    await house.rooms.directory.set_password(alice.id, NEW, now=clock.now())
    assert house.feed.revoked.has(RevocationKind.SESSION, pair.session_id)
    assert (await house.rooms.sign_in.check("alice", NEW, source=HERE)).id == alice.id


@pytest.mark.parametrize(
    ("current", "new", "field", "rule"),
    [
        ("wrong", NEW, "current_password", "wrong_password"),
        ("", NEW, "current_password", "wrong_password"),
        ("x\0", NEW, "current_password", "wrong_password"),
        (PASSWORD, "short", "new_password", "too_short"),
        (PASSWORD, "alice@example.org", "new_password", "personal"),
    ],
)
async def test_a_refused_change_of_the_password_names_the_field_and_changes_nothing(
    directory: Directory, alice: User, current: str, new: str, field: str, rule: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await directory.change_own_password(alice.id, current=current, new=new, keep_session=None, now=clock.now())
    assert (refused.value.field, refused.value.rule) == (field, rule)
    assert await directory.get(alice.id) == alice


async def test_of_two_racing_changes_of_a_password_one_is_made(house: House, other_house: House, alice: User) -> None:
    outcomes = await asyncio.gather(
        *(
            one.rooms.directory.change_own_password(
                alice.id, current=PASSWORD, new=f"{NEW} {number}", keep_session=None, now=clock.now()
            )
            for number, one in enumerate([house, other_house])
        ),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "NoneType"]
    winner = outcomes.index(None)
    assert (await house.rooms.sign_in.check("alice", f"{NEW} {winner}", source=HERE)).epoch == alice.epoch + 1


async def test_a_sign_in_that_was_under_way_when_the_password_changed_opens_nothing(house: House, alice: User) -> None:
    checked = await house.rooms.sign_in.check("alice", PASSWORD, source=HERE)
    await house.rooms.directory.set_password(alice.id, NEW, now=clock.now())
    with pytest.raises(InvalidLogin):
        await sign_in(house, checked)
    assert await house.rooms.sessions.page(user_id=alice.id, after="", limit=9, now=clock.now()) == []
    assert await sign_in(house, await house.rooms.sign_in.check("alice", NEW, source=HERE))


async def test_a_setup_link_makes_one_administrator_until_its_end(directory: Directory) -> None:
    now = clock.now()
    secret = await directory.offer_setup(now=now)
    spare = await directory.offer_setup(now=now)
    assert secret is not None
    assert spare is not None
    end = now + SETUP_LINK_LIFE
    assert [await directory.is_setup_offered(secret, now=end + step * SECOND) for step in (-1, 0, 1)] == [
        True,
        False,
        False,
    ]
    for wrong, at in (("x", now), (secret.swapcase(), now), (secret, end)):
        with pytest.raises(InvalidToken):
            await directory.create_first_admin(wrong, "root", PASSWORD, now=at)
    with pytest.raises(Invalid):
        await directory.create_first_admin(secret, "root", "short", now=now)
    root = await directory.create_first_admin(secret, "root", PASSWORD, now=end - SECOND)
    assert root.roles == {"admin"}
    for used in (secret, spare):
        with pytest.raises(InvalidToken):
            await directory.create_first_admin(used, "other", PASSWORD, now=now)
    assert await directory.offer_setup(now=now) is None


async def test_of_racing_users_of_setup_links_one_becomes_administrator(house: House, other_house: House) -> None:
    links = [await one.rooms.directory.offer_setup(now=clock.now()) for one in (house, other_house)] * 3
    made = await asyncio.gather(
        *(
            one.rooms.directory.create_first_admin(link or "", f"root{number}", PASSWORD, now=clock.now())
            for number, (one, link) in enumerate(zip([house, other_house, other_house] * 2, links, strict=True))
        ),
        return_exceptions=True,
    )
    assert [isinstance(one, User) for one in made].count(True) == 1
    assert all(isinstance(one, User | InvalidToken) for one in made)
