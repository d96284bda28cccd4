"""The refresh token: a signed name of a family and a generation, so that a forged one costs no look-up.

`gp_rt_` + base64url(key id 4 · user id 16 · family id 16 · generation 4 · MAC 32), big-endian, no padding. The MAC is
HMAC-SHA256 under a server key, so the successor of a generation is always the same token and no store holds one.
"""

import struct
from collections.abc import Sequence
from hmac import compare_digest
from typing import NamedTuple

from service.bounded import Bounded
from service.identifiers import packed_id, unpacked_id
from service.protocol.errors import InvalidGrant
from service.signed_text import MacKey, SignedText, text_size

PREFIX = "gp_rt_"
_BODY = struct.Struct(">16s16sI")
SIZE = text_size(PREFIX, _BODY.size)
"""Characters of every refresh token, all of base64url."""

_NAMES = len(PREFIX) + 48
"""Up to here a token names a key, a person and a family: 36 bytes."""

MAX_GENERATION = 2**32 - 2


class RefreshToken(NamedTuple):
    """What a genuine token says. `user_id` and `family_id` are UUIDs as text."""

    user_id: str
    family_id: str
    generation: int


class RefreshTokenMint:
    """Makes and reads refresh tokens. The first key signs; all keys are accepted, so that a key can be rotated.

    The last one that was made here of each of 10,000 families is known again as it is. That tells nobody more than the
    key does, which lies beside it.
    """

    def __init__(self, keys: Sequence[MacKey]) -> None:
        self._signed = SignedText(PREFIX, _BODY.size, keys)
        self._last: Bounded[str, tuple[str, RefreshToken]] = Bounded()

    def issue(self, token: RefreshToken) -> str:
        """The one text form of this family and generation under the present key."""
        body = _BODY.pack(packed_id(token.user_id), packed_id(token.family_id), token.generation)
        text = self._signed.issue(body)
        self._last.keep(text[:_NAMES], (text, token))
        return text

    def read(self, text: str) -> RefreshToken:
        """Check form and MAC; no store is asked. Raises `InvalidGrant` for anything that we did not make."""
        last = self._last.get(text[:_NAMES])
        if last is not None and text.isascii() and compare_digest(last[0], text):
            return last[1]
        try:
            user, family, generation = _BODY.unpack(self._signed.read(text))
        except ValueError as problem:
            raise InvalidGrant(detail=f"refresh token {problem}") from None
        return RefreshToken(unpacked_id(user), unpacked_id(family), generation)
