"""Clients by id, remembered: what every authorization and token request looks up first."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from service.bounded import Bounded
from service.clients.client import CLIENT_ID_PREFIX, Client, Clients
from service.clients.metadata import AUTHORIZATION_CODE, NO_SECRET, REFRESH_TOKEN, ClientMetadata
from service.revocation.feed import RevocationFeed

DOCS_CLIENT_ID = "gatepost-docs"
_LIFE = timedelta(minutes=1)
_NEVER = -1


def docs_client(public_url: str, scopes: Iterable[str]) -> Client:
    """The preset client of the page `/docs`: public, on our own address alone, asking consent like any other."""
    metadata = ClientMetadata(
        redirect_uris=(f"{public_url}/docs/oauth2-redirect",),
        grant_types=frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN}),
        auth_method=NO_SECRET,
    )
    return Client(
        id=DOCS_CLIENT_ID,
        name="Gatepost API documentation",
        confidential=False,
        scopes=frozenset(scopes),
        secrets=(),
        epoch=0,
        created_at=datetime.fromtimestamp(0, UTC),
        metadata=metadata,
    )


class _Known(NamedTuple):
    """A row, until when it is believed, and the version of what is revoked at which it was last held against that."""

    client: Client
    until: datetime
    version: int


class ClientDirectory:
    """Every client that there is: rows, and the preset ones, which are none.

    A row is remembered for a minute and forgotten as soon as the feed shows that the client, or its secret, has
    changed. While this worker cannot know what has changed, it asks the ledger each time. What is unknown is never
    remembered.
    """

    def __init__(
        self, clients: Clients, feed: RevocationFeed, *, preset: Iterable[Client] = (), now: Callable[[], datetime]
    ) -> None:
        self._clients = clients
        self._feed = feed
        self._preset = {client.id: client for client in preset}
        self._now = now
        self._known: Bounded[str, _Known] = Bounded()

    def recall(self, client_id: str, *, now: datetime) -> Client | None:
        """The client, when `find` would answer from memory alone; None says: ask it."""
        known = self._known.get(client_id)
        if known is None:
            return self._preset.get(client_id)
        client, until, version = known
        if not self._feed.is_trusted or now >= until:
            return None
        if version != self._feed.revoked.version:  # something was revoked since: was it this?
            if not self._is_newest(client):
                return None
            self._known[client_id] = _Known(client, until, self._feed.revoked.version)
        return client

    def last_known(self, client_id: str) -> Client | None:
        """The client as it was when it was last read, whatever has become of it: for what may be out of date."""
        known = self._known.get(client_id)
        return None if known is None else known.client

    async def find(self, client_id: str) -> Client | None:
        """By id, compared exactly; a disabled one too. Raises `StoreUnavailable`."""
        now = self._now()
        known = self.recall(client_id, now=now)
        if known is not None or not client_id.startswith(CLIENT_ID_PREFIX):
            return known
        client = await self._clients.find(client_id)
        self._known.pop(client_id, None)
        if client is not None:
            self._known.keep(client_id, _Known(client, now + _LIFE, _NEVER))
        return client

    def _is_newest(self, client: Client) -> bool:
        """Changes and secrets raise one and the same epoch of the row; the feed tells of each."""
        revoked = self._feed.revoked
        return client.epoch >= max(revoked.client_epoch(client.id), revoked.secret_epoch(client.id))
