"""An API key as it is kept, and what the room needs from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from service.accounts.account import User
from service.ledger import Transaction
from service.limits import Rate


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key of one person. `digest` is the SHA-256 of its secret; `previous_digest` still works until
    `previous_until`. Empty `scopes` grant nothing; empty `networks` mean that any address may use it. `rate` is how
    much may be asked with it, in place of each policy's own figure; None leaves that."""

    id: str
    user_id: str
    name: str
    hint: str
    digest: bytes
    scopes: frozenset[str]
    networks: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    previous_digest: bytes | None = None
    previous_until: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    rate: Rate | None = None


class ApiKeys(Protocol):
    """The keys in the ledger. Reads raise `StoreUnavailable`."""

    async def find_with_owner(self, key_id: str) -> tuple[ApiKey, User] | None:
        """A key and its owner in one read; revoked, expired and disabled ones too."""

    async def page(self, *, user_id: str, after: str, limit: int) -> Sequence[ApiKey]:
        """One person's keys that are not revoked, in order of id, past `after`."""

    async def add(self, tx: Transaction, key: ApiKey, *, at_most: int) -> None:
        """Raises `Conflict` when the person has `at_most` unrevoked keys already, exactly also under racing calls."""

    async def rename(self, tx: Transaction, key_id: str, *, user_id: str, name: str) -> None:
        """Raises `NotFound` for an unknown, revoked or another person's key."""

    async def set_rate(self, tx: Transaction, key_id: str, *, user_id: str, rate: Rate | None) -> Rate | None:
        """Put this figure in place of the present one, which is the answer. Raises `NotFound` as `rename` does."""

    async def replace_secret(
        self, tx: Transaction, key_id: str, *, user_id: str, digest: bytes, hint: str, old_until: datetime | None
    ) -> None:
        """Put the new secret in place and let the present one work until `old_until`; with None it is forgotten, so
        that no clock which is behind still takes it. Raises `NotFound`."""

    async def revoke(self, tx: Transaction, key_id: str, *, user_id: str, now: datetime) -> bool:
        """Revoke; False when there is no such unrevoked key of this person."""

    async def revoke_all(self, tx: Transaction, *, user_id: str, now: datetime) -> Sequence[str]:
        """Revoke every key of a person; the ids of those that this call revoked."""

    async def touch(self, used: Mapping[str, datetime]) -> None:
        """Write the last use of many keys at once; never moves one back."""
