"""The one configured secret, and the keys that are derived from it, one for each purpose (RFC 5869)."""

from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MINIMUM_BYTES = 32


@dataclass(frozen=True, slots=True)
class RootSecret:
    """At least 32 random bytes. `id` (4 bytes) names it in what was made under it, and tells nothing about it."""

    raw: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "RootSecret":
        """From base64url text. Raises `ValueError` when it is no base64url, short, or plainly not random."""
        stripped = text.strip()
        raw = urlsafe_b64decode(stripped + "=" * (-len(stripped) % 4))
        if len(raw) < MINIMUM_BYTES or len(set(raw)) < MINIMUM_BYTES // 2:
            raise ValueError("needs at least 32 random bytes in base64url")
        return cls(raw)

    @property
    def id(self) -> bytes:
        """Four bytes that name this secret."""
        return sha256(b"gatepost secret id" + self.derive("id")).digest()[:4]

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose; knowing one tells nothing of another."""
        return HKDF(SHA256(), 32, salt=None, info=b"gatepost/" + purpose.encode()).derive(self.raw)
