"""The refresh token: a signed name of a family and a generation, so that a forged one costs no look-up.

`gp_rt_` + base64url(key id 4 · user id 16 · family id 16 · generation 4 · MAC 32), big-endian, no padding. The MAC is
HMAC-SHA256 under a server key, so the successor of a generation is always the same token and no store holds one.
"""

import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from gatepost.encoding import decode_segment, encode_segment
from service.protocol.errors import InvalidGrant

PREFIX = "gp_rt_"
_BODY = struct.Struct(">4s16s16sI")
_MAC_SIZE = 32
_TEXT_SIZE = len(PREFIX) + 96
MAX_GENERATION = 2**32 - 2


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What a genuine token says. `user_id` and `family_id` are UUIDs as text."""

    user_id: str
    family_id: str
    generation: int


@dataclass(frozen=True, slots=True)
class RefreshKey:
    """A MAC key with the id that tokens name it by (4 bytes)."""

    id: bytes
    secret: bytes = field(repr=False)


class RefreshTokenMint:
    """Makes and reads refresh tokens. The first key signs; all keys are accepted, so that a key can be rotated."""

    def __init__(self, keys: Sequence[RefreshKey]) -> None:
        self._signing = keys[0]
        self._keys = {key.id: key.secret for key in keys}

    def issue(self, token: RefreshToken) -> str:
        """The one text form of this family and generation under the present key."""
        body = _BODY.pack(self._signing.id, UUID(token.user_id).bytes, UUID(token.family_id).bytes, token.generation)
        return PREFIX + encode_segment(body + self._mac(self._signing.secret, body)).decode()

    def read(self, text: str) -> RefreshToken:
        """Check form and MAC; no store is asked. Raises `InvalidGrant` for anything that we did not make."""
        if len(text) != _TEXT_SIZE or not text.startswith(PREFIX):
            raise InvalidGrant(detail="not a refresh token")
        try:
            raw = decode_segment(text[len(PREFIX) :].encode("ascii"))
        except ValueError:
            raise InvalidGrant(detail="refresh token is not base64url in its one form") from None
        body, mac = raw[: _BODY.size], raw[_BODY.size :]
        key_id, user, family, generation = _BODY.unpack(body)
        secret = self._keys.get(key_id)
        if secret is None or not hmac.compare_digest(mac, self._mac(secret, body)):
            raise InvalidGrant(detail="refresh token has a wrong MAC")
        return RefreshToken(str(UUID(bytes=user)), str(UUID(bytes=family)), generation)

    @staticmethod
    def _mac(secret: bytes, body: bytes) -> bytes:
        return hmac.digest(secret, PREFIX.encode() + body, sha256)
