"""A person's account, and what the room needs from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from service.ledger import Transaction


@dataclass(frozen=True, slots=True)
class User:
    """One person. `scopes` are the person's own, beside those that `roles` bring; `epoch` rises whenever credentials
    issued before must be looked at anew (roles, scopes, password, disabled). `profile` is what the person tells
    applications, by the names of the standard claims (OpenID Connect Core §5.1)."""

    id: str
    username: str
    email: str | None
    password_hash: str | None
    roles: frozenset[str]
    scopes: frozenset[str]
    epoch: int
    created_at: datetime
    disabled_at: datetime | None = None
    second_factor_at: datetime | None = None
    profile: Mapping[str, object] = field(default_factory=dict)
    email_verified_at: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether the person may sign in at all."""
        return self.disabled_at is None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password was right, and a new hash to keep when the stored one is of older parameters."""

    right: bool
    replacement: str | None = None


class PasswordHashes(Protocol):
    """The slow hash, off the event loop, a bounded number at a time."""

    async def hash(self, password: str) -> str:
        """A new hash of a normalised password. Raises `TooBusy` when too many are waiting."""

    async def verify(self, password: str, stored: str | None) -> Verdict:
        """Compare; with `stored=None` (nobody of that name) it costs the same and says no. Raises `TooBusy`."""


class Users(Protocol):
    """The accounts in the ledger. Reads raise `StoreUnavailable`; names are compared by their keys (`names.py`)."""

    async def find(self, user_id: str) -> User | None:
        """By id; any text is a valid question."""

    async def find_locked(self, tx: Transaction, user_id: str) -> User | None:
        """By id, as this transaction sees it; until it ends nobody else changes the account or who is administrator."""

    async def is_current(self, tx: Transaction, user_id: str, epoch: int) -> bool:
        """Whether the account is still at this epoch; then it stays there until the transaction ends."""

    async def find_by_login(self, key: str) -> User | None:
        """By the key of a user name or of an e-mail address (keys of the two never look alike)."""

    async def page(self, *, search: str, after: str, limit: int) -> Sequence[User]:
        """In order of id, those past `after` whose user name or e-mail contains `search`; at most `limit`."""

    async def has_any_admin(self) -> bool:
        """Whether any account holds the role `admin` and is not disabled."""

    async def add(self, tx: Transaction, user: User) -> None:
        """Raises `Conflict` when the user name or e-mail is taken, also by a racing call."""

    async def change(
        self,
        tx: Transaction,
        user_id: str,
        *,
        roles: frozenset[str],
        scopes: frozenset[str],
        email: str | None,
        disabled_at: datetime | None,
    ) -> int:
        """Write these and raise the epoch; the new epoch. Raises `NotFound`, `Conflict`."""

    async def set_profile(
        self, tx: Transaction, user_id: str, *, profile: Mapping[str, object], email_verified_at: datetime | None
    ) -> None:
        """Replace what the person tells applications. The epoch stays: no credential rests on it."""

    async def set_password(self, tx: Transaction, user_id: str, password_hash: str) -> int:
        """Replace the hash and raise the epoch; the new epoch. Raises `NotFound`."""

    async def hand_over(self, tx: Transaction, user_id: str, *, verified_at: datetime) -> int:
        """The address is proven by its owner, who has the account from now on: without password, second factor or
        profile. The new epoch. Raises `NotFound`."""

    async def set_email(self, tx: Transaction, user_id: str, email: str, *, verified_at: datetime) -> int:
        """Replace the address by a proven one and raise the epoch; the new epoch. Raises `NotFound`, `Conflict`."""

    async def verify_email(self, tx: Transaction, user_id: str, key: str, *, at: datetime) -> bool:
        """The address of this key is proven, if it is still the account's. The epoch stays."""

    async def rehash(self, user_id: str, *, old: str, new: str) -> None:
        """Replace `old` by `new` only if `old` is still there: a racing password change wins. Epoch stays."""

    async def count_active_admins(self, tx: Transaction) -> int:
        """How many enabled accounts hold the role `admin`, with the rows locked where possible."""


class SetupLinks(Protocol):
    """The single-use links that make the first administrator; kept as digests."""

    async def add(self, tx: Transaction, digest: bytes, *, expires_at: datetime) -> None:
        """Keep one more link."""

    async def is_live(self, digest: bytes, *, now: datetime) -> bool:
        """Whether the link is unused and unexpired; uses nothing up."""

    async def take(self, tx: Transaction, digest: bytes, *, now: datetime) -> bool:
        """Use the link up; of any number of racing calls one gets True."""
