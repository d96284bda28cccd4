"""Which addresses are one place."""

import pytest

from service.limits import network_of


@pytest.mark.spec("RFC 8628 §5.1")
@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_one_household_is_one_guesser(address: str, place: str) -> None:
    assert network_of(address) == place
