"""A session as the ledger keeps it, and what the room needs from the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from service.accounts.account import User
from service.clients.client import Client
from service.ledger import Transaction
from service.sessions.crowd import Living


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in on one device; its id is also its refresh family's and the tokens' `sid`.

    `scopes` is what was granted at sign-in; what tokens carry is never more than the person still has. `floor` is a
    generation that the family is known to have reached, `floor_at` when; both lag by the write-behind, 1 s at most.
    `audience` is whom its tokens are for (empty: this service's own), `parent_id` the hosted sign-in in which it was
    granted to a client; `offline` outlives that sign-in (OpenID Connect Core §11).
    """

    id: str
    user_id: str
    client_id: str
    scopes: frozenset[str]
    created_at: datetime
    auth_time: datetime
    amr: tuple[str, ...]
    acr: str | None
    ends_at: datetime
    last_used_at: datetime
    floor: int = 0
    floor_at: datetime | None = None
    user_agent: str = ""
    address: str = ""
    ended_at: datetime | None = None
    ended_why: str = ""
    audience: tuple[str, ...] = ()
    parent_id: str | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True)
class SessionStanding:
    """All that one joined read says of a session: itself, its owner, its client (None for the first-party sign-in)."""

    session: Session
    user: User
    client: Client | None


class Reached(NamedTuple):
    """How far a family has come, to be written behind: `generation` since `at`."""

    generation: int
    at: datetime


class Sessions(Protocol):
    """The sessions in the ledger. Reads raise `StoreUnavailable`."""

    async def find_standing(self, session_id: str) -> SessionStanding | None:
        """Session, owner and client in one read; ended and disabled ones too. A client row that is gone: None here
        while `session.client_id` is not the first-party id."""

    async def page(self, *, user_id: str, after: str, limit: int, now: datetime) -> Sequence[Session]:
        """One person's sessions that have not ended, newest id last, past `after`."""

    async def add(self, tx: Transaction, session: Session) -> None:
        """Keep a new session."""

    async def end(self, tx: Transaction, session_id: str, *, user_id: str, why: str, now: datetime) -> Sequence[str]:
        """End one, and what was granted in it but for offline sessions; the ids, its own first.

        None when there is no such living session of this person.
        """

    async def adopt(self, tx: Transaction, parent_id: str, heir_id: str, *, user_id: str) -> None:
        """Make the living sessions that were granted in one hosted sign-in those of another of the same person."""

    async def is_living(self, tx: Transaction, session_id: str, *, now: datetime) -> bool:
        """Whether a session lives; then it does until the transaction ends, so that nothing is granted in one that
        is being ended."""

    async def end_all(
        self, tx: Transaction, *, user_id: str, why: str, now: datetime, but: str | None = None
    ) -> Sequence[str]:
        """End all of a person's living sessions except `but`; the ids of those that this call ended."""

    async def end_of_client(
        self, tx: Transaction, *, user_id: str, client_id: str, why: str, now: datetime
    ) -> Sequence[str]:
        """End all of a person's living sessions of one client; the ids of those that this call ended."""

    async def children(self, parent_id: str, *, now: datetime) -> Sequence[Session]:
        """The living sessions that were granted in this hosted sign-in, in order of id."""

    async def count(self, tx: Transaction, *, user_id: str, now: datetime) -> int:
        """How many living sessions a person has, those that this transaction has added among them."""

    async def crowd(self, tx: Transaction, *, user_id: str, now: datetime) -> Sequence[Living]:
        """A person's living sessions; who asks the same for this person waits until the transaction ends, so that
        each sees what the others have added and ended."""

    async def end_idle(
        self, tx: Transaction, session_ids: Sequence[str], *, user_id: str, why: str, now: datetime
    ) -> Sequence[str]:
        """End those of these that live and that nobody else is ending or using at this moment: for them nobody waits.
        The ids of those that this call ended."""

    async def write_behind(self, reached: Mapping[str, Reached]) -> None:
        """Raise floors and last uses of many sessions in one statement batch; never lowers one."""
