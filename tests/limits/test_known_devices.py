"""What a device is known by: made by us alone, for the person who signed in, for 400 days."""

from datetime import UTC, datetime, timedelta

import pytest

from service.identifiers import new_id
from service.limits import KnownDevices, Source
from service.limits.known_devices import LIFE
from service.signed_text import MacKey

NOW = datetime(2026, 11, 21, tzinfo=UTC)
KEY, OLD = MacKey(b"new.", b"n" * 32), MacKey(b"old.", b"o" * 32)
DEVICES = KnownDevices([KEY, OLD])


def test_a_device_is_known_as_what_it_was_until_400_days_after_its_last_sign_in() -> None:
    user = new_id()
    first = DEVICES.remember(user, "", now=NOW)
    [device] = DEVICES.read(first, now=NOW)
    assert Source("", [device]).known_to(user) == device
    assert Source("", [device]).known_to(new_id()) is None
    later = DEVICES.remember(user, first, now=NOW + timedelta(days=1))
    assert DEVICES.read(later, now=NOW + LIFE) == (device,)
    assert DEVICES.read(first, now=NOW + LIFE - timedelta(seconds=1)) == (device,)
    assert DEVICES.read(first, now=NOW + LIFE) == ()


def test_people_share_a_device_and_the_last_five_are_known() -> None:
    people, text = [new_id() for _ in range(7)], ""
    for user in people:
        text = DEVICES.remember(user, text, now=NOW)
    assert [device.user_id for device in DEVICES.read(text, now=NOW)] == people[:1:-1]
    assert len(text) <= 1_024


def test_a_device_is_known_under_the_secret_of_before() -> None:
    text = KnownDevices([OLD]).remember(new_id(), "", now=NOW)
    assert len(DEVICES.read(text, now=NOW)) == 1
    assert KnownDevices([KEY]).read(text, now=NOW) == ()


@pytest.mark.parametrize("text", ["", ".", "gp_kd_", "gp_kd_" + "A" * 96, "x" * 10_000, "\ud800", "é"])
def test_what_we_did_not_make_says_nothing(text: str) -> None:
    assert DEVICES.read(text, now=NOW) == ()


def test_a_changed_letter_is_noticed_and_harms_no_other_part() -> None:
    mine = DEVICES.remember(new_id(), "", now=NOW)
    both = DEVICES.remember(new_id(), mine, now=NOW)
    spoilt = both[:20] + ("A" if both[20] != "A" else "B") + both[21:]
    assert DEVICES.read(spoilt, now=NOW) == DEVICES.read(mine, now=NOW)
