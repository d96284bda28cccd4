"""What people change about themselves."""

import asyncio

import pytest

from service import clock
from service.accounts.own_profile import OWN_CLAIMS, VOUCHED
from service.accounts.profile import PROFILE_CLAIMS
from service.app import House
from service.protocol.errors import Invalid, NotFound
from tests.rooms import add_user

pytestmark = pytest.mark.anyio


async def test_every_claim_is_a_persons_own_or_vouched_for() -> None:
    assert {*OWN_CLAIMS} | VOUCHED == {*PROFILE_CLAIMS}


@pytest.mark.spec("MASS-04")
@pytest.mark.parametrize("claim", [*sorted(VOUCHED), "email_verified", "roles", "sub"])
async def test_what_is_vouched_for_is_not_a_persons_to_say(house: House, claim: str) -> None:
    user = await add_user(house, "ada")
    with pytest.raises(Invalid):
        await house.rooms.own_profile.change(user.id, {"name": "Ada", claim: True}, now=clock.now())
    assert (await house.rooms.directory.get(user.id)).profile == {}


async def test_racing_changes_add_up(house: House, other_house: House) -> None:
    user, names = await add_user(house, "ada"), ("name", "nickname", "given_name", "family_name", "gender")
    await asyncio.gather(
        *(
            one.rooms.own_profile.change(user.id, {name: name}, now=clock.now())
            for name, one in zip(names, [house, other_house] * 3, strict=False)
        )
    )
    assert (await house.rooms.directory.get(user.id)).profile == {name: name for name in names}


async def test_nobody_has_no_profile(house: House) -> None:
    with pytest.raises(NotFound):
        await house.rooms.own_profile.change("nobody", {"name": "x"}, now=clock.now())
