"""A signing key as it is kept, and what the room needs from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gatepost.tokens import KeySet
from service.ledger import Transaction


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key. Published from `created_at`, signs in [`signs_from`, `signs_until`), verifies until `verifies_until`.

    `public_jwk` is empty for HS256. `sealed` is the private part, encrypted. None for an end means that it is open.
    """

    kid: str
    algorithm: str
    public_jwk: Mapping[str, str]
    sealed: bytes = field(repr=False)
    created_at: datetime
    signs_from: datetime
    signs_until: datetime | None = None
    verifies_until: datetime | None = None
    compromised_at: datetime | None = None

    def signs(self, now: datetime) -> bool:
        """Whether the key may sign at `now`."""
        return (
            self.compromised_at is None
            and self.signs_from <= now
            and (self.signs_until is None or now < self.signs_until)
        )

    def verifies(self, now: datetime) -> bool:
        """Whether tokens of this key may still be accepted at `now`."""
        return self.compromised_at is None and (self.verifies_until is None or now < self.verifies_until)


class SigningKeys(Protocol):
    """The keys in the ledger. Reads raise `StoreUnavailable`."""

    async def all(self) -> Sequence[SigningKey]:
        """Every key that is kept, oldest first."""

    async def all_locked(self, tx: Transaction) -> Sequence[SigningKey]:
        """The same, as this transaction sees it; nobody else adds or changes one before it ends."""

    async def add(self, tx: Transaction, key: SigningKey) -> None:
        """Keep a new key."""

    async def set_ends(self, tx: Transaction, kid: str, *, signs_until: datetime, verifies_until: datetime) -> None:
        """Write both ends. Raises `NotFound`."""

    async def mark_compromised(self, tx: Transaction, kid: str, *, now: datetime) -> None:
        """Stop signing and verifying with it at once. Raises `NotFound`."""


class KeyForge(Protocol):
    """Makes key material and opens it again."""

    def make(self, algorithm: str, *, now: datetime) -> SigningKey:
        """A new key that signs from now on; its private part sealed."""

    def signing(self, key: SigningKey) -> "SignsBytes":
        """The key, ready to sign. Raises `ValueError` when it cannot be opened under the configured secrets."""

    def verifying(self, keys: Sequence[SigningKey]) -> KeySet:
        """The keys, ready to verify; those that cannot be opened are left out."""


class SignsBytes(Protocol):
    """One key, prepared once."""

    def sign(self, claims: Mapping[str, object], *, typ: str) -> str:
        """A compact JWS over the claims (RFC 7515 §7.1)."""

    def sign_payload(self, payload: bytes, *, typ: str) -> str:
        """The same over claims that are base64url already."""
