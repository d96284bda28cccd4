"""One spelling of base64url, one reading of JSON."""

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.encoding import decode_segment, encode_segment, parse_json_object

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.spec("RFC 7515 §2")
@given(raw=st.binary(max_size=100))
def test_what_is_encoded_is_decoded_again(raw: bytes) -> None:
    assert encode_segment(raw) == urlsafe_b64encode(raw).rstrip(b"=")
    assert decode_segment(encode_segment(raw)) == raw


@given(text=st.text(ALPHABET + "+/= \n.", max_size=12))
def test_two_texts_never_decode_to_the_same_bytes(text: str) -> None:
    try:
        decoded = decode_segment(text.encode())
    except ValueError:
        return
    assert encode_segment(decoded).decode() == text


@pytest.mark.parametrize("text", ["A", "AB", "AAB", "AA==", "AA=", "A A", "AAA+", "AAA/", "AAAA\n", "é", "AAAAA", "="])
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # binascii's own errors count too, and have many texts
        decode_segment(text.encode())


@pytest.mark.spec("RFC 8259 §4")
@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":{"b":1,"b":2}}',
        '[{"a":1,"a":2}]',
        '{"a":NaN}',
        '{"a":-Infinity}',
        '{"a":1e999}',
        '{"a":01}',
        '{"a":1}x',
        '{"a":1,}',
        "{'a':1}",
        '{"a":"\n"}',
        '{"a":"\\ud800"}',
        '{"\\udc00":1}',
        "[]",
        "1",
        '"a"',
        "null",
        "",
        "\ufeff{}",
        '{"a":' + "1" * 5000 + "}",
        '{"a":' * 16 + "{}" + "}" * 16,
    ],
)
def test_json_with_two_readings_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the standard library's own errors count too
        parse_json_object(text.encode())


@pytest.mark.parametrize("raw", [b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b"\xff\xfe{\x00}\x00"])
def test_json_that_is_not_utf_8_is_refused(raw: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        parse_json_object(raw)


def test_plain_json_is_read() -> None:
    text = ' {"a": [1, 2.5, true, null, {"b": "\\ud83d\\ude00 ü"}]} '
    assert parse_json_object(text.encode()) == {"a": [1, 2.5, True, None, {"b": "😀 ü"}]}
    assert parse_json_object(b'{"a":' * 15 + b"{}" + b"}" * 15)
