"""The Authorization field, byte for byte."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.logs import redact
from service.protocol.authorization import MAX_CREDENTIAL, BasicPair, BearerText, parse_authorization
from service.protocol.errors import InvalidLogin, InvalidToken, NotAuthenticated, Refusal


def basic(text: str | bytes, scheme: bytes = b"Basic") -> bytes:
    raw = text if isinstance(text, bytes) else text.encode()
    return scheme + b" " + b64encode(raw)


@pytest.mark.spec("RFC 9110 §11.1")
@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"BEARER", b"bEaReR"])
def test_the_scheme_is_compared_without_regard_to_case(scheme: bytes) -> None:
    assert parse_authorization(scheme + b" abc.def-1_~+/==") == BearerText("abc.def-1_~+/==")
    assert parse_authorization(basic("a:b", scheme.lower().replace(b"bearer", b"bAsIc"))) == BasicPair("a", "b")


@pytest.mark.spec("RFC 6750 §2.1")
@pytest.mark.parametrize(
    "credential",
    [
        b"",
        b" abc",
        b"abc ",
        b"a b",
        b"a,b",
        b"a\tb",
        b"a\x00b",
        b"a=b",
        b"=",
        b'"abc"',
        "tökén".encode(),
        b"a\r\nb",
        b"a:b",
    ],
)
def test_a_bearer_credential_has_one_alphabet(credential: bytes) -> None:
    with pytest.raises(InvalidToken):
        parse_authorization(b"Bearer " + credential)


def test_a_bearer_credential_is_bounded() -> None:
    longest = b"a" * MAX_CREDENTIAL
    assert parse_authorization(b"Bearer " + longest) == BearerText(longest.decode())
    with pytest.raises(InvalidToken):
        parse_authorization(b"Bearer " + longest + b"a")


@pytest.mark.parametrize("value", [b"", b" ", b"Bearer", b"Bearerabc", b"Bearer\tabc", b"Basic", b"Basic\tYTpi"])
def test_a_field_without_a_credential_is_refused(value: bytes) -> None:
    with pytest.raises(NotAuthenticated):
        parse_authorization(value)


@pytest.mark.parametrize("value", [b"Digest abc", b"Negotiate YTpi", b"DPoP abc", b"Basic, Bearer abc", b"\xff abc"])
def test_another_scheme_is_no_credential_of_ours(value: bytes) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        parse_authorization(value)
    assert type(refused.value) is NotAuthenticated


@pytest.mark.spec("RFC 7617 §2")
@pytest.mark.parametrize(
    ("sent", "user_id", "password"),
    [
        ("alice:secret", "alice", "secret"),
        ("alice:a:b::c", "alice", "a:b::c"),
        ("alice: blank ", "alice", " blank "),
        ("test:123£", "test", "123£"),
        ("Ålice:pässwörd 密码 🔑", "Ålice", "pässwörd 密码 🔑"),
        ("alice::", "alice", ":"),
    ],
)
def test_basic_is_utf_8_and_the_first_colon_parts_it(sent: str, user_id: str, password: str) -> None:
    assert parse_authorization(basic(sent)) == BasicPair(user_id, password)


@pytest.mark.spec("RFC 7617 §2")
@pytest.mark.parametrize(
    "sent",
    [
        *("", "alice", ":secret", "alice:", ":"),
        *(f"al{chr(code)}ice:secret" for code in (*range(32), 127)),
        *(f"alice:sec{chr(code)}ret" for code in (*range(32), 127)),
        "test:123£".encode("latin-1"),
        b"\xff\xfe:x",
        b"a:\xed\xa0\x80",
    ],
)
def test_basic_that_is_no_pair_of_clean_texts_is_refused(sent: str | bytes) -> None:
    with pytest.raises(InvalidLogin):
        parse_authorization(basic(sent))


@pytest.mark.parametrize("credential", [b"YTp", b"Y Tpi", b"YTpi\n", b" YTpi", b"YTp_", b"!!!!", b"YTpi,YTpi"])
def test_basic_that_is_not_base64_is_refused(credential: bytes) -> None:
    with pytest.raises(InvalidLogin):
        parse_authorization(b"Basic " + credential)


def test_a_basic_credential_is_bounded() -> None:
    with pytest.raises(InvalidLogin):
        parse_authorization(basic("alice:" + "a" * MAX_CREDENTIAL))


@given(st.binary(max_size=64), st.sampled_from([b"", b"Bearer ", b"Basic ", b"basic  "]))
def test_any_bytes_are_read_or_refused(noise: bytes, start: bytes) -> None:
    try:
        read = parse_authorization(start + noise)
    except Refusal:
        return
    if isinstance(read, BearerText):
        assert noise == read.text.encode()
    else:
        assert ":" not in read.user_id


@given(st.text(min_size=1).filter(lambda text: ":" not in text), st.text(min_size=1))
def test_every_clean_pair_comes_back_as_it_was_sent(user_id: str, password: str) -> None:
    try:
        sent = basic(f"{user_id}:{password}")
    except UnicodeEncodeError:
        return
    if any(ord(character) < 32 or ord(character) == 127 for character in user_id + password):
        with pytest.raises(InvalidLogin):
            parse_authorization(sent)
    else:
        assert parse_authorization(sent) == BasicPair(user_id, password)


def test_what_was_sent_shows_in_no_repr() -> None:
    assert "secret" not in repr(BasicPair("alice", "secret"))
    assert "abc" not in repr(BearerText("abc"))


@pytest.mark.parametrize("value", [b"Bearer ,", b"Basic ,", basic("nobody"), basic("a:" + "b" * 9000)])
def test_the_reason_of_a_refusal_can_be_logged_and_read(value: bytes) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        parse_authorization(value)
    assert refused.value.detail
    assert redact(refused.value.detail) == refused.value.detail
