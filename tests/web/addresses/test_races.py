"""Links and names that many reach for at once, in two workers, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import func, select

from service import clock
from service.accounts.account import User
from service.addresses.link import Purpose
from service.app import House
from service.protocol.errors import Conflict, DeadLink, StoreUnavailable
from service.settings import load_settings
from service.storage.sql import SqlLinks
from service.storage.sql.tables import USERS
from tests.rooms import add_user, quiet_house
from tests.servers.gatepost import settings_for

pytestmark = pytest.mark.anyio
PASSWORD = "giraffes would rather sleep"


@pytest.fixture
async def houses(sql_url: str, valkey_url: str) -> AsyncIterator[list[House]]:
    """Two workers over one SQLite file or one PostgreSQL database."""
    settings = load_settings(settings_for(sql_url, valkey_url, ACCOUNTS__REGISTRATION="open"))
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(quiet_house(settings)) for _ in range(2)]


async def link(house: House, purpose: Purpose, address: str, user: User | None = None) -> str:
    secret = await house.rooms.recovery._links.make(purpose, address, user=user, now=clock.now())
    assert secret is not None
    return secret


async def register(house: House, secret: str, name: str) -> object:
    """The account, or why there is none; a database that is overrun is asked again."""
    while True:
        try:
            return await house.rooms.registration.complete(secret, name, PASSWORD, now=clock.now())
        except StoreUnavailable:
            await asyncio.sleep(0.05)
        except (Conflict, DeadLink) as refusal:
            return refusal


@pytest.mark.spec("RACE-08")
@pytest.mark.spec("ENUM-04")
async def test_sixteen_registrations_of_one_name_are_one_row(houses: list[House]) -> None:
    links = [await link(houses[0], Purpose.REGISTER, f"racer{number}@example.org") for number in range(16)]
    spelled = ["Racer", "racer", "RACER", "rAcEr"] * 4
    made = await asyncio.gather(
        *(register(houses[n % 2], *one) for n, one in enumerate(zip(links, spelled, strict=True)))
    )
    assert sorted(type(one).__name__ for one in made) == ["Conflict"] * 15 + ["User"]
    [[count]] = await houses[0].database.fetch_all(select(func.count()).select_from(USERS))
    assert count == 1


@pytest.mark.spec("RST-01")
async def test_eight_uses_of_one_registration_link_are_one_account(houses: list[House]) -> None:
    secret = await link(houses[0], Purpose.REGISTER, "one@example.org")
    made = await asyncio.gather(*(register(houses[n % 2], secret, f"name{n}") for n in range(8)))
    assert sorted(type(one).__name__ for one in made) == ["DeadLink"] * 7 + ["User"]


@pytest.mark.spec("RST-01")
@pytest.mark.parametrize("purpose", [Purpose.RESET, Purpose.CHANGE, Purpose.VERIFY])
async def test_eight_uses_of_a_link_about_an_account_are_one(houses: list[House], purpose: Purpose) -> None:
    user = await add_user(houses[0], "ada", email="ada@example.org")
    address = "next@example.org" if purpose is Purpose.CHANGE else "ada@example.org"
    secret = await link(houses[0], purpose, address, user)

    async def use(house: House, number: int) -> str:
        while True:
            try:
                if purpose is Purpose.RESET:
                    password = f"a sentence of number {number}"
                    await house.rooms.recovery.reset(secret, password, locale="en", now=clock.now())
                else:
                    await house.rooms.verification.confirm(secret, locale="en", now=clock.now())
            except StoreUnavailable:
                await asyncio.sleep(0.05)
            except DeadLink:
                return "dead"
            else:
                return "used"

    assert sorted(await asyncio.gather(*(use(houses[n % 2], n) for n in range(8)))) == ["dead"] * 7 + ["used"]
    assert await SqlLinks(houses[0].database).find(b"", now=clock.now()) is None
