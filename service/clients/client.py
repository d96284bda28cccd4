"""An application, and what the room needs from outside."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from service.clients.metadata import ClientMetadata
from service.ledger import Transaction
from service.limits import Rate

FIRST_PARTY = "gatepost"
"""The `client_id` of Gatepost's own sign-in (`/auth/login`). Not a row; it has no secret and cannot authenticate."""

CLIENT_ID_PREFIX = "gp_client_"
"""What every client id begins with; no user name may, so that Basic can tell people and clients apart."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """The SHA-256 of a secret that Gatepost made (256 random bits need no slow hash), and until when it works."""

    digest: bytes
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """One application. A public client has no secrets. `epoch` rises when what was issued to it must end. `rate` is how
    much it may ask, in place of each policy's own figure; None leaves that."""

    id: str
    name: str
    confidential: bool
    scopes: frozenset[str]
    secrets: tuple[ClientSecret, ...]
    epoch: int
    created_at: datetime
    disabled_at: datetime | None = None
    metadata: ClientMetadata = field(default_factory=ClientMetadata)
    rate: Rate | None = None

    @property
    def active(self) -> bool:
        """Whether the client may authenticate and be issued anything."""
        return self.disabled_at is None


class Clients(Protocol):
    """The clients in the ledger. Reads raise `StoreUnavailable`."""

    async def find(self, client_id: str) -> Client | None:
        """By id, compared exactly."""

    async def find_locked(self, tx: Transaction, client_id: str) -> Client | None:
        """By id, as this transaction sees it; nobody else changes the client before it ends."""

    async def page(self, *, search: str, after: str, limit: int) -> Sequence[Client]:
        """In order of id, those past `after` whose id or name contains `search`; at most `limit`."""

    async def add(self, tx: Transaction, client: Client) -> None:
        """Raises `Conflict` when the id is taken."""

    async def change(
        self,
        tx: Transaction,
        client_id: str,
        *,
        name: str,
        scopes: frozenset[str],
        disabled_at: datetime | None,
        metadata: ClientMetadata,
        rate: Rate | None,
    ) -> int:
        """Write these and raise the epoch; the new epoch. Raises `NotFound`."""

    async def replace_secrets(self, tx: Transaction, client_id: str, secrets: Sequence[ClientSecret]) -> int:
        """Put these secrets in place of all the old ones and raise the epoch; the new epoch. Raises `NotFound`."""
