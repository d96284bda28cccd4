"""API keys as credentials: what they may do, from where, until when, and how soon they are forgotten."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from gatepost.principal import Principal
from gatepost.revocation import Revocation, RevocationKind
from service import clock
from service.accounts.account import User
from service.accounts.change import UserChange
from service.api_keys.keyring import NewApiKey
from service.api_keys.text import new_key_text
from service.app import House, build_house
from service.identifiers import new_id
from service.protocol.errors import InvalidToken
from service.settings import Settings
from tests.rooms import add_user, counted, whoami
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)


@pytest.fixture
async def alice(house: House) -> User:
    return await add_user(house, "alice", scopes=frozenset({"stock:read"}))


async def make(house: House, owner: User, *scopes: str, **more: Any) -> NewApiKey:
    options: dict[str, Any] = {"networks": (), "life": None, "now": clock.now(), **more}
    within = frozenset({"account:read", "orders:read", "orders:write", "stock:read"})
    return await house.rooms.api_keys.create(owner.id, "Till", scopes=scopes, within=within, **options)


@pytest.fixture
async def key(house: House, alice: User) -> NewApiKey:
    return await make(house, alice, "orders:read", "stock:read")


async def ask(house: House, key: NewApiKey, **more: Any) -> Principal:
    return await whoami(house, f"Bearer {key.text}", **more)


async def refused(house: House, key: NewApiKey, **more: Any) -> str:
    with pytest.raises(InvalidToken) as refusal:
        await ask(house, key, **more)
    assert refusal.value.public == "The credential is not valid."
    return refusal.value.detail


async def test_a_key_without_scopes_grants_nothing(house: House, alice: User) -> None:
    caller = await ask(house, await make(house, alice))
    assert (caller.subject, caller.scopes) == (alice.id, frozenset())


@pytest.mark.spec("KEYS-08")
async def test_a_key_grants_what_it_and_its_owner_have_at_this_moment(
    house: House, other_house: House, alice: User, key: NewApiKey
) -> None:
    change = other_house.rooms.directory.change
    assert (await ask(house, key)).scopes == {"orders:read", "stock:read"}
    for update, left in (
        (UserChange(roles=[]), {"stock:read"}),
        (UserChange(scopes=[]), frozenset()),
        (UserChange(roles=["clerk"], scopes=["stock:read", "x"]), {"orders:read", "stock:read"}),
    ):
        await change(alice.id, update, now=clock.now())
        await house.feed.reconcile()
        for one in (house, other_house):
            assert (await ask(one, key)).scopes == left


async def test_an_unknown_key_and_a_wrong_secret_are_refused_alike_at_one_look_up(
    house: House, key: NewApiKey, valkey_server: ValkeyServer
) -> None:
    for key_id in (key.key.id, new_id()):
        with counted(house, valkey_server) as asked:
            await refused(house, NewApiKey(key.key, new_key_text(key_id)[0]))
        assert asked.sql == 1
        assert asked.redis > 0, "a failure that was not counted"


async def test_a_remembered_key_costs_no_look_up_for_a_minute(
    house: House, key: NewApiKey, valkey_server: ValkeyServer
) -> None:
    now = clock.now()
    await ask(house, key, now=now)
    with counted(house, valkey_server) as asked:
        for after in (0, 1, 59):
            await ask(house, key, now=now + after * SECOND)
    assert (asked.sql, asked.redis) == (0, 0)
    with counted(house, valkey_server) as asked:
        await ask(house, key, now=now + 60 * SECOND)
    assert asked.sql == 1


@pytest.mark.spec("KEYS-07")
@pytest.mark.parametrize("remembered", [True, False])
async def test_a_key_dies_exactly_at_its_end(house: House, alice: User, remembered: bool) -> None:
    now = clock.now()
    key = await make(house, alice, "orders:read", life=timedelta(seconds=30), now=now)
    if remembered:
        await ask(house, key, now=now)
    end = now + timedelta(seconds=30)
    assert await ask(house, key, now=end - SECOND)
    if not remembered:
        house.resolver._api_key._remembered._known.clear()
    for moment in (end, end + SECOND):
        await refused(house, key, now=moment)


async def test_networks_are_those_of_the_caller_on_every_use(house: House, alice: User) -> None:
    key = await make(house, alice, networks=["192.0.2.0/25", "2001:db8::/64", "198.51.100.9"])
    for address, is_in in (
        ("192.0.2.0", True),
        ("192.0.2.127", True),
        ("192.0.2.128", False),
        ("::ffff:192.0.2.7", True),
        ("::ffff:192.0.2.200", False),
        ("198.51.100.9", True),
        ("198.51.100.8", False),
        ("2001:db8::ffff", True),
        ("2001:db8:0:1::1", False),
        ("::192.0.2.7", False),
        ("unknown", False),
        ("", False),
        ("192.0.2.7, 203.0.113.1", False),
        ("192.0.2.7 ", False),
    ):
        for _ in range(2):
            if is_in:
                await ask(house, key, address=lambda here=address: here)
            else:
                await refused(house, key, address=lambda here=address: here)


async def test_a_key_without_networks_is_good_from_anywhere_and_nobody_asks_where(house: House, key: NewApiKey) -> None:
    def nobody() -> str:
        raise AssertionError("the address was asked for")

    assert await ask(house, key, address=nobody)


@pytest.mark.spec("KEYS-07")
async def test_the_last_use_is_written_behind_and_a_refusal_is_no_use(
    house: House, alice: User, key: NewApiKey
) -> None:
    near = await make(house, alice, networks=["192.0.2.0/24"])
    used = clock.now()
    for step in range(3):
        await ask(house, key, now=used + step * SECOND)
    await refused(house, near, address=lambda: "203.0.113.1")
    assert (await house.rooms.api_keys.get(key.key.id)).last_used_at is None
    await house.used_keys.flush()
    assert (await house.rooms.api_keys.get(key.key.id)).last_used_at == used + 2 * SECOND
    assert (await house.rooms.api_keys.get(near.key.id)).last_used_at is None


Act = Callable[[House, NewApiKey], Any]
ENDS: dict[str, Act] = {
    "revoked": lambda one, key: one.rooms.api_keys.revoke(key.key.id, user_id=key.key.user_id, now=clock.now()),
    "rotated": lambda one, key: one.rooms.api_keys.rotate(
        key.key.id, user_id=key.key.user_id, overlap=timedelta(0), now=clock.now()
    ),
    "owner disabled": lambda one, key: one.rooms.directory.change(
        key.key.user_id, UserChange(disabled=True), now=clock.now()
    ),
}
ends = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())


@ends
@pytest.mark.spec("KEYS-01")
async def test_a_remembered_key_is_forgotten_at_once_on_every_worker(
    house: House, other_house: House, key: NewApiKey, end: Act
) -> None:
    for one in (house, other_house):
        await ask(one, key)
    await end(other_house, key)
    await refused(other_house, key)
    await house.feed.reconcile()
    await refused(house, key)


@contextmanager
def between_read_and_keep(house: House, happens: Callable[[], object]) -> Iterator[None]:
    """Run something when the row has been read and nothing has been concluded from it yet."""
    engine, happened = house.database._engine.sync_engine, []

    def then(*_: object) -> None:
        if not happened:
            happened.append(happens())

    event.listen(engine, "after_cursor_execute", then)
    try:
        yield
    finally:
        event.remove(engine, "after_cursor_execute", then)
    assert happened


@ends
async def test_a_key_that_ends_between_the_read_and_the_keep_is_not_remembered(
    house: House, other_house: House, key: NewApiKey, end: Act
) -> None:
    await end(other_house, key)
    [made] = await other_house.rooms.revocations.after(0, limit=9)
    async with other_house.database.begin() as tx:  # as it was when the row was read
        await tx._connection.exec_driver_sql("UPDATE api_keys SET revoked_at = NULL, digest = ?", (key.key.digest,))
        await tx._connection.exec_driver_sql("UPDATE users SET disabled_at = NULL, epoch = 1")
    with between_read_and_keep(house, lambda: house.feed.take_in([made])):
        await ask(house, key)  # the read was before the end: this one request may pass
    assert len(house.resolver._api_key._remembered._known) == 0


@ends
async def test_a_key_that_ends_after_the_keep_is_forgotten(
    house: House, other_house: House, key: NewApiKey, end: Act
) -> None:
    await ask(house, key)
    assert len(house.resolver._api_key._remembered._known) == 1
    await end(other_house, key)
    await house.feed.reconcile()
    await refused(house, key)
    assert len(house.resolver._api_key._remembered._known) == 0


async def test_other_revocations_make_nobody_forget(house: House, key: NewApiKey, valkey_server: ValkeyServer) -> None:
    await ask(house, key)
    until = clock.now() + timedelta(hours=1)
    for kind, subject, epoch in (
        (RevocationKind.API_KEY, new_id(), 0),
        (RevocationKind.SESSION, key.key.id, 0),
        (RevocationKind.USER, new_id(), 99),
        (RevocationKind.USER, key.key.user_id, 1),
        (RevocationKind.CLIENT, key.key.user_id, 99),
        (RevocationKind.SECRET, key.key.user_id, 99),
    ):
        house.feed.revoked.add(Revocation(kind, subject, until, epoch))
    with counted(house, valkey_server) as asked:
        await ask(house, key)
    assert asked.sql == 0


async def test_no_bad_key_is_remembered_and_the_memory_is_bounded(house: House, alice: User) -> None:
    known = house.resolver._api_key._remembered._known
    known._bound = 2
    for _ in range(3):
        await ask(house, await make(house, alice))
    assert len(known) == 2
    gone = await make(house, alice)
    await house.rooms.api_keys.revoke(gone.key.id, user_id=alice.id, now=clock.now())
    before = dict(known)
    await refused(house, gone)
    assert dict(known) == before


@pytest.mark.spec("RED-01")
async def test_nothing_is_remembered_while_nobody_knows_what_was_revoked(
    house: House, settings: Settings, key: NewApiKey, valkey_server: ValkeyServer
) -> None:
    fresh = build_house(settings)  # it has never read the revocations
    for _ in range(3):
        with counted(fresh, valkey_server) as asked:
            await ask(fresh, key)
        assert asked.sql == 1
    await house.rooms.api_keys.revoke(key.key.id, user_id=key.key.user_id, now=clock.now())
    await refused(fresh, key)
    fresh.passwords.close()
    await fresh.database.close()
