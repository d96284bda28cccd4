"""Secrets at rest, and the one secret that they hang on."""

from base64 import b64encode, urlsafe_b64encode
from secrets import token_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.crypto.sealing import Sealer, Unsealable
from service.crypto.secret import MINIMUM_BYTES, RootSecret

OLD, NEW = RootSecret(token_bytes(32)), RootSecret(token_bytes(32))
PLACE = "signing_keys/k1/sealed"


@given(st.binary(max_size=64))
def test_what_was_sealed_comes_back_in_its_place(plain: bytes) -> None:
    sealed = Sealer([NEW]).seal(plain, place=PLACE)
    assert Sealer([NEW]).open(sealed, place=PLACE) == plain
    assert Sealer([NEW]).seal(plain, place=PLACE) != sealed
    assert len(plain) < 4 or plain not in sealed


def test_every_changed_bit_is_noticed() -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal(b"private", place=PLACE)
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Unsealable):
            sealer.open(bytes(changed), place=PLACE)


def test_every_shortened_or_lengthened_seal_is_refused() -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal(b"private", place=PLACE)
    for size in range(len(sealed)):
        with pytest.raises(Unsealable):
            sealer.open(sealed[:size], place=PLACE)
    with pytest.raises(Unsealable):
        sealer.open(sealed + b"\0", place=PLACE)


def test_a_seal_opens_in_no_other_place() -> None:
    sealed = Sealer([NEW]).seal(b"private", place=PLACE)
    with pytest.raises(Unsealable):
        Sealer([NEW]).open(sealed, place="signing_keys/k2/sealed")


def test_an_old_secret_still_opens_and_no_longer_seals() -> None:
    sealed = Sealer([OLD]).seal(b"private", place=PLACE)
    both = Sealer([NEW, OLD])
    assert both.open(sealed, place=PLACE) == b"private"
    with pytest.raises(Unsealable):
        Sealer([NEW]).open(sealed, place=PLACE)
    with pytest.raises(Unsealable):
        Sealer([OLD]).open(both.seal(b"private", place=PLACE), place=PLACE)


def test_each_purpose_has_its_own_key() -> None:
    derived = [NEW.derive(purpose) for purpose in ("sealing", "refresh tokens", "id", "")]
    assert len(set(derived)) == 4
    assert all(len(key) == 32 for key in derived)
    assert NEW.derive("sealing") == RootSecret(NEW.raw).derive("sealing") != OLD.derive("sealing")
    assert len({NEW.id, OLD.id}) == 2
    assert NEW.id not in NEW.raw
    assert NEW.raw.hex() not in repr(NEW)


@pytest.mark.parametrize(
    "text",
    [
        *(urlsafe_b64encode(b"\xfb" + bytes(range(size))).decode() for size in (31, 40, 64)),
        urlsafe_b64encode(b"\xfb" + bytes(range(31))).decode().rstrip("="),
        b64encode(b"\xfb\xff" + bytes(range(30))).decode(),
        "  " + urlsafe_b64encode(bytes(range(32))).decode() + "\n",
        bytes(range(32)).hex(),
    ],
)
def test_a_secret_of_enough_bytes_is_read(text: str) -> None:
    assert len(RootSecret.parse(text).raw) >= MINIMUM_BYTES


@pytest.mark.spec("KEY-05")
@pytest.mark.parametrize(
    "text",
    [
        *("", "secret", "changeme", "x" * 64, "\0" * 43, "correct horse battery staple, the longer the better it is"),
        urlsafe_b64encode(bytes(range(31))).decode(),
        urlsafe_b64encode(b"\0" * 32).decode(),
        urlsafe_b64encode(b"ab" * 16).decode(),
        urlsafe_b64encode(bytes(range(32))).decode()[:-4] + "!!!!",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    ],
)
def test_a_short_known_or_made_up_secret_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at least 32 random bytes") as refused:
        RootSecret.parse(text)
    assert len(text) < 9 or text not in str(refused.value)
