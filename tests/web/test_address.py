"""Whose address a request came from."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.web.address import AddressRule

RULE = AddressRule([ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("::1/128")])


def address(peer: str | None, *forwarded: str, rule: AddressRule = RULE, **fields: str) -> str:
    headers = [(b"x-forwarded-for", field.encode()) for field in forwarded]
    headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    return rule.of({"type": "http", "client": None if peer is None else (peer, 443), "headers": headers})


@pytest.mark.spec("RATE-06")
@pytest.mark.parametrize(
    ("forwarded", "found"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        (["10.1.1.1, 203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, 10.1.1.1"], "203.0.113.9"),
        (["198.51.100.1, 203.0.113.9, 10.1.1.1, fd00::5"], "203.0.113.9"),
        (["203.0.113.9 ,, 10.1.1.1,"], "203.0.113.9"),
        (["::ffff:203.0.113.9"], "::ffff:203.0.113.9"),
        (["203.0.113.9, ::ffff:10.1.1.1"], "203.0.113.9"),
        (["2001:db8::7"], "2001:db8::7"),
        (["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ([], "10.0.0.1"),
        ([""], "10.0.0.1"),
        ([" , "], "10.0.0.1"),
    ],
)
def test_from_a_trusted_proxy_the_last_hop_that_is_not_ours_counts(forwarded: list[str], found: str) -> None:
    assert address("10.0.0.1", *forwarded) == found


@pytest.mark.parametrize(
    "written", ["unknown", "_hidden", "203.0.113.9:8080", "[2001:db8::7]", "<script>", "1", "a" * 9_000]
)
def test_a_hop_that_is_no_address_hides_what_stands_left_of_it(written: str) -> None:
    assert address("10.0.0.1", f"198.51.100.1, {written}") == "unknown"
    assert address("10.0.0.1", f"198.51.100.1, {written}, 10.1.1.1") == "unknown"
    assert address("10.0.0.1", f"{written}, 203.0.113.9") == "203.0.113.9"


@pytest.mark.spec("LOCK-02")
@pytest.mark.parametrize("peer", ["203.0.113.9", "11.0.0.1", "fe80::1", "::ffff:11.0.0.1"])
def test_from_anyone_else_nothing_that_is_forwarded_counts(peer: str) -> None:
    assert address(peer, "198.51.100.1") == peer
    assert address(peer, "10.1.1.1", "127.0.0.1") == peer


@pytest.mark.spec("HDR-03")
def test_no_other_field_ever_counts() -> None:
    names = ("forwarded", "x_real_ip", "cf_connecting_ip", "true_client_ip", "x_client_ip", "x_forwarded")
    others = dict.fromkeys(names, "198.51.100.1")
    assert address("10.0.0.1", **others) == "10.0.0.1"
    assert address("10.0.0.1", "203.0.113.9", **others) == "203.0.113.9"


def test_a_mapped_peer_is_the_proxy_that_it_is() -> None:
    assert address("::ffff:10.0.0.1", "203.0.113.9") == "203.0.113.9"
    assert address("::1", "203.0.113.9") == "203.0.113.9"


@pytest.mark.parametrize("peer", [None, "", "/run/gatepost.sock"])
def test_a_peer_without_an_address_is_believed_nothing(peer: str | None) -> None:
    assert address(peer, "198.51.100.1") == (peer if peer is not None else "unknown")


def test_without_trusted_proxies_the_peer_counts() -> None:
    assert address("10.0.0.1", "203.0.113.9", rule=AddressRule([])) == "10.0.0.1"


@given(
    st.lists(
        st.ip_addresses().map(str) | st.text(st.characters(codec="utf-8", exclude_characters=","), max_size=20),
        max_size=6,
    )
)
def test_what_a_stranger_writes_left_of_the_proxys_word_changes_nothing(written: list[str]) -> None:
    assert address("10.0.0.1", ",".join([*written, "203.0.113.9"])) == "203.0.113.9"
    assert address("10.0.0.1", *written, "203.0.113.9, 10.1.1.1") == "203.0.113.9"
