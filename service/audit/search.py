"""Looking for rows: by what they say, newest first; and taking away what is personal in a person's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from service.audit.event import Event, Kind
from service.audit.record import Record
from service.ledger import Transaction


@dataclass(frozen=True, slots=True)
class Sought:
    """What rows must say; what is empty may be anything. `person` is whom it is about or who did it; `until` is the
    first moment that is too late."""

    kind: str = ""
    outcome: str = ""
    subject: str = ""
    actor: str = ""
    person: str = ""
    client_id: str = ""
    target: str = ""
    request_id: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def texts(self) -> tuple[str, ...]:
        """Every text in it."""
        who = (self.subject, self.actor, self.person, self.client_id)
        return (self.kind, self.outcome, self.target, self.request_id, *who)


class FindsRecords(Protocol):
    """The rows, to be looked through. Every method raises `StoreUnavailable`."""

    async def find(self, sought: Sought, *, before: str, limit: int) -> Sequence[Record]:
        """Newest first, those whose id is smaller than `before` if that is not empty; at most `limit`."""

    async def count(self, sought: Sought) -> int:
        """How many there are."""

    async def erase(self, tx: Transaction, user_id: str) -> int:
        """Take away what is personal in every row that is about a person or by one; how many had anything."""


class Notes(Protocol):
    """An act in progress."""

    @property
    def tx(self) -> Transaction:
        """Its transaction."""

    async def note(self, event: Event) -> None:
        """Write down what it does."""


async def erase_person(act: Notes, rows: FindsRecords, user_id: str) -> int:
    """Erase a person as part of an act, which is noted; the chain stays verifiable. How many rows."""
    count = await rows.erase(act.tx, user_id)
    await act.note(Event(Kind.AUDIT_ERASED, subject=user_id, detail={"count": count}))
    return count
