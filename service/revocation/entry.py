"""One entry of the ledger of revocations, and what the room needs from the two stores."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from gatepost.revocation import Revocable, Revocation
from service.ledger import Transaction
from service.pending import Pending


@dataclass(frozen=True, slots=True)
class Entry:
    """A revocation and whose it is: `owner` is the user or client id under which the engine keeps it together."""

    revocation: Revocation
    owner: str
    why: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry with its number in the ledger. Numbers rise, but rows may become visible out of order."""

    number: int
    entry: Entry


class RevocationLedger(Protocol):
    """The revocations in SQL: the truth. Reads raise `StoreUnavailable`."""

    async def add(self, tx: Transaction, entries: Sequence[Entry]) -> Sequence[int]:
        """Write entries, however many; their numbers, in their order. They count as not yet pushed."""

    async def after(self, number: int, *, limit: int) -> Sequence[Recorded]:
        """Entries numbered above `number`, in order, at most `limit`; expired ones may be left out."""

    async def highest(self) -> int:
        """The highest number ever given, 0 for none; its entry may be gone. Lower than one that was read before only
        after the ledger was put back to an older state."""

    async def unpushed(self, *, limit: int) -> Sequence[Recorded]:
        """The outbox: entries not yet known to have reached the engine, oldest first."""

    async def mark_pushed(self, numbers: Sequence[int]) -> None:
        """Take these out of the outbox. Idempotent."""

    async def drop_expired(self) -> int:
        """Delete entries a day past their `until`; how many."""


class RevocationEngine(Protocol):
    """The revocations in Redis: fast, and believed only for what it does say."""

    async def push(self, recorded: Sequence[Recorded]) -> None:
        """Make each entry effective: close its family or raise its owner's epoch, set its blacklist key (living until
        `until`), append it to the stream. Idempotent. Raises `StoreUnavailable` when any part did not happen."""

    def tail(self) -> AsyncIterator[Sequence[Recorded]]:
        """Entries as they are appended, from the moment of the call, for ever; an empty sequence at least each second
        as a sign of life. Raises `StoreUnavailable` when the connection is lost; the caller calls again."""

    async def is_revoked(self, token: Revocable) -> bool:
        """The strict question, one round trip. False proves nothing. Raises `StoreUnavailable`."""

    def begin(self, token: Revocable) -> Pending[bool] | None:
        """The same, for who cannot wait; None where asking takes waiting, and nothing was asked."""
