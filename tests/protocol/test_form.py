"""Forms have one reading."""

from urllib.parse import quote_plus

import pytest

from service.protocol.errors import InvalidRequest
from service.protocol.form import parse_form


@pytest.mark.spec("RFC 6749 §3.2")
def test_a_form_is_read_as_it_was_written() -> None:
    form = parse_form(b"grant_type=x&scope=a+b%3Ac&&flag&empty=&resource=u1&resource=u2&%C3%A9=%E2%82%AC&eq=a=b")
    assert form.find("grant_type") == "x"
    assert form.find("scope") == "a b:c"
    assert form.find("é") == "€"
    assert form.find("eq") == "a=b"
    assert form.find("flag") is form.find("empty") is form.find("") is form.find("absent") is None
    assert form.find_all("resource") == ["u1", "u2"]
    assert form.find_all("absent") == ()
    with pytest.raises(InvalidRequest):
        form.get("empty")


@pytest.mark.parametrize("text", ["a b", "é", "100%", "+", "a&b=c", "", "%2B", "\U0001f600"])
def test_what_a_form_writes_comes_back(text: str) -> None:
    assert parse_form(f"{quote_plus('ü')}={quote_plus(text)}".encode()).find("ü") == (text or None)


@pytest.mark.spec("RFC 6749 §3.1")
@pytest.mark.parametrize(
    "body",
    [
        *(b"a=1&a=2", b"a=1&b=2&a=1", b"a=&a=1", b"a&a", b"%61=1&a=2", b"=1&=2"),
        *(b"a=%", b"a=%4", b"a=%zz", b"%g1=a", b"a=%ff", b"a=\xc3\xa9", b"\xff"),
        b"&".join(b"f%d=1" % number for number in range(101)),
        b"&" * 100,
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_form(body)


def test_a_hundred_parameters_pass() -> None:
    body = b"&".join(b"f%d=%d" % (number, number) for number in range(100))
    assert parse_form(body).find("f99") == "99"
    assert parse_form(b"").find("a") is None
