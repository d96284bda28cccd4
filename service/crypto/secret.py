"""The one configured secret, and the keys that are derived from it, one for each purpose (RFC 5869)."""

import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MINIMUM_BYTES = 32
_RULE = "needs at least 32 random bytes in base64url; make them with: gatepost config secret"
_BASE64 = re.compile(r"[A-Za-z0-9_-]*={0,2}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]*", re.ASCII)
_PUBLISHED = {"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7"}  # FastAPI's tutorial


@dataclass(frozen=True, slots=True)
class RootSecret:
    """At least 32 random bytes. `id` (4 bytes) names it in what was made under it, and tells nothing about it."""

    raw: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "RootSecret":
        """From base64url or hexadecimal text. Raises `ValueError` when it is neither, short, published, or plainly not
        random: random base64 of this length has letters of both cases."""
        stripped = text.strip().translate({ord("+"): "-", ord("/"): "_"})
        is_hex = bool(_HEX.fullmatch(stripped)) and len(stripped) % 2 == 0
        if not _BASE64.fullmatch(stripped) or (not is_hex and stripped in {stripped.lower(), stripped.upper()}):
            raise ValueError(_RULE)
        raw = bytes.fromhex(stripped) if is_hex else urlsafe_b64decode(stripped + "=" * (-len(stripped) % 4))
        if len(raw) < MINIMUM_BYTES or len(set(raw)) < MINIMUM_BYTES // 2 or stripped in _PUBLISHED:
            raise ValueError(_RULE)
        return cls(raw)

    @property
    def id(self) -> bytes:
        """Four bytes that name this secret."""
        return sha256(b"gatepost secret id" + self.derive("id")).digest()[:4]

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose; knowing one tells nothing of another."""
        return HKDF(SHA256(), 32, salt=None, info=b"gatepost/" + purpose.encode()).derive(self.raw)
