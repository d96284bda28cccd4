"""Texts that Gatepost makes and knows again by their MAC, so that a forged one costs no look-up.

A prefix, then base64url(key id 4 · body · MAC 32) without padding. The MAC is HMAC-SHA256 under a server key over
prefix, key id and body: what was made for one purpose is never taken for another.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from gatepost.encoding import decode_segment, encode_segment

_ID = 4
_MAC = 32


@dataclass(frozen=True, slots=True)
class MacKey:
    """A MAC key with the id that texts name it by (4 bytes)."""

    id: bytes
    secret: bytes = field(repr=False)


class SignedText:
    """Signs with the first key and knows texts under any, so that a key can be rotated. `size` is the body's."""

    def __init__(self, prefix: str, size: int, keys: Sequence[MacKey]) -> None:
        self._prefix = prefix
        self._text_size = text_size(prefix, size)
        self._signing = keys[0].id
        self._begun = {key.id: hmac.new(key.secret, prefix.encode(), sha256) for key in keys}

    def issue(self, body: bytes) -> str:
        """The one text form of this body under the present key."""
        signed = self._signing + body
        return self._prefix + encode_segment(signed + _mac(self._begun[self._signing], signed)).decode()

    def read(self, text: str) -> bytes:
        """The body. Raises `ValueError` that says why, for anything that we did not make."""
        if len(text) != self._text_size or not text.startswith(self._prefix):
            raise ValueError("has another form")
        try:
            raw = decode_segment(text[len(self._prefix) :].encode("ascii"))
        except ValueError:
            raise ValueError("is not base64url in its one form") from None
        signed, mac = raw[:-_MAC], raw[-_MAC:]
        begun = self._begun.get(signed[:_ID])
        if begun is None or not hmac.compare_digest(mac, _mac(begun, signed)):
            raise ValueError("has a wrong MAC")
        return signed[_ID:]


def _mac(begun: hmac.HMAC, signed: bytes) -> bytes:
    """To go on from the key and the prefix costs half of what the whole does."""
    mac = begun.copy()
    mac.update(signed)
    return mac.digest()


def text_size(prefix: str, size: int) -> int:
    """How many characters a text has whose body has `size` bytes."""
    return len(prefix) + len(encode_segment(bytes(_ID + size + _MAC)))
