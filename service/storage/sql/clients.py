"""Clients in SQL."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Update, bindparam, or_, select, update

from service.clients.client import Client, ClientSecret
from service.clients.metadata import ClientMetadata
from service.ledger import Transaction
from service.limits import Rate
from service.protocol.errors import NotFound
from service.storage.sql.database import Database, SqlTransaction, opened
from service.storage.sql.tables import CLIENTS, ClientRow
from service.storage.sql.text import like_pattern, storable

_c = CLIENTS.c
_TUPLES = {"redirect_uris", "post_logout_redirect_uris", "resources"}
_SPANS = {"access_life", "refresh_idle"}
CLIENT_COLUMNS = (
    _c.id,
    _c.name,
    _c.confidential,
    _c.scopes,
    _c.secrets,
    _c.epoch,
    _c.created_at,
    _c.disabled_at,
    _c.metadata,
    _c.rate,
)
_SELECT = select(*CLIENT_COLUMNS)
_BY_ID = _SELECT.where(_c.id == bindparam("id"))
_LOCK_BY_ID = _BY_ID.with_for_update(key_share=True)
_PAGE = (
    _SELECT.where(
        _c.id > bindparam("after"),
        or_(_c.id.like(bindparam("in_id"), escape="/"), _c.name_key.like(bindparam("in_name"), escape="/")),
    )
    .order_by(_c.id)
    .limit(bindparam("limit"))
)


class SqlClients:
    """Keeps `Clients`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, client_id: str) -> Client | None:
        """See `Clients.find`."""
        if not storable(client_id):
            return None
        row = await self._database.fetch_one(_BY_ID, {"id": client_id})
        return None if row is None else client_of(row)

    async def find_locked(self, tx: Transaction, client_id: str) -> Client | None:
        """See `Clients.find_locked`."""
        if not storable(client_id):
            return None
        row = (await opened(tx).run(_LOCK_BY_ID, {"id": client_id})).first()
        return None if row is None else client_of(row)

    async def page(self, *, search: str, after: str, limit: int) -> Sequence[Client]:
        """See `Clients.page`."""
        in_id, in_name = like_pattern(search), like_pattern(search.casefold())
        if in_id is None or in_name is None or not storable(after):
            return ()
        asked = {"after": after, "limit": limit, "in_id": in_id, "in_name": in_name}
        return [client_of(row) for row in await self._database.fetch_all(_PAGE, asked)]

    async def add(self, tx: Transaction, client: Client) -> None:
        """See `Clients.add`."""
        await opened(tx).add(
            ClientRow(
                id=client.id,
                name=client.name,
                name_key=client.name.casefold(),
                confidential=client.confidential,
                scopes=sorted(client.scopes),
                secrets=_json_of(client.secrets),
                epoch=client.epoch,
                created_at=client.created_at,
                disabled_at=client.disabled_at,
                about=_metadata_json(client.metadata),
                rate=client.rate,
            )
        )

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
        """See `Clients.change`."""
        values = {
            _c.name: name,
            _c.name_key: name.casefold(),
            _c.scopes: sorted(scopes),
            _c.disabled_at: disabled_at,
            _c.metadata: _metadata_json(metadata),
            _c.rate: rate,
        }
        return await _raise_epoch(opened(tx), update(CLIENTS).where(_c.id == client_id).values(values))

    async def replace_secrets(self, tx: Transaction, client_id: str, secrets: Sequence[ClientSecret]) -> int:
        """See `Clients.replace_secrets`."""
        change = update(CLIENTS).where(_c.id == client_id).values(secrets=_json_of(secrets))
        return await _raise_epoch(opened(tx), change)


def client_of(row: Sequence[Any]) -> Client:
    """The client in the values of `CLIENT_COLUMNS`."""
    client_id, name, confidential, scopes, secrets, epoch, created_at, disabled_at, metadata, rate = row
    return Client(
        id=client_id,
        name=name,
        confidential=confidential,
        scopes=frozenset(scopes),
        secrets=tuple(
            ClientSecret(
                digest=bytes.fromhex(secret["digest"]),
                created_at=datetime.fromisoformat(secret["created_at"]),
                expires_at=None if secret["expires_at"] is None else datetime.fromisoformat(secret["expires_at"]),
            )
            for secret in secrets
        ),
        epoch=epoch,
        created_at=created_at,
        disabled_at=disabled_at,
        metadata=_metadata_of(metadata, confidential=confidential),
        rate=rate,
    )


def _metadata_of(kept: dict[str, Any], *, confidential: bool) -> ClientMetadata:
    """What a row says; what it does not say, as one of before there was metadata, is as usual."""
    values = {**kept}
    for name in _TUPLES & values.keys():
        values[name] = tuple(values[name])
    for name in _SPANS & values.keys():
        values[name] = None if values[name] is None else timedelta(seconds=values[name])
    if "grant_types" in values:
        values["grant_types"] = frozenset(values["grant_types"])
    return ClientMetadata.usual(values, confidential=confidential)


def _metadata_json(metadata: ClientMetadata) -> dict[str, Any]:
    values = asdict(metadata)
    for name in _SPANS:
        values[name] = None if values[name] is None else int(values[name].total_seconds())
    return {**values, "grant_types": sorted(metadata.grant_types)}


def _json_of(secrets: Iterable[ClientSecret]) -> list[dict[str, Any]]:
    return [
        {
            "digest": secret.digest.hex(),
            "created_at": secret.created_at.isoformat(),
            "expires_at": None if secret.expires_at is None else secret.expires_at.isoformat(),
        }
        for secret in secrets
    ]


async def _raise_epoch(sql: SqlTransaction, change: Update) -> int:
    result = await sql.run(change.values(epoch=_c.epoch + 1).returning(_c.epoch))
    epoch: int | None = result.scalar_one_or_none()
    if epoch is None:
        raise NotFound(public="There is no such client.")
    return epoch
