"""Base64url and JSON with exactly one reading: what any two parsers could take differently is refused."""

import json
import math
from binascii import a2b_base64, b2a_base64
from typing import NoReturn

MAX_DEPTH = 16
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/???")  # `?` is in no alphabet
_FROM_STANDARD = bytes.maketrans(b"+/", b"-_")


class MalformedError(ValueError):
    """The bytes are not in the one form that is read here."""


def decode_segment(segment: bytes) -> bytes:
    """Decode unpadded base64url that has exactly one spelling (RFC 7515 §2). Raises `ValueError` otherwise."""
    standard = segment.translate(_TO_STANDARD) + b"=" * (-len(segment) % 4)
    decoded = a2b_base64(standard)
    # The decoder skips what it does not know and ignores left-over bits, so equality is the only proof.
    if b2a_base64(decoded, newline=False) != standard:
        raise MalformedError("not canonical base64url")
    return decoded


def encode_segment(raw: bytes) -> bytes:
    """Unpadded base64url (RFC 7515 §2)."""
    return b2a_base64(raw, newline=False).translate(_FROM_STANDARD).rstrip(b"=")


def parse_json_object(raw: bytes) -> dict[str, object]:
    """Parse one JSON object, with exactly one reading: see `parse_json`. Raises as it does, and for another value."""
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise MalformedError("not a JSON object")
    return value


def parse_json(raw: bytes) -> object:
    """Parse one JSON value: UTF-8, no member twice at any level, finite numbers, whole characters, 16 levels.

    Raises `ValueError` or `RecursionError` for anything else.
    """
    text = raw.decode("utf-8")
    value: object = _DECODER.decode(text)
    if text.count("{") + text.count("[") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise MalformedError("nested too deep")
    if "\\u" in text:  # an escaped lone surrogate is a string that nobody can encode again
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedError("a member comes twice")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise MalformedError("a number is out of range")
    return number


def _refuse_constant(_: str) -> NoReturn:
    raise MalformedError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant)


def _deeper_than(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper_than(item, levels - 1) for item in inner)
