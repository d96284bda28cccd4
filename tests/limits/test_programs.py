"""Secrets that programs hold: failures close a door to their network, and to nobody who has been there before."""

import asyncio
from base64 import b64encode
from datetime import datetime, timedelta

import pytest

from gatepost.principal import Principal
from service import clock
from service.accounts.account import User
from service.api_keys.text import new_key_text
from service.app import House
from service.identifiers import new_id
from service.protocol.errors import InvalidLogin, InvalidToken, TooManyAttempts
from tests.limits.test_sign_in import close, guess, stranger
from tests.rooms import counted, whoami
from tests.servers.gatepost import PASSWORD, SHIPPED
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
THERE = "198.51.100.7"
FIVE = {**SHIPPED, "LIMITS__NETWORK_FAILURES": "5", "LIMITS__PROGRAM_FAILURES": "5", "LIMITS__NETWORK_PACE": "1h"}


async def ask(house: House, value: str, address: str = THERE, now: datetime | None = None) -> Principal:
    return await whoami(house, value, address=lambda: address, now=now or clock.now())


def basic(name: str, password: str) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


async def wrong_key(house: House) -> None:
    with pytest.raises(InvalidToken):
        await ask(house, f"Bearer {new_key_text(new_id())[0]}")


@pytest.fixture
async def key(house: House, ada: User) -> str:
    """An API key of ada's."""
    options = {"within": frozenset[str](), "networks": (), "life": None, "now": clock.now()}
    return (await house.rooms.api_keys.create(ada.id, "till", scopes=(), **options)).text  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("more_settings", [FIVE])
async def test_wrong_keys_close_their_network_to_keys_that_were_never_seen(
    house: House, other_house: House, key: str, ada: User, valkey_server: ValkeyServer
) -> None:
    for number in range(4):
        await wrong_key((house, other_house)[number % 2])
    now = clock.now()
    assert (await ask(house, f"Bearer {key}")).subject == ada.id
    await wrong_key(house)
    with counted(house, valkey_server) as asked, pytest.raises(TooManyAttempts):
        await ask(house, f"Bearer {new_key_text(new_id())[0]}", now=now)
    assert (asked.sql, asked.redis) == (0, 0)
    house.resolver._api_key._remembered._known.clear()  # its minute is over
    assert (await ask(house, f"Bearer {key}", now=now)).subject == ada.id, "who has been here before goes on"
    assert (await ask(house, f"Bearer {key}", "198.51.100.8")).subject == ada.id
    await wrong_key(other_house)  # it has not seen a failure since
    with pytest.raises(TooManyAttempts):
        await ask(other_house, f"Bearer {new_key_text(new_id())[0]}")


@pytest.mark.parametrize("more_settings", [FIVE])
async def test_a_key_that_has_expired_is_no_guess(house: House, ada: User) -> None:
    options = {"within": frozenset[str](), "networks": (), "life": timedelta(seconds=1)}
    made = await house.rooms.api_keys.create(ada.id, "old", scopes=(), now=clock.now(), **options)  # type: ignore[arg-type]  # by name
    for _ in range(9):
        with pytest.raises(InvalidToken):
            await ask(house, f"Bearer {made.text}", now=clock.now() + timedelta(minutes=1))


@pytest.mark.spec("BAS-06")
async def test_failures_by_basic_close_the_account_everywhere(house: House, ada: User) -> None:
    for number in range(5):
        with pytest.raises(InvalidLogin):
            await ask(house, basic("ada", f"guess {number}"), f"198.18.0.{number}")
    with pytest.raises(TooManyAttempts):
        await ask(house, basic("ada", PASSWORD), "198.18.0.9")
    assert await guess(house, "ada", stranger(9), PASSWORD) == "closed"


async def test_who_polls_with_basic_is_not_shut_out_by_strangers(house: House, ada: User) -> None:
    now = clock.now()
    await ask(house, basic("ada", PASSWORD), now=now)
    await close(house, "ada")
    later = now + timedelta(minutes=2)  # the pair is not remembered any more: it is compared again
    assert (await ask(house, basic("ada", PASSWORD), now=later)).subject == ada.id


@pytest.mark.spec("CL-13")
@pytest.mark.parametrize("more_settings", [FIVE])
async def test_wrong_secrets_close_a_client_to_their_network_alone_and_right_ones_ask_no_store(
    house: House, other_house: House, valkey_server: ValkeyServer
) -> None:
    made = [
        await house.rooms.clients.create(name, confidential=True, scopes=[], now=clock.now()) for name in ("a", "b")
    ]
    (victim, secret), (neighbour, its_secret) = made
    for number in range(5):
        with pytest.raises(InvalidLogin):
            await ask(house, basic(victim.id, f"guess {number}"))
    with pytest.raises(TooManyAttempts):
        await ask(house, basic(victim.id, secret or ""))
    assert (await ask(house, basic(neighbour.id, its_secret or ""))).subject == neighbour.id
    assert (await ask(house, basic(victim.id, secret or ""), "198.51.100.8")).subject == victim.id
    await other_house.rooms.client_directory.find(victim.id)
    with counted(house, valkey_server) as asked:
        assert (await ask(other_house, basic(victim.id, secret or ""))).subject == victim.id
    assert asked.redis == 0, "a worker learns of a closed door by a failure of its own"
    with pytest.raises(InvalidLogin):
        await ask(other_house, basic(victim.id, "wrong"))
    with pytest.raises(TooManyAttempts):
        await ask(other_house, basic(victim.id, "another"))


@pytest.mark.spec("RACE-04")
@pytest.mark.parametrize("more_settings", [FIVE])
async def test_racing_failures_are_all_counted(house: House, other_house: House) -> None:
    async def fail(number: int) -> type[Exception]:
        with pytest.raises((InvalidLogin, TooManyAttempts)) as refusal:
            await ask((house, other_house)[number % 2], basic("gp_client_x", f"guess {number}"))
        return type(refusal.value)

    await asyncio.gather(*(fail(number) for number in range(32)))
    assert await asyncio.gather(*(fail(number) for number in range(2))) == [TooManyAttempts] * 2
