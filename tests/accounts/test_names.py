"""User names and e-mail addresses."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.accounts.names import email_key, login_key, parse_email, parse_username, username_key
from service.clients.client import CLIENT_ID_PREFIX
from service.protocol.errors import Invalid


@pytest.mark.parametrize("name", ["a", "7", "Alice", "alice.b-c_d", "a" * 64, "gp", "gp-1", "gpx_", "A.."])
def test_a_plain_name_is_taken_as_it_is(name: str) -> None:
    assert parse_username(name) == name


@pytest.mark.spec("ENUM-04")
@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "alice ", " alice", "al ice", "alice\n", "alice\r\n", "\nalice", "alice\x00", "al\tice", "a" * 65),
        *(".alice", "-alice", "_alice", "alice@example.com", "alice:x", "alice/../bob", "ali%63e"),
        *(
            "\u0430lice",
            "\uff41lice",
            "alice\u200b",
            "alice\u200e",
            "\u202ealice",
            "álice",
            "al\u0131ce",
            "alice\u0301",
            "①",
            "\U0001d41alice",
        ),
        *("gp_alice", "GP_alice", "Gp_", CLIENT_ID_PREFIX, CLIENT_ID_PREFIX + "1", "\ud800"),
    ],
)
def test_a_name_that_could_be_taken_for_another_or_for_a_client_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_username(name)
    assert refused.value.field == "username"


def test_names_that_differ_in_case_alone_are_one() -> None:
    assert username_key("ALICE") == username_key("alice") == username_key("aLiCe")


@pytest.mark.parametrize(
    "address",
    ["a@b.co", "Alice.B+tag@Example.COM", "ünï@exämple.de", "用户@例子.公司", "a" * 64 + "@example.com", "o'neil@x.ie"],
)
def test_an_address_is_kept_as_it_was_written(address: str) -> None:
    assert parse_email(address) == unicodedata.normalize("NFC", address)


@pytest.mark.parametrize(
    "address",
    [
        *("", "alice", "@", "a@", "@example.com", "a@b", "a@.com", "a@b..com", "a@b.com.", "a@b.com\n", "a\n@b.com"),
        *("a@b@c.com", "a b@c.com", "a@b c.com", "<a@b.com>", "a,b@c.com", "a@b.com,c@d.com", "a;b@c.com", 'a"b@c.com'),
        *("a\x00@b.com", "a@b\x00.com", "a\u200b@b.com", "a\u202e@b.com", "\ud800@b.com", "a@b.com\u2028", "a\\@b.com"),
        *("a" * 65 + "@example.com", "a@" + "b" * 64 + ".com", "a@" + "b." * 126 + "com", "(a)@b.com", "a:b@c.com"),
    ],
)
def test_what_is_no_address_or_hides_something_is_refused(address: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_email(address)
    assert refused.value.field == "email"


def test_spellings_of_one_address_share_a_key() -> None:
    spellings = [
        "Zoë@Example.com",
        "zoë@example.com",
        "ZOË@EXAMPLE.COM",
        "zoe\u0308@example.com",
        "\uff5aoë@example.com",
    ]
    assert len({email_key(parse_email(spelling)) for spelling in spellings}) == 1
    assert email_key("zoe@example.com") != email_key("zoë@example.com")


@given(st.text(max_size=40))
def test_a_key_is_the_key_of_itself(text: str) -> None:
    for key_of in (username_key, email_key, login_key):
        assert key_of(key_of(text)) == key_of(text)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True), st.emails())
def test_no_name_has_the_key_of_an_address(name: str, address: str) -> None:
    assert login_key(name) != login_key(address)
    assert "@" in login_key(address)
