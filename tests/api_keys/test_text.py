"""The text of an API key: what is mistyped is refused with no look-up."""

import re
import zlib
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api_keys.text import PREFIX, new_key_text, parse_api_key
from service.app import House
from service.identifiers import new_id
from service.logs import redact
from service.protocol.errors import InvalidToken
from tests.rooms import counted, whoami
from tests.servers.valkey import ValkeyServer

KEY_ID = new_id()
TEXT, DIGEST, HINT = new_key_text(KEY_ID)
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def refused(text: str) -> None:
    with pytest.raises(InvalidToken) as refusal:
        parse_api_key(text)
    assert refusal.value.public == "The credential is not valid."
    assert len(text) < 20 or text not in refusal.value.detail


@given(st.uuids().map(str))
def test_a_new_text_is_read_back(key_id: str) -> None:
    text, digest, hint = new_key_text(key_id)
    read = parse_api_key(text)
    assert (read.id, read.digest) == (key_id, digest)
    assert re.fullmatch(r"gp_key_[0-9A-Za-z]{71}", text)
    assert text.endswith(hint)
    assert len(hint) == 4


@pytest.mark.spec("KEYS-01")
def test_two_texts_of_one_key_share_nothing_but_its_id() -> None:
    made = [new_key_text(KEY_ID) for _ in range(100)]
    assert len({text for text, _, _ in made}) == len({digest for _, digest, _ in made}) == 100
    assert {parse_api_key(text).id for text, _, _ in made} == {KEY_ID}


def test_the_first_and_the_last_key_there_can_be_are_read() -> None:
    for key_id in ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"):
        text, digest, _ = new_key_text(key_id)
        assert (parse_api_key(text).id, parse_api_key(text).digest) == (key_id, digest)


def test_every_mistyped_lost_or_added_character_is_noticed() -> None:
    for place in range(len(TEXT)):
        for wrong in DIGITS + "-_ é\0":
            if wrong != TEXT[place]:
                refused(TEXT[:place] + wrong + TEXT[place + 1 :])
        refused(TEXT[:place] + TEXT[place + 1 :])
        refused(TEXT[:place] + "0" + TEXT[place:])


def test_two_characters_that_changed_places_are_noticed() -> None:
    for place in range(len(TEXT) - 1):
        swapped = TEXT[:place] + TEXT[place + 1] + TEXT[place] + TEXT[place + 2 :]
        if swapped != TEXT:
            refused(swapped)


def checked(body: str) -> str:
    """The body with a right checksum."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = DIGITS[digit] + digits
    return body + digits


def test_a_right_checksum_makes_no_key_of_what_is_none() -> None:
    assert checked(TEXT[:-6]) == TEXT
    refused(checked(PREFIX + "z" * 65))  # more than fits
    refused(checked(PREFIX + "0" * 64))
    refused(checked("gp_kez_" + "0" * 65))
    assert parse_api_key(checked(PREFIX + "0" * 65)).digest == sha256(b"\0" * 32).digest()


@given(st.text(max_size=90) | st.text(alphabet=DIGITS, min_size=71, max_size=71).map(PREFIX.__add__))
def test_any_text_is_refused_and_never_a_crash(text: str) -> None:
    refused(text)


def test_a_key_never_gets_into_a_log() -> None:
    assert TEXT not in redact(f"sent {TEXT} again")
    assert TEXT[len(PREFIX) + 4 :] not in redact(f"sent {TEXT}")
    assert DIGEST.hex() not in repr(parse_api_key(TEXT))


@pytest.mark.anyio
async def test_a_mistyped_key_reaches_no_store(house: House, valkey_server: ValkeyServer) -> None:
    with counted(house, valkey_server) as asked:
        for wrong in (TEXT[:-1] + "!", TEXT[:-1], TEXT[:20] + ("a" if TEXT[20] != "a" else "b") + TEXT[21:], PREFIX):
            with pytest.raises(InvalidToken):
                await whoami(house, f"Bearer {wrong}")
    assert (asked.sql, asked.redis) == (0, 0)
    with counted(house, valkey_server) as asked, pytest.raises(InvalidToken):
        await whoami(house, f"Bearer {TEXT}")
    assert asked.sql == 1
