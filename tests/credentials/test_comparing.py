"""How secrets are looked up and compared: what is wrong with one does not change what is done."""

import hmac

import pytest
from sqlalchemy import event

from service import clock
from service.api_keys.keyring import NewApiKey
from service.api_keys.text import _DIGITS, PREFIX, _base62, _checksum, parse_api_key
from service.app import House
from service.protocol.errors import InvalidToken
from tests.rooms import add_user, whoami

pytestmark = pytest.mark.anyio


@pytest.mark.spec("TIM-02")
async def test_no_store_and_no_comparison_sees_a_part_of_a_secret(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked up by id alone, remembered and compared as digests of the whole: a right beginning takes no longer."""
    owner, keys = await add_user(house, "alice"), house.rooms.api_keys
    key = await keys.create(owner.id, "Till", scopes=(), within=frozenset(), networks=(), life=None, now=clock.now())
    right = parse_api_key(key.text)
    asked: list[object] = []
    compared: list[tuple[object, object]] = []
    real = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    def note(_: object, __: object, ___: object, values: object, *____: object) -> None:
        asked.append(values)

    engine = house.database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    monkeypatch.setattr(hmac, "compare_digest", compare)
    for other in (altered_secret(key, 0), altered_secret(key, -1)):
        with pytest.raises(InvalidToken, match="wrong secret"):
            await whoami(house, f"Bearer {other}")
    assert (await whoami(house, f"Bearer {key.text}")).credential_id == right.id
    event.remove(engine, "before_cursor_execute", note)

    presented = [one for pair in compared for one in pair]
    assert {len(one) for one in presented if isinstance(one, bytes)} == {0, 32}, "whole digests, and no previous one"
    assert right.digest in presented
    assert len(compared) == 6, "two of each try, whatever is wrong"
    assert [value for value in asked if key.text[-40:] in repr(value) or right.digest.hex() in repr(value)] == []
    assert [right.id in repr(value) for value in asked[:3]] == [True] * 3


def altered_secret(key: NewApiKey, place: int) -> str:
    """The same key with another byte in one place of its secret, and the checksum that goes with it."""
    number = 0
    for digit in key.text[len(PREFIX) : -6]:
        number = number * 62 + _DIGITS.index(digit)
    raw = bytearray(number.to_bytes(48, "big"))
    raw[16 if place == 0 else -1] ^= 1
    text = PREFIX + _base62(int.from_bytes(raw, "big"), 65)
    return text + _checksum(text)
