"""A new password takes with it what somebody else may have set in motion."""

import pytest

from service import clock
from service.addresses import Purpose
from service.addresses.letter import LetterKind
from service.app import House
from service.limits.known_devices import Source
from tests.rooms import add_user
from tests.servers.gatepost import PASSWORD

pytestmark = pytest.mark.anyio
HERE = Source("192.0.2.7")
NEW = "quiet otters count pebbles"


async def test_a_change_of_address_that_waits_to_be_sent_does_not_outlive_a_new_password(house: House) -> None:
    user, now = await add_user(house, "ada", email="ada@example.org"), clock.now()
    other = await add_user(house, "bob", email="bob@example.org")
    for one, address in ((user, "thief@example.net"), (other, "bob@example.net")):
        await house.rooms.verification.ask_change(one.id, address, password=PASSWORD, source=HERE, locale="en", now=now)
    secret = await house.rooms.recovery._links.make(Purpose.RESET, "ada@example.org", user=user, now=now)
    assert secret is not None

    await house.rooms.recovery.reset(secret, NEW, locale="en", now=now)

    waiting = await house.rooms.recovery._letters.due(now=clock.now(), limit=9)
    assert {(letter.kind, letter.user_id) for letter in waiting} == {
        (LetterKind.CHANGE, other.id),
        (LetterKind.PASSWORD_CHANGED, user.id),
    }
