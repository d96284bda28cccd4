"""The texts of codes: what we did not make is refused with no look-up."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from secrets import token_bytes
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.codes.text import CODE_PREFIX, DEVICE_PREFIX, CodeMint, DeviceCodeMint
from service.logs import redact
from service.protocol.errors import InvalidGrant
from service.signed_text import MacKey, SignedText

KEY, OLD_KEY = MacKey(b"new!", token_bytes(32)), MacKey(b"old!", token_bytes(32))
USER, SESSION = str(UUID(int=2**127 + 1)), str(UUID(int=2**126 + 5))
CODES, DEVICE_CODES = CodeMint([KEY, OLD_KEY]), DeviceCodeMint([KEY, OLD_KEY])
Read = Callable[[str], object]
KINDS = pytest.mark.parametrize(
    ("prefix", "text", "read"),
    [
        pytest.param(CODE_PREFIX, CODES.issue(USER, SESSION)[1], CODES.read, id="code"),
        pytest.param(DEVICE_PREFIX, DEVICE_CODES.issue(SESSION)[1], DEVICE_CODES.read, id="device"),
    ],
)


def refused(read: Read, text: str) -> None:
    with pytest.raises(InvalidGrant) as refusal:
        read(text)
    assert refusal.value.public == "The grant is not valid."
    assert len(text) < 20 or text not in refusal.value.detail


@given(st.uuids().map(str), st.uuids().map(str))
def test_what_was_issued_is_read_back_and_no_two_are_alike(user_id: str, session_id: str) -> None:
    code, text = CODES.issue(user_id, session_id)
    assert CODES.read(text) == code
    assert (code.user_id, code.session_id) == (user_id, session_id)
    assert CODES.issue(user_id, session_id)[0].nonce != code.nonce
    device_code, device_text = DEVICE_CODES.issue(session_id)
    assert DEVICE_CODES.read(device_text) == device_code
    assert device_code.session_id == session_id
    assert DEVICE_CODES.issue(session_id)[0].nonce != device_code.nonce


@KINDS
@pytest.mark.spec("RFC 6749 §10.10")
@pytest.mark.spec("RFC 8628 §5.2")
def test_every_changed_bit_is_noticed(prefix: str, text: str, read: Read) -> None:
    body = text.removeprefix(prefix)
    raw = urlsafe_b64decode(body + "=" * (-len(body) % 4))
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        refused(read, prefix + urlsafe_b64encode(bytes(changed)).rstrip(b"=").decode())


@KINDS
def test_every_character_lost_added_or_in_other_case_is_noticed(prefix: str, text: str, read: Read) -> None:
    for place in range(len(text)):
        refused(read, text[:place] + text[place + 1 :])
        refused(read, text[:place] + "A" + text[place:])
        if text[place].isalpha():
            refused(read, text[:place] + text[place].swapcase() + text[place + 1 :])
    for other in ("", prefix, f"{text}=", f" {text}", f"{text}\n", text.replace(prefix, ""), "é" * len(text)):
        refused(read, other)


def test_what_was_made_for_one_purpose_is_never_taken_for_another() -> None:
    code, device_code = CODES.issue(USER, SESSION)[1], DEVICE_CODES.issue(SESSION)[1]
    refused(DEVICE_CODES.read, code)
    refused(CODES.read, device_code)
    refused(DEVICE_CODES.read, code.replace(CODE_PREFIX, DEVICE_PREFIX))
    refused(CODES.read, device_code.replace(DEVICE_PREFIX, CODE_PREFIX))
    as_long = SignedText("gp_bs_", 32, [KEY]).issue(bytes(32))
    refused(DEVICE_CODES.read, as_long.replace("gp_bs_", DEVICE_PREFIX))


def test_a_key_that_was_replaced_is_believed_and_one_that_was_withdrawn_is_not() -> None:
    for old, new in (
        (CodeMint([OLD_KEY]).issue(USER, SESSION)[1], CodeMint),
        (DeviceCodeMint([OLD_KEY]).issue(SESSION)[1], DeviceCodeMint),
    ):
        new([KEY, OLD_KEY]).read(old)
        refused(new([KEY]).read, old)
        refused(new([MacKey(OLD_KEY.id, KEY.secret)]).read, old)


@KINDS
def test_no_log_and_no_repr_shows_one(prefix: str, text: str, read: Read) -> None:
    assert text not in redact(f"before {text} after")
    assert "nonce" not in repr(read(text))
