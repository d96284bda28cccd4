"""A person's own API keys."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from gatepost.revocation import RevocationKind
from service import clock
from service.accounts.account import User
from service.accounts.change import UserChange
from service.api_keys.keyring import MAX_NETWORKS, ApiKeyring, NewApiKey
from service.app import House
from service.identifiers import new_id
from service.protocol.errors import Conflict, Invalid, InvalidToken, NotFound
from service.storage.sql import SqlUsers
from tests.rooms import add_user, whoami

pytestmark = pytest.mark.anyio
ALL = frozenset({"account:read", "account:write", "orders:read", "orders:write"})
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.fixture
async def alice(house: House) -> User:
    return await add_user(house, "alice")


@pytest.fixture
def keys(house: House) -> ApiKeyring:
    return house.rooms.api_keys


async def make(keys: ApiKeyring, owner: User, *scopes: str, **more: Any) -> NewApiKey:
    options: dict[str, Any] = {"within": ALL, "networks": (), "life": None, "now": clock.now(), **more}
    name = options.pop("name", "Till")
    return await keys.create(owner.id, name, scopes=scopes, **options)


async def test_a_new_key_is_kept_without_its_text(keys: ApiKeyring, alice: User) -> None:
    now = clock.now()
    made = await make(keys, alice, "orders:read", now=now, networks=["192.0.2.0/24", "2001:db8::1"])
    [kept] = await keys.page(alice.id, after="", limit=9)
    assert kept == made.key == await keys.get(made.key.id)
    assert (kept.user_id, kept.name, kept.scopes) == (alice.id, "Till", {"orders:read"})
    assert kept.networks == ("192.0.2.0/24", "2001:db8::1/128")
    assert (kept.created_at, kept.expires_at) == (now, now + 90 * DAY)
    assert made.text.endswith(kept.hint)
    assert made.text not in repr(made)
    assert made.text[7:-6] not in f"{kept!r}"


@pytest.mark.spec("SOC-09")
async def test_a_key_that_is_being_made_does_not_outlive_the_account_changing_hands(
    house: House, keys: ApiKeyring, alice: User
) -> None:
    async with house.database.begin() as tx:
        await SqlUsers(house.database).hand_over(tx, alice.id, verified_at=clock.now())
        making = asyncio.create_task(make(keys, alice, "orders:read"))
        await asyncio.sleep(0.2)  # it has read the account as it was, and waits to write
    with pytest.raises(Conflict):
        await making
    assert await keys.page(alice.id, after="", limit=9) == []
    assert (await make(keys, alice, "orders:read")).key.user_id == alice.id


@pytest.mark.spec("KEYS-05")
async def test_a_key_has_at_most_what_its_owner_and_the_asking_credential_have(keys: ApiKeyring, alice: User) -> None:
    for scopes, within in (
        (["stock:read"], ALL),
        (["orders:read", "admin:users:read"], ALL | {"admin:users:read"}),
        (["orders:read"], frozenset({"account:write"})),
        (["orders:read", "orders:write"], frozenset({"orders:read"})),
        (["orders"], ALL),
        (["*"], ALL | {"*"}),
    ):
        with pytest.raises(Invalid) as refused:
            await make(keys, alice, *scopes, within=within)
        assert (refused.value.field, refused.value.rule) == ("scopes", "not_held")
    assert (await make(keys, alice, "orders:read", within=frozenset({"orders:read"}))).key.scopes == {"orders:read"}
    assert (await make(keys, alice, within=frozenset())).key.scopes == frozenset()


@pytest.mark.parametrize(
    ("life", "ends"),
    [
        (None, 90 * DAY),
        (SECOND, SECOND),
        (365 * DAY, 365 * DAY),
        (365 * DAY + SECOND, None),
        (0 * SECOND, None),
        (-SECOND, None),
    ],
)
async def test_the_life_of_a_key_is_bounded(
    keys: ApiKeyring, alice: User, life: timedelta | None, ends: timedelta | None
) -> None:
    now = clock.now()
    if ends is None:
        with pytest.raises(Invalid) as refused:
            await make(keys, alice, life=life, now=now)
        assert refused.value.field == "expires_in"
    else:
        assert (await make(keys, alice, life=life, now=now)).key.expires_at == now + ends


async def test_names_and_networks_are_looked_at(keys: ApiKeyring, alice: User) -> None:
    for more, field in (
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"networks": ["192.0.2.1/24"]}, "networks"),
        ({"networks": ["everywhere"]}, "networks"),
        ({"networks": ["192.0.2.1; DROP"]}, "networks"),
        ({"networks": [""]}, "networks"),
        ({"networks": ["192.0.2.1"] * (MAX_NETWORKS + 1)}, "networks"),
    ):
        with pytest.raises(Invalid) as refused:
            await make(keys, alice, **more)
        assert refused.value.field == field
    assert await keys.page(alice.id, after="", limit=9) == []
    assert (await make(keys, alice, name="  Käsetheke 密 ")).key.name == "Käsetheke 密"


async def test_nobody_makes_a_key_for_a_person_who_is_gone_or_disabled(
    house: House, keys: ApiKeyring, alice: User
) -> None:
    await house.rooms.directory.change(alice.id, UserChange(disabled=True), now=clock.now())
    for user_id in (alice.id, new_id(), "", "\0"):
        with pytest.raises(NotFound):
            await keys.create(user_id, "Till", scopes=(), within=ALL, networks=(), life=None, now=clock.now())


@pytest.mark.parametrize("more_settings", [{"API_KEYS__PER_USER": "3"}])
@pytest.mark.spec("RACE-06")
async def test_racing_creation_does_not_pass_the_limit(house: House, other_house: House, alice: User) -> None:
    rings = [house.rooms.api_keys, other_house.rooms.api_keys] * 4
    made = await asyncio.gather(*(make(one, alice) for one in rings), return_exceptions=True)
    assert len([one for one in made if isinstance(one, NewApiKey)]) == 3
    assert len([one for one in made if isinstance(one, Conflict)]) == 5
    first = (await house.rooms.api_keys.page(alice.id, after="", limit=9))[0]
    await house.rooms.api_keys.revoke(first.id, user_id=alice.id, now=clock.now())
    assert await make(house.rooms.api_keys, alice)


@pytest.mark.spec("MASS-03")
async def test_nobody_touches_another_persons_key(house: House, keys: ApiKeyring, alice: User) -> None:
    mallory, now = await add_user(house, "mallory"), clock.now()
    made = await make(keys, alice)
    for key_id in (made.key.id, new_id(), "", "\0", "\ud800", "not-a-uuid", made.key.id.upper()):
        for act in (
            keys.rename(key_id, "Mine", user_id=mallory.id, now=now),
            keys.rotate(key_id, user_id=mallory.id, overlap=timedelta(0), now=now),
            keys.revoke(key_id, user_id=mallory.id, now=now),
        ):
            with pytest.raises(NotFound):
                await act
    assert await keys.page(mallory.id, after="", limit=9) == []
    assert await keys.get(made.key.id) == made.key
    assert len(house.feed.revoked) == 0


async def test_renaming_changes_the_name_alone(keys: ApiKeyring, alice: User) -> None:
    made = await make(keys, alice)
    await keys.rename(made.key.id, " Other ", user_id=alice.id, now=clock.now())
    assert (await keys.get(made.key.id)).name == "Other"
    with pytest.raises(Invalid):
        await keys.rename(made.key.id, "a\0b", user_id=alice.id, now=clock.now())


@pytest.mark.spec("KEYS-01")
async def test_a_revoked_key_is_gone_and_cannot_be_revoked_or_rotated_again(
    house: House, keys: ApiKeyring, alice: User
) -> None:
    made = await make(keys, alice)
    await keys.revoke(made.key.id, user_id=alice.id, now=clock.now())
    assert await keys.page(alice.id, after="", limit=9) == []
    assert house.feed.revoked.has(RevocationKind.API_KEY, made.key.id)
    for act in (
        keys.revoke(made.key.id, user_id=alice.id, now=clock.now()),
        keys.rename(made.key.id, "x", user_id=alice.id, now=clock.now()),
        keys.rotate(made.key.id, user_id=alice.id, overlap=DAY, now=clock.now()),
    ):
        with pytest.raises(NotFound):
            await act


async def answer(house: House, text: str, now: datetime) -> bool:
    try:
        await whoami(house, f"Bearer {text}", now=now)
    except InvalidToken:
        return False
    return True


@pytest.mark.parametrize("remembered", [True, False])
async def test_the_old_text_works_to_the_end_of_the_overlap_and_no_longer(
    house: House, other_house: House, keys: ApiKeyring, alice: User, remembered: bool
) -> None:
    now = clock.now()
    made = await make(keys, alice, now=now)
    new = await keys.rotate(made.key.id, user_id=alice.id, overlap=timedelta(seconds=30), now=now)
    end = now + timedelta(seconds=30)
    judge = house if remembered else other_house
    for step, works in ((-1, True), (0, False), (1, False)):
        assert await answer(judge, made.text, end + step * SECOND) is works
        assert await answer(judge, new, end + step * SECOND)
        if not remembered:
            judge.resolver._api_key._remembered._known.clear()
    assert (await keys.get(made.key.id)).expires_at == made.key.expires_at


async def test_without_an_overlap_the_old_text_dies_at_once_and_a_second_rotation_ends_the_first(
    house: House, other_house: House, keys: ApiKeyring, alice: User
) -> None:
    now = clock.now()
    first = await make(keys, alice, now=now)
    assert await answer(house, first.text, now)
    second = await keys.rotate(first.key.id, user_id=alice.id, overlap=timedelta(0), now=now)
    assert [await answer(house, text, now) for text in (first.text, second)] == [False, True]
    third = await keys.rotate(first.key.id, user_id=alice.id, overlap=DAY, now=now)
    fourth = await other_house.rooms.api_keys.rotate(first.key.id, user_id=alice.id, overlap=DAY, now=now)
    await house.feed.reconcile()
    assert [await answer(house, text, now) for text in (second, third, fourth)] == [False, True, True]


@pytest.mark.parametrize("overlap", [timedelta(days=30), timedelta(0)])
async def test_an_overlap_may_last_30_days(keys: ApiKeyring, alice: User, overlap: timedelta) -> None:
    made = await make(keys, alice)
    assert await keys.rotate(made.key.id, user_id=alice.id, overlap=overlap, now=clock.now())
    for wrong in (timedelta(days=30) + SECOND, -SECOND):
        with pytest.raises(Invalid) as refused:
            await keys.rotate(made.key.id, user_id=alice.id, overlap=wrong, now=clock.now())
        assert refused.value.field == "overlap"


async def test_a_worker_whose_clock_is_behind_can_end_what_the_one_before_remembered(
    house: House, other_house: House, keys: ApiKeyring, alice: User
) -> None:
    now = clock.now()
    made = await make(keys, alice, now=now)
    second = await other_house.rooms.api_keys.rotate(
        made.key.id, user_id=alice.id, overlap=timedelta(0), now=now + timedelta(minutes=5)
    )
    await house.feed.reconcile()
    assert await answer(house, second, now)
    third = await keys.rotate(made.key.id, user_id=alice.id, overlap=timedelta(0), now=now + SECOND)
    assert [await answer(house, text, now) for text in (second, third)] == [False, True]
