"""The clients of this service: creating, changing, secrets, and checking a secret."""

import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from service.access.catalogue import Catalogue
from service.audit.event import Event, Kind
from service.clients.client import CLIENT_ID_PREFIX, Client, Clients, ClientSecret
from service.clients.directory import ClientDirectory
from service.clients.metadata import ClientMetadata, checked_metadata
from service.limits import AS_IT_IS, AsItIs, Rate, told_rate
from service.protocol.errors import BeyondOwnScopes, Invalid, InvalidClient, NotFound
from service.revocation.acts import Act, Acts

SECRET_PREFIX = "gp_cs_"
MAX_OVERLAP = timedelta(days=30)
MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class ClientChange:
    """What to change; None leaves a field as it is, but for the rate: there it is the policy's own figure. `metadata`
    holds new values by the names of `ClientMetadata`."""

    name: str | None = None
    scopes: Iterable[str] | None = None
    disabled: bool | None = None
    rate: Rate | AsItIs | None = AS_IT_IS
    metadata: Mapping[str, Any] = field(default_factory=dict)


class ClientRegistry:
    """Every act on clients. Each is one transaction with its revocations.

    `within` is the scopes of the administrator who acts, who can neither hand out more than that nor act on a client
    that may do more. None is the operator at the machine itself.
    """

    def __init__(self, acts: Acts, clients: Clients, catalogue: Catalogue, directory: ClientDirectory) -> None:
        self._acts = acts
        self._clients = clients
        self._catalogue = catalogue
        self._directory = directory

    async def get(self, client_id: str) -> Client:
        """One client. Raises `NotFound`."""
        client = await self._clients.find(client_id)
        if client is None:
            raise NotFound(public="There is no such client.")
        return client

    async def page(self, *, search: str, after: str, limit: int) -> Sequence[Client]:
        """Clients in order of id, past `after`."""
        return await self._clients.page(search=search, after=after, limit=limit)

    async def create(
        self,
        name: str,
        *,
        confidential: bool,
        scopes: Iterable[str],
        now: datetime,
        within: frozenset[str] | None = None,
        metadata: ClientMetadata | None = None,
        rate: Rate | None = None,
    ) -> tuple[Client, str | None]:
        """A new client and, for a confidential one, its secret: shown now and never again.

        Without metadata it has the usual ones of a client that nobody signs in through.

        Raises `Invalid`, `BeyondOwnScopes`.
        """
        secret = _new_secret() if confidential else None
        client = Client(
            id=CLIENT_ID_PREFIX + secrets.token_hex(10),
            name=_checked_name(name),
            confidential=confidential,
            scopes=self._catalogue.checked_scopes(scopes),
            secrets=(ClientSecret(_digest(secret), now),) if secret is not None else (),
            epoch=1,
            created_at=now,
            metadata=checked_metadata(
                metadata or ClientMetadata.usual(confidential=confidential), confidential=confidential
            ),
            rate=rate,
        )
        self._check_covered(client, within)
        async with self._acts.begin(now) as act:
            await self._clients.add(act.tx, client)
            detail: dict[str, object] = {"confidential": confidential, "scopes": sorted(client.scopes)}
            if rate is not None:
                detail["rate"] = str(rate)
            await act.note(Event(Kind.CLIENT_CREATED, target=f"client:{client.id}", detail=detail))
        return client, secret

    async def change(
        self, client_id: str, change: ClientChange, *, now: datetime, within: frozenset[str] | None = None
    ) -> Client:
        """Apply a change; what was issued to the client before is refused, unless nothing but its rate has changed.

        Raises `NotFound`, `Invalid`, `BeyondOwnScopes`.
        """
        async with self._acts.begin(now) as act:
            before = await self._locked(act, client_id, within)
            after = self._changed(before, change, now)
            self._check_covered(after, within)
            epoch = await self._clients.change(
                act.tx,
                client_id,
                name=after.name,
                scopes=after.scopes,
                disabled_at=after.disabled_at,
                metadata=after.metadata,
                rate=after.rate,
            )
            if before.rate != after.rate and replace(after, rate=before.rate) == before:
                await act.raise_secret_epoch(client_id, epoch, why="rate of a client changed")
            else:
                await act.raise_client_epoch(client_id, epoch, why="client changed")
            await act.note(Event(Kind.CLIENT_CHANGED, target=f"client:{client_id}", detail=_differences(before, after)))
        return replace(after, epoch=epoch)

    async def rotate_secret(
        self, client_id: str, *, overlap: timedelta, now: datetime, within: frozenset[str] | None = None
    ) -> str:
        """A new secret, shown once; the newest old one works on for `overlap` (0 to 30 days), older ones end now.

        Tokens live on. Raises `NotFound`, `Invalid`, `BeyondOwnScopes`.
        """
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            raise Invalid("overlap", "The overlap is between 0 and 30 days.")
        secret = _new_secret()
        async with self._acts.begin(now) as act:
            client = await self._locked(act, client_id, within)
            if not client.confidential:
                raise Invalid("client_id", "A public client has no secret.")
            kept = [ClientSecret(_digest(secret), now)]
            newest = max(client.secrets, key=lambda old: old.created_at, default=None)
            if newest is not None and overlap:
                kept.append(replace(newest, expires_at=min(newest.expires_at or now + overlap, now + overlap)))
            epoch = await self._clients.replace_secrets(act.tx, client_id, kept)
            await act.raise_secret_epoch(client_id, epoch, why="client secret rotated")
            detail = {"overlap_seconds": int(overlap.total_seconds())}
            await act.note(Event(Kind.CLIENT_SECRET_ROTATED, target=f"client:{client_id}", detail=detail))
        return secret

    async def authenticate(self, client_id: str, secret: str, *, now: datetime) -> Client:
        """The client of this id and secret (RFC 6749 §2.3.1), read at most a minute ago and not changed since.

        Raises `InvalidClient` for every reason alike, `StoreUnavailable`.
        """
        return _proved(await self._directory.find(client_id), secret, now)

    def recall(self, client_id: str, secret: str, *, now: datetime) -> Client | None:
        """The client, when `authenticate` would answer from memory alone; None says: ask it. Raises `InvalidClient`."""
        client = self._directory.recall(client_id, now=now)
        return None if client is None else _proved(client, secret, now)

    async def _locked(self, act: Act, client_id: str, within: frozenset[str] | None) -> Client:
        """The client, held still until the act ends. Raises `NotFound`, `BeyondOwnScopes`."""
        client = await self._clients.find_locked(act.tx, client_id)
        if client is None:
            raise NotFound(public="There is no such client.")
        self._check_covered(client, within)
        return client

    def _changed(self, client: Client, change: ClientChange, now: datetime) -> Client:
        name = client.name if change.name is None else _checked_name(change.name)
        scopes = client.scopes if change.scopes is None else self._catalogue.checked_scopes(change.scopes)
        disabled_at = client.disabled_at
        if change.disabled is not None:
            disabled_at = (disabled_at or now) if change.disabled else None
        metadata = checked_metadata(replace(client.metadata, **change.metadata), confidential=client.confidential)
        rate = client.rate if change.rate is AS_IT_IS else change.rate
        return replace(client, name=name, scopes=scopes, disabled_at=disabled_at, metadata=metadata, rate=rate)

    def _check_covered(self, client: Client, within: frozenset[str] | None) -> None:
        if within is not None and not self._catalogue.covers(within, client.scopes):
            raise BeyondOwnScopes(detail=f"about client {client.id}")


def _differences(before: Client, after: Client) -> dict[str, object]:
    """What changed, by name; what a client may do, in full."""
    told: dict[str, object] = {}
    if before.scopes != after.scopes:
        told |= {"scopes_before": sorted(before.scopes), "scopes": sorted(after.scopes)}
    if before.active != after.active:
        told["disabled"] = not after.active
    if before.rate != after.rate:
        told |= {"rate_before": told_rate(before.rate), "rate": told_rate(after.rate)}
    own = ["name"] if before.name != after.name else []
    names = (one.name for one in fields(before.metadata))
    changed = own + [name for name in names if getattr(before.metadata, name) != getattr(after.metadata, name)]
    return {**told, "changed": changed} if changed else told


def _proved(client: Client | None, secret: str, now: datetime) -> Client:
    presented = sha256(secret.encode(errors="surrogatepass")).digest()
    known = client.secrets if client is not None else ()
    right = False
    for one in known:
        is_equal = hmac.compare_digest(presented, one.digest)
        right |= is_equal and (one.expires_at is None or now < one.expires_at)
    if client is None or not right or not client.active:
        raise InvalidClient(detail="unknown client, wrong secret or disabled")
    return client


def _new_secret() -> str:
    return SECRET_PREFIX + secrets.token_urlsafe(32)


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _checked_name(name: str) -> str:
    if not 0 < len(name.strip()) <= MAX_NAME or not name.isprintable():
        raise Invalid("name", f"A name is 1 to {MAX_NAME} printable characters.")
    return name.strip()
