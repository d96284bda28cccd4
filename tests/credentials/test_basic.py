"""HTTP Basic: what a pair costs, how long it is remembered, and how soon it is forgotten."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gatepost.principal import Principal
from service import clock
from service.accounts.account import User
from service.accounts.change import UserChange
from service.app import House
from service.clients.client import Client
from service.clients.registry import ClientChange
from service.protocol.authorization import BasicPair
from service.protocol.errors import InvalidLogin, TooBusy
from tests.rooms import HERE, add_user, counted, whoami
from tests.servers.gatepost import PASSWORD
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
NEW = "seven swans a-swimming"
SECOND = timedelta(seconds=1)


@pytest.fixture
async def alice(house: House) -> User:
    return await add_user(house, "alice")


@pytest.fixture
async def till(house: House) -> tuple[Client, str]:
    client, secret = await house.rooms.clients.create(
        "Till", confidential=True, scopes=["orders:read"], now=clock.now()
    )
    assert secret is not None
    return client, secret


async def ask(house: House, name: str, password: str, **more: Any) -> Principal:
    return await whoami(house, "Basic " + b64encode(f"{name}:{password}".encode()).decode(), **more)


async def refused(house: House, name: str, password: str, **more: Any) -> None:
    with pytest.raises(InvalidLogin) as refusal:
        await ask(house, name, password, **more)
    assert refusal.value.public == "The user name or password is not right."


class Hashes:
    """How many times a password was compared; `then` runs in the thread that has just compared one."""

    def __init__(self, house: House) -> None:
        self.made = 0
        self.then: Callable[[], object] = lambda: None
        self._verify = house.passwords._context.verify_and_update

    def compare(self, password: str, stored: str) -> object:
        self.made += 1
        verdict = self._verify(password, stored)
        self.then()
        return verdict


@pytest.fixture
def hashes(house: House, monkeypatch: pytest.MonkeyPatch) -> Hashes:
    watched = Hashes(house)
    monkeypatch.setattr(house.passwords._context, "verify_and_update", watched.compare)
    return watched


@pytest.mark.spec("BAS-04")
async def test_a_password_may_hold_colons_and_any_letters(house: House) -> None:
    password = "a:b::c päß 密码 🔑 "
    user = await house.rooms.directory.create("bob", password, email=None, roles=(), scopes=(), now=clock.now())
    assert (await ask(house, "bob", password)).subject == user.id
    await refused(house, "bob", password.rstrip())


@pytest.mark.spec("BAS-07")
async def test_polling_costs_one_hash_a_minute_and_no_look_up(
    house: House, alice: User, hashes: Hashes, valkey_server: ValkeyServer
) -> None:
    now = clock.now()
    await ask(house, "alice", PASSWORD, now=now)
    with counted(house, valkey_server) as asked:
        for after in range(60):
            await ask(house, "alice", PASSWORD, now=now + after * SECOND)
    assert (hashes.made, asked.sql, asked.redis) == (1, 0, 0)
    await ask(house, "alice", PASSWORD, now=now + 60 * SECOND)
    assert hashes.made == 2
    await ask(house, "Alice", PASSWORD, now=now + 60 * SECOND)  # another pair, another hash
    assert hashes.made == 3


async def test_no_wrong_pair_is_remembered_and_each_costs_a_hash(house: House, alice: User, hashes: Hashes) -> None:
    for _ in range(2):
        for name, password in (("alice", PASSWORD + "x"), ("nobody", PASSWORD), ("alic", "e:" + PASSWORD)):
            await refused(house, name, password)
    assert hashes.made == 6
    assert len(house.resolver._basic._remembered._known) == 0


async def test_the_memory_holds_neither_password_nor_secret(
    house: House, alice: User, till: tuple[Client, str]
) -> None:
    await ask(house, "alice", PASSWORD)
    await ask(house, till[0].id, till[1])
    known = house.resolver._basic._remembered._known
    assert len(known) == 2
    assert all(len(digest) == 32 for digest in known)
    for secret in (PASSWORD, till[1]):
        assert secret not in repr(known)
        assert secret.encode() not in b"".join(known)


Act = Callable[[House, User], Any]
ENDS: dict[str, Act] = {
    "own password": lambda one, user: one.rooms.directory.change_own_password(
        user.id, current=PASSWORD, new=NEW, keep_session=None, now=clock.now()
    ),
    "password set": lambda one, user: one.rooms.directory.set_password(user.id, NEW, now=clock.now()),
    "disabled": lambda one, user: one.rooms.directory.change(user.id, UserChange(disabled=True), now=clock.now()),
}
ends = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())


@ends
@pytest.mark.spec("BAS-07")
async def test_a_remembered_pair_is_forgotten_at_once_on_every_worker(
    house: House, other_house: House, alice: User, end: Act
) -> None:
    for one in (house, other_house):
        await ask(one, "alice", PASSWORD)
    await end(other_house, alice)
    await refused(other_house, "alice", PASSWORD)
    await house.feed.reconcile()
    await refused(house, "alice", PASSWORD)


@ends
async def test_a_pair_that_ends_while_it_is_being_checked_is_not_remembered(
    house: House, other_house: House, alice: User, hashes: Hashes, end: Act
) -> None:
    await end(other_house, alice)
    made = await other_house.rooms.revocations.after(0, limit=9)
    async with other_house.database.begin() as tx:  # as it was when the row was read
        await tx._connection.exec_driver_sql(
            "UPDATE users SET disabled_at = NULL, epoch = 1, password_hash = ?", (alice.password_hash,)
        )
    hashes.then = lambda: house.feed.take_in(made)
    await ask(house, "alice", PASSWORD)  # the read was before the end: this one request may pass
    assert len(house.resolver._basic._remembered._known) == 0


async def test_a_role_that_was_taken_away_is_gone_at_once(house: House, other_house: House, alice: User) -> None:
    assert "orders:read" in (await ask(house, "alice", PASSWORD)).scopes
    await other_house.rooms.directory.change(alice.id, UserChange(roles=[]), now=clock.now())
    await house.feed.reconcile()
    assert "orders:read" not in (await ask(house, "alice", PASSWORD)).scopes


@pytest.mark.spec("BAS-06")
async def test_a_person_with_a_second_factor_cannot_use_a_password_alone(house: House) -> None:
    await add_user(house, "bob", second_factor_at=clock.now())
    await refused(house, "bob", PASSWORD)


@pytest.mark.spec("CL-12")
@pytest.mark.parametrize("remembered", [True, False])
async def test_a_clients_old_secret_works_to_the_end_of_the_overlap(
    house: House, till: tuple[Client, str], remembered: bool
) -> None:
    (client, old), now = till, clock.now()
    new = await house.rooms.clients.rotate_secret(client.id, overlap=timedelta(seconds=30), now=now)
    end = now + timedelta(seconds=30)
    for step in (-1, 0, 1):
        if step < 0:
            assert (await ask(house, client.id, old, now=end + step * SECOND)).subject == client.id
        else:
            await refused(house, client.id, old, now=end + step * SECOND)
        assert (await ask(house, client.id, new, now=end + step * SECOND)).subject == client.id
        if not remembered:
            house.resolver._basic._remembered._known.clear()


async def test_a_clients_pair_is_forgotten_when_its_secret_or_it_ends(
    house: House, other_house: House, till: tuple[Client, str]
) -> None:
    client, old = till
    await ask(house, client.id, old)
    new = await other_house.rooms.clients.rotate_secret(client.id, overlap=timedelta(0), now=clock.now())
    await house.feed.reconcile()
    await refused(house, client.id, old)
    assert (await ask(house, client.id, new)).scopes == {"orders:read"}
    await other_house.rooms.clients.change(client.id, ClientChange(scopes=[]), now=clock.now())
    await house.feed.reconcile()
    assert (await ask(house, client.id, new)).scopes == frozenset()
    await other_house.rooms.clients.change(client.id, ClientChange(disabled=True), now=clock.now())
    await house.feed.reconcile()
    await refused(house, client.id, new)


async def test_a_client_that_changes_while_its_secret_is_checked_is_not_remembered(
    house: House, other_house: House, till: tuple[Client, str]
) -> None:
    client, secret = till
    basic = house.resolver._basic
    standing = await basic._check_client(BasicPair(client.id, secret), lambda: HERE.address, clock.now())
    await other_house.rooms.clients.rotate_secret(client.id, overlap=timedelta(0), now=clock.now())
    await house.feed.reconcile()
    basic._remembered.keep(b"digest", standing, now=clock.now())
    assert len(basic._remembered._known) == 0


@pytest.mark.spec("CC-06")
async def test_a_person_can_never_be_taken_for_a_client(house: House, till: tuple[Client, str]) -> None:
    await add_user(house, till[0].id)  # no room would make such a person
    await refused(house, till[0].id, PASSWORD)
    assert (await ask(house, till[0].id, till[1])).kind == "client"


@pytest.mark.parametrize("more_settings", [{"PASSWORDS__HASH_THREADS": "1", "PASSWORDS__HASH_QUEUE": "2"}])
async def test_more_guesses_than_can_be_judged_are_put_off_and_remembered_callers_go_on(
    house: House, alice: User
) -> None:
    await ask(house, "alice", PASSWORD)
    guesses = [ask(house, "alice", f"guess {number}") for number in range(10)]
    outcomes = await asyncio.gather(*guesses, ask(house, "alice", PASSWORD), return_exceptions=True)
    assert [type(one) for one in outcomes].count(TooBusy) == 7
    assert [type(one) for one in outcomes].count(InvalidLogin) == 3
    assert isinstance(outcomes[-1], Principal)
