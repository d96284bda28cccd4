"""Guessing a password: what it closes, for whom, for how long, and whom it never shuts out."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from service import clock
from service.accounts.account import User
from service.app import House
from service.limits import KnownDevice, Source
from service.protocol.errors import InvalidLogin, TooManyAttempts
from tests.rooms import HERE, add_user
from tests.servers.gatepost import PASSWORD, SHIPPED
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
MINUTE = timedelta(minutes=1)
NEW = "seven swans a-swimming"
NARROW = {**SHIPPED, "LIMITS__NETWORK_FAILURES": "10", "LIMITS__NETWORK_PACE": "1h"}


def stranger(number: int) -> Source:
    """One of 65,000 addresses."""
    return Source(f"198.18.{number // 256}.{number % 256}")


def at_home(user: User, device_id: str = "01a1ffa3-048a-755c-b61e-0491e6cb98e3") -> Source:
    """A device that this person has signed in on."""
    return Source("198.18.0.1", [KnownDevice(user.id, device_id)])


async def guess(house: House, name: str, source: Source, password: str = "wrong") -> str:
    """`in`, `no` or `closed`."""
    try:
        await house.rooms.sign_in.check(name, password, source=source)
    except InvalidLogin:
        return "no"
    except TooManyAttempts as refusal:
        return "closed" if timedelta(0) < refusal.retry_after <= 15 * MINUTE else "closed for how long?"
    return "in"


async def close(house: House, name: str) -> None:
    """Fail as five strangers."""
    assert [await guess(house, name, stranger(number)) for number in range(5)] == ["no"] * 5
    assert await guess(house, name, stranger(99), PASSWORD) == "closed"


@pytest.mark.spec("LOCK-05")
async def test_five_failures_from_anywhere_close_an_account_and_nothing_more_is_compared(
    house: House, other_house: House, ada: User, compared: list[str]
) -> None:
    await close(house, "ada")
    assert len(compared) == 5
    assert await guess(other_house, "ADA", stranger(7), PASSWORD) == "closed"
    assert len(compared) == 5


@pytest.mark.spec("ENUM-03")
async def test_a_name_that_nobody_has_is_closed_alike(house: House, ada: User) -> None:
    for name in ("nobody", "nobody@example.org", "ada@example.org"):
        await close(house, name)
    assert await guess(house, "ada", HERE, PASSWORD) == "in", "an address says nothing about whose it is"


@pytest.mark.spec("LOCK-10")
async def test_a_name_like_another_s_address_closes_nobody_elses_door(house: House, ada: User) -> None:
    await add_user(house, "ada.example.org")
    await close(house, "ada.example.org")
    assert await guess(house, "ada@example.org", HERE, PASSWORD) == "in"
    assert await guess(house, "ada", HERE, PASSWORD) == "in"


@pytest.mark.spec("LOCK-05")
async def test_a_known_device_is_not_shut_out_and_answers_for_itself_alone(house: House, ada: User) -> None:
    await close(house, "ada")
    assert await guess(house, "ada", at_home(ada), PASSWORD) == "in"
    assert [await guess(house, "ada", at_home(ada)) for _ in range(5)] == ["no"] * 5
    assert await guess(house, "ada", at_home(ada), PASSWORD) == "closed"
    second = at_home(ada, "01a1ffa3-048a-755c-b61e-0491e6cb9800")
    assert await guess(house, "ada@example.org", second, PASSWORD) == "in"


async def test_a_device_of_one_person_is_a_stranger_to_another(house: House, ada: User) -> None:
    bob = await add_user(house, "bob")
    await close(house, "ada")
    assert await guess(house, "ada", at_home(bob), PASSWORD) == "closed"


async def test_each_failure_of_one_network_at_one_account_takes_longer(house: House, ada: User) -> None:
    outcomes = [await guess(house, "ada", HERE) for _ in range(3)]
    while outcomes[-1] == "no":
        outcomes.append(await guess(house, "ada", HERE))
    assert outcomes in (["no"] * 3 + ["closed"], ["no"] * 4 + ["closed"]), "the fourth, when it comes within a second"
    assert await guess(house, "ada", stranger(1), PASSWORD) == "in"


@pytest.mark.spec("LOCK-07")
async def test_a_success_forgets_the_failures_at_that_account_and_no_others(house: House, ada: User) -> None:
    await add_user(house, "eve")
    for number in range(4):
        await guess(house, "ada", stranger(number))
    assert await guess(house, "eve", stranger(1), PASSWORD) == "in"
    assert await guess(house, "ada", stranger(9)) == "no"
    assert await guess(house, "ada", stranger(10), PASSWORD) == "closed"
    for _ in range(3):
        for number in range(2):
            assert await guess(house, "eve", stranger(number)) == "no"
        assert await guess(house, "eve", HERE, PASSWORD) == "in"


@pytest.mark.spec("LOCK-07")
@pytest.mark.parametrize("more_settings", [NARROW])
async def test_who_signs_in_between_does_not_clear_the_network_of_what_it_failed(house: House, ada: User) -> None:
    for number in range(10):
        assert await guess(house, f"user{number}", HERE) == "no"
        assert await guess(house, "ada", at_home(ada), PASSWORD) == "in"
        assert number == 9 or await guess(house, "ada", HERE, PASSWORD) == "in"
    assert await closes(house, HERE)
    assert await guess(house, "ada", at_home(ada), PASSWORD) == "in"
    assert await guess(house, "ada", stranger(1), PASSWORD) == "in"


async def closes(house: House, source: Source) -> bool:
    """Whether another failure or two close a network: its first closures last for a second or two."""
    return "closed" in [await guess(house, f"more{number}", source) for number in range(4)]


@pytest.mark.spec("RACE-04")
async def test_racing_guesses_on_two_workers_get_no_more_tries_than_patient_ones(
    house: House, other_house: House, ada: User, compared: list[str]
) -> None:
    racing = [guess((house, other_house)[n % 2], "ada", stranger(n), f"guess {n}") for n in range(40)]
    outcomes = await asyncio.gather(*racing)
    assert outcomes.count("no") == 5
    assert outcomes.count("closed") == 35
    assert len(compared) == 5


async def test_racing_sign_ins_of_one_person_all_get_in(house: House, other_house: House, ada: User) -> None:
    racing = [guess((house, other_house)[n % 2], "ada", HERE, PASSWORD) for n in range(24)]
    assert await asyncio.gather(*racing) == ["in"] * 24


@pytest.mark.parametrize("more_settings", [{**SHIPPED, "LIMITS__STOP_AFTER": "9"}])
async def test_many_failures_in_a_row_stop_and_a_new_password_opens(
    house: House, ada: User, valkey_server: ValkeyServer
) -> None:
    for number in range(9):
        forget_time(valkey_server)
        assert await guess(house, "ada", stranger(number)) == "no", number
    forget_time(valkey_server)
    assert await guess(house, "ada", stranger(99), PASSWORD) == "closed"
    assert await guess(house, "ada", at_home(ada), PASSWORD) == "in"
    assert await guess(house, "ada", stranger(99), PASSWORD) == "closed", "what opens it is a new password"
    await house.rooms.directory.set_password(ada.id, NEW, now=clock.now())
    assert await guess(house, "ada", stranger(99), NEW) == "in"


async def test_the_present_password_is_asked_for_no_more_than_five_times_in_a_row(house: House, ada: User) -> None:
    async def change(current: str) -> None:
        options: dict[str, Any] = {"new": NEW, "keep_session": None, "now": clock.now()}
        await house.rooms.directory.change_own_password(ada.id, current=current, **options)

    for _ in range(5):
        with pytest.raises(Exception, match="current password"):
            await change("wrong")
    with pytest.raises(TooManyAttempts):
        await change(PASSWORD)
    assert await guess(house, "ada", HERE, PASSWORD) == "in", "another door"


def forget_time(valkey_server: ValkeyServer) -> None:
    """Every door is open again, and nothing is forgotten."""
    with valkey_server.client() as raw:
        for key in raw.scan_iter("gp:*:n:*"):
            raw.hset(key, "u", 0)


async def test_a_stranger_at_many_addresses_neither_gets_in_nor_keeps_the_owner_out(
    house: House, other_house: House, ada: User, compared: list[str]
) -> None:
    """The full form is in tests/long/."""
    for number in range(0, 600, 20):
        hand = range(number, number + 20)
        racing = [guess((house, other_house)[n % 2], "ada", stranger(n), f"guess {n}") for n in hand]
        assert "in" not in await asyncio.gather(*racing)
        if number % 200 == 0:
            assert await guess(house, "ada", at_home(ada), PASSWORD) == "in"
    assert len([password for password in compared if password != PASSWORD]) == 5


@pytest.mark.spec("LOCK-02")
@pytest.mark.parametrize("more_settings", [NARROW])
async def test_a_spray_of_one_password_over_many_accounts_is_slowed(
    house: House, other_house: House, compared: list[str]
) -> None:
    outcomes: list[str] = []
    for number in range(0, 80, 4):
        hand = range(number, number + 4)
        racing = [guess((house, other_house)[n % 2], f"user{n}", Source(f"2001:db8::{n:x}")) for n in hand]
        outcomes += await asyncio.gather(*racing)
    assert "in" not in outcomes
    assert outcomes.count("no") <= 40, "ten, three that raced with the tenth, and one for each second or two, four ..."
    assert len(compared) == outcomes.count("no")
    assert await guess(house, "user1", Source("2001:db8:0:1::1")) == "no"
