"""One person's consent to one application, and what the room needs from the ledger."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from service.ledger import Transaction


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person lets an application do in their name, and at which resources beside the service's own.

    `granted_at` is when the person first agreed, `updated_at` when they last agreed to more.
    """

    user_id: str
    client_id: str
    scopes: frozenset[str]
    audience: tuple[str, ...]
    granted_at: datetime
    updated_at: datetime

    @property
    def id(self) -> str:
        """By what one person's consents are told apart."""
        return self.client_id

    def covers(self, scopes: Iterable[str], audience: Iterable[str] = ()) -> bool:
        """Whether the person has agreed to all of this already."""
        return self.scopes.issuperset(scopes) and set(self.audience).issuperset(audience)


class Consents(Protocol):
    """The consents in the ledger. Reads raise `StoreUnavailable`."""

    async def find(self, user_id: str, client_id: str) -> Consent | None:
        """What this person has agreed to for this client; any texts are a valid question."""

    async def find_locked(self, tx: Transaction, user_id: str, client_id: str) -> Consent | None:
        """The same as this transaction sees it; until it ends nobody else grants or withdraws for this person.

        Raises `NotFound` when there is no such person.
        """

    async def find_in(self, tx: Transaction, user_id: str, client_id: str) -> Consent | None:
        """The same as this transaction sees it, which holds the person already (`Users.is_current`): who withdraws
        waits for its end."""

    async def page(self, *, user_id: str, after: str, limit: int) -> Sequence[Consent]:
        """One person's consents in order of client id, past `after`."""

    async def put(self, tx: Transaction, consent: Consent) -> None:
        """Keep a consent in place of the one before. The person is locked (`find_locked`)."""

    async def remove(self, tx: Transaction, user_id: str, client_id: str) -> bool:
        """Forget one; whether there was one."""
