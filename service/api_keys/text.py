"""The text form of an API key: `gp_key_` + base62(id 16 · secret 32) + CRC-32 in base62.

The checksum lets a typing error be refused with no look-up, and lets scanners of leaked secrets be sure.
"""

import secrets
import zlib
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from service.protocol.errors import InvalidToken

PREFIX = "gp_key_"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_SECRET_BYTES = 32
_BODY_BYTES = 16 + _SECRET_BYTES
_BODY_DIGITS = 65
_SUM_DIGITS = 6
_TEXT_SIZE = len(PREFIX) + _BODY_DIGITS + _SUM_DIGITS
HINT_SIZE = 4


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key whose checksum is right: its id, and the SHA-256 of its secret."""

    id: str
    digest: bytes = field(repr=False)


def new_key_text(key_id: str) -> tuple[str, bytes, str]:
    """A new secret for this key id: the text that is shown once, the digest that is kept, and a hint of its end."""
    secret = secrets.token_bytes(_SECRET_BYTES)
    body = _base62(int.from_bytes(UUID(key_id).bytes + secret, "big"), _BODY_DIGITS)
    text = PREFIX + body
    text += _checksum(text)
    return text, sha256(secret).digest(), text[-HINT_SIZE:]


def parse_api_key(text: str) -> PresentedKey:
    """Read a key; no store is asked. Raises `InvalidToken` for what cannot be one."""
    body, checksum = text[:-_SUM_DIGITS], text[-_SUM_DIGITS:]
    if len(text) != _TEXT_SIZE or not text.startswith(PREFIX):
        raise InvalidToken(detail="not an API key")
    try:
        number = 0
        for digit in body[len(PREFIX) :]:
            number = number * 62 + _VALUES[digit]
        raw = number.to_bytes(_BODY_BYTES, "big")
    except (KeyError, OverflowError):
        raise InvalidToken(detail="not an API key") from None
    if checksum != _checksum(body):
        raise InvalidToken(detail="API key checksum is wrong")
    return PresentedKey(str(UUID(bytes=raw[:16])), sha256(raw[16:]).digest())


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _SUM_DIGITS)


def _base62(number: int, size: int) -> str:
    digits = []
    for _ in range(size):
        number, value = divmod(number, 62)
        digits.append(_DIGITS[value])
    return "".join(reversed(digits))
