"""One person's consent to one application, and what the room needs from the ledger."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from service.ledger import Transaction

OWN = ""
"""Stands for the service's own resource, which is meant where a request names none."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person lets an application do in their name: `agreed` has the scopes of each resource, apart, as a yes to
    something at one is none at another. `granted_at` is when the person first agreed, `updated_at` when they last
    agreed to more.
    """

    user_id: str
    client_id: str
    agreed: Mapping[str, frozenset[str]]
    granted_at: datetime
    updated_at: datetime

    @property
    def id(self) -> str:
        """By what one person's consents are told apart."""
        return self.client_id

    @property
    def scopes(self) -> frozenset[str]:
        """Everything that was agreed to, somewhere."""
        return frozenset().union(*self.agreed.values())

    @property
    def audience(self) -> tuple[str, ...]:
        """Where, beside at the service itself, in the order of the first yes."""
        return tuple(resource for resource in self.agreed if resource != OWN)

    def covers(self, scopes: Iterable[str], audience: Sequence[str] = ()) -> bool:
        """Whether the person has agreed to all of these scopes at each of these resources."""
        wanted = frozenset(scopes)
        return all(wanted <= self.agreed.get(resource, frozenset()) for resource in audience or (OWN,))

    def with_more(self, scopes: Iterable[str], audience: Iterable[str], *, now: datetime) -> "Consent":
        """The same after a yes to these scopes at these resources."""
        more, agreed = frozenset(scopes), dict(self.agreed)
        for resource in tuple(audience) or (OWN,):
            agreed[resource] = agreed.get(resource, frozenset()) | more
        return replace(self, agreed=agreed, updated_at=now)


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

    async def remove_all(self, tx: Transaction, user_id: str) -> None:
        """Forget all of one person's. The person is locked."""
