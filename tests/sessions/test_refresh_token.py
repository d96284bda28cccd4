"""The refresh token's form and MAC: what we did not make is refused with no look-up."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from secrets import token_bytes
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import clock
from service.app import House
from service.logs import redact
from service.protocol.errors import InvalidGrant
from service.sessions.refresh_token import MAX_GENERATION, PREFIX, RefreshToken, RefreshTokenMint
from service.signed_text import MacKey
from tests.altered import altered
from tests.rooms import add_user, counted, refresh, sign_in
from tests.servers.valkey import ValkeyServer

KEY, OLD_KEY = MacKey(b"new!", token_bytes(32)), MacKey(b"old!", token_bytes(32))
MINT, ANOTHER_WORKER = RefreshTokenMint([KEY, OLD_KEY]), RefreshTokenMint([KEY, OLD_KEY])
TOKEN = RefreshToken(str(UUID(int=2**127 + 1)), str(UUID(int=2**126 + 5)), 7)
TEXT = MINT.issue(TOKEN)
tokens = st.builds(RefreshToken, st.uuids().map(str), st.uuids().map(str), st.integers(0, 2**32 - 1))


def body_of(text: str) -> bytes:
    return urlsafe_b64decode(text.removeprefix(PREFIX))


def text_of(raw: bytes) -> str:
    return PREFIX + urlsafe_b64encode(raw).rstrip(b"=").decode()


def refused(text: str, mint: RefreshTokenMint = MINT) -> None:
    with pytest.raises(InvalidGrant) as refusal:
        mint.read(text)
    assert refusal.value.public == "The grant is not valid."
    assert len(text) < 20 or text not in refusal.value.detail


@given(tokens)
def test_what_was_issued_is_read_back_in_its_one_text_form(token: RefreshToken) -> None:
    text = MINT.issue(token)
    assert MINT.read(text) == token
    assert MINT.issue(token) == text
    assert len(text) == len(TEXT)
    assert ANOTHER_WORKER.read(text) == token


def test_of_each_family_the_last_one_that_was_made_here_is_known_and_all_others_are_read() -> None:
    mint = RefreshTokenMint([KEY])
    first, second = mint.issue(TOKEN), mint.issue(last := TOKEN._replace(generation=8))
    assert mint.read(second) is last
    assert mint.read(first) == TOKEN
    assert mint.read(first) is not TOKEN
    for place in range(len(second)):
        for other in "Aé":
            if second[place] != other:
                refused(second[:place] + other + second[place + 1 :], mint)


def test_no_more_than_a_bound_of_families_is_remembered() -> None:
    mint = RefreshTokenMint([KEY])
    made = [RefreshToken(TOKEN.user_id, str(UUID(int=number)), 0) for number in range(10_050)]
    texts = [mint.issue(token) for token in made]
    known = [mint.read(texts[number]) is made[number] for number in (0, 49, 50, 10_049)]
    assert known == [False, False, True, True]


def test_every_changed_bit_is_noticed() -> None:
    raw = body_of(TEXT)
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        refused(text_of(bytes(changed)))


def test_every_character_changed_lost_or_added_is_noticed() -> None:
    for place in range(len(TEXT)):
        for other in "A_z0=+ \0é":
            if TEXT[place] != other:
                refused(TEXT[:place] + other + TEXT[place + 1 :])
        refused(TEXT[:place] + TEXT[place + 1 :])
        refused(TEXT[:place] + "A" + TEXT[place:])
    refused(TEXT + "=")
    refused(TEXT + "\n")


@given(tokens, st.data())
def test_no_mutation_of_a_genuine_token_is_another_one(token: RefreshToken, data: st.DataObject) -> None:
    text = MINT.issue(token)
    place = data.draw(st.integers(0, len(text) - 1))
    mutated = text[:place] + data.draw(st.characters()) + text[place + 1 :]
    if mutated != text:
        refused(mutated)


@given(st.text(max_size=120) | st.text(alphabet="AB_-", min_size=96, max_size=96).map(PREFIX.__add__))
def test_any_text_is_refused_and_never_a_crash(text: str) -> None:
    refused(text)


def test_the_alphabet_of_plain_base64_is_not_read() -> None:
    text = next(
        text for text in (MINT.issue(RefreshToken(TOKEN.user_id, TOKEN.family_id, n)) for n in range(99)) if "-" in text
    )
    refused(text.replace("-", "+"))


@pytest.mark.parametrize(
    "forger",
    [
        MacKey(KEY.id, token_bytes(32)),
        MacKey(KEY.id, b""),
        MacKey(KEY.id, KEY.secret[:-1]),
        MacKey(KEY.id, OLD_KEY.secret),
        MacKey(b"none", KEY.secret),
    ],
    ids=["other key", "empty key", "shorter key", "another of our keys", "unknown key id"],
)
def test_a_token_under_another_key_is_refused(forger: MacKey) -> None:
    refused(RefreshTokenMint([forger]).issue(TOKEN))


def test_the_mac_covers_the_prefix_and_is_of_sha_256() -> None:
    body, mac = body_of(TEXT)[:40], body_of(TEXT)[40:]
    assert mac == hmac.digest(KEY.secret, PREFIX.encode() + body, sha256)
    refused(text_of(body + hmac.digest(KEY.secret, body, sha256)))
    refused(text_of(body + hmac.digest(KEY.secret, PREFIX.encode() + body, "sha512")[:32]))


def test_an_old_key_still_reads_and_no_longer_signs() -> None:
    before = RefreshTokenMint([OLD_KEY]).issue(TOKEN)
    assert MINT.read(before) == TOKEN
    assert MINT.issue(TOKEN) != before
    refused(before, RefreshTokenMint([KEY]))
    refused(TEXT, RefreshTokenMint([OLD_KEY]))


def test_no_secret_is_in_a_repr_and_a_token_never_in_a_log() -> None:
    assert KEY.secret.hex() not in repr(KEY)
    assert repr(KEY.secret) not in repr(KEY)
    assert TEXT not in redact(f"sent {TEXT} again")


@pytest.mark.anyio
@pytest.mark.spec("RFC 9700 §4.14.2")
async def test_a_forged_token_reaches_no_store(house: House, valkey_server: ValkeyServer) -> None:
    pair = await sign_in(house, await add_user(house, "alice"))
    genuine = house.rooms.pairs.read(pair.refresh_token)
    with counted(house, valkey_server) as asked:
        for forged in (
            MINT.issue(genuine),
            altered(pair.refresh_token),
            pair.refresh_token[:-1],
            pair.access.token,
            "",
        ):
            with pytest.raises(InvalidGrant):
                await refresh(house, forged)
    assert (asked.sql, asked.redis) == (0, 0)
    with counted(house, valkey_server) as asked:
        await refresh(house, pair.refresh_token)
    assert asked.redis > 0


@pytest.mark.anyio
async def test_the_last_generation_is_spent_by_nobody(house: House, valkey_server: ValkeyServer) -> None:
    pair = await sign_in(house, await add_user(house, "alice"))
    genuine = house.rooms.pairs.read(pair.refresh_token)
    for generation in (MAX_GENERATION, MAX_GENERATION + 1):
        text = house.rooms.pairs._mint.issue(RefreshToken(genuine.user_id, genuine.family_id, generation))
        with counted(house, valkey_server) as asked, pytest.raises(InvalidGrant):
            await refresh(house, text, now=clock.now())
        assert (asked.sql, asked.redis) == (0, 0)
    before_last = RefreshToken(genuine.user_id, genuine.family_id, MAX_GENERATION - 1)
    successor = await refresh(house, house.rooms.pairs._mint.issue(before_last))
    assert house.rooms.pairs.read(successor.refresh_token).generation == MAX_GENERATION
