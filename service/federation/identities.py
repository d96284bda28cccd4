"""The identities that are linked to accounts, and what the room needs from the ledger for that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from service.federation.provider import Identity, UpstreamTokens
from service.ledger import Transaction


@dataclass(frozen=True, slots=True)
class LinkedIdentity:
    """One identity and whose it is. `provider` is the name of the provider by which it came last, `account` what the
    person is called there, for showing."""

    id: str
    issuer: str
    subject: str
    user_id: str
    provider: str
    account: str
    linked_at: datetime
    last_used_at: datetime


class Identities(Protocol):
    """Linked identities in the ledger. Every method raises `StoreUnavailable`."""

    async def find(self, tx: Transaction, issuer: str, subject: str) -> LinkedIdentity | None:
        """By both, compared exactly."""

    async def of(self, user_id: str) -> Sequence[LinkedIdentity]:
        """One account's, in the order in which they were linked."""

    async def of_locked(self, tx: Transaction, user_id: str) -> Sequence[LinkedIdentity]:
        """The same within a transaction that holds the account."""

    async def add(self, tx: Transaction, identity: LinkedIdentity) -> None:
        """Link one. Raises `Conflict` when it is linked already, also by a racing call."""

    async def use(self, tx: Transaction, identity_id: str, *, provider: str, account: str, at: datetime) -> None:
        """It was signed in with."""

    async def remove(self, tx: Transaction, identity_id: str) -> None:
        """Unlink one, with the tokens that are kept for it."""

    async def keep_tokens(self, tx: Transaction, identity_id: str, tokens: UpstreamTokens | None) -> None:
        """Keep these, sealed, in place of those before; None keeps none."""

    async def find_tokens(self, identity_id: str, *, user_id: str) -> tuple[LinkedIdentity, UpstreamTokens] | None:
        """The tokens that are kept for one of this account's identities."""


def account_of(identity: Identity) -> str:
    """What the person is called there: address, user name or name, whichever is known."""
    return identity.email or identity.username or identity.name
