"""Whether a client's secret is right, and whether it may be tried at all."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from service.clients.client import Client
from service.limits import ProgramGuard
from service.protocol.errors import InvalidClient


class ComparesSecrets(Protocol):
    """What compares, without counting."""

    async def authenticate(self, client_id: str, secret: str, *, now: datetime) -> Client:
        """The active client of this id and secret. Raises `InvalidClient` for every reason alike."""

    def recall(self, client_id: str, secret: str, *, now: datetime) -> Client | None:
        """The same from memory alone; None says: ask `authenticate`. Raises as that does."""


class ClientSecrets:
    """Counts wrong secrets of each client by the network that they come from, and closes that network's door alone:
    from elsewhere the client goes on (CL-13). A right one costs nothing: `ProgramGuard` says how."""

    def __init__(self, secrets: ComparesSecrets, guard: ProgramGuard) -> None:
        self._secrets = secrets
        self._guard = guard

    def check_door(self, client_id: str, *, address: Callable[[], str], now: datetime, is_told: bool) -> None:
        """Raises `TooManyAttempts` while the client's door is known to be closed to this network."""
        self._guard.check(client_id, address, now=now, is_told=is_told)

    async def authenticate(self, client_id: str, secret: str, *, address: Callable[[], str], now: datetime) -> Client:
        """The active client of this id and secret. Raises `InvalidClient` for every reason alike, `TooManyAttempts`,
        `StoreUnavailable`."""
        self._guard.check(client_id, address, now=now)
        try:
            return await self._secrets.authenticate(client_id, secret, now=now)
        except InvalidClient:
            await self._guard.failed(client_id, address, now=now)
            raise

    def recall(self, client_id: str, secret: str, *, address: Callable[[], str], now: datetime) -> Client | None:
        """The same from memory alone; None says: ask `authenticate`. Whoever is refused here has to ask it too, which
        counts."""
        self._guard.check(client_id, address, now=now, is_told=False)
        return self._secrets.recall(client_id, secret, now=now)
