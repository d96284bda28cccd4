"""Identity providers in SQL; the secret by which each knows us is sealed, and bound to its row."""

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import bindparam, delete, select, update

from service.crypto.sealing import Sealer, Unsealable
from service.federation.directory import StoredProvider
from service.federation.provider import ProviderConfig
from service.ledger import Transaction
from service.protocol.errors import NotFound
from service.storage.sql.database import Database, opened
from service.storage.sql.tables import IDENTITY_PROVIDERS, IdentityProviderRow
from service.storage.sql.text import storable

_p = IDENTITY_PROVIDERS.c
_ALL = select(
    *(_p.name, _p.kind, _p.issuer, _p.client_id, _p.sealed_secret, _p.label, _p.scopes),
    *(_p.trusts_email, _p.keeps_tokens, _p.created_at, _p.disabled_at),
).order_by(_p.name)
_FIND = _ALL.where(_p.name == bindparam("provider"))
_LOCK = _FIND.with_for_update()
_log = structlog.get_logger("gatepost.federation")


class SqlIdentityProviders:
    """Keeps `StoredProviders`."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def all(self) -> Sequence[StoredProvider]:
        """See `StoredProviders.all`."""
        rows = await self._database.fetch_all(_ALL)
        return [found for row in rows if (found := self._provider_of(row)) is not None]

    async def find(self, name: str) -> StoredProvider | None:
        """See `StoredProviders.find`."""
        row = await self._database.fetch_one(_FIND, {"provider": name}) if storable(name) else None
        return None if row is None else self._provider_of(row)

    async def find_locked(self, tx: Transaction, name: str) -> StoredProvider | None:
        """See `StoredProviders.find_locked`."""
        row = (await opened(tx).run(_LOCK, {"provider": name})).first() if storable(name) else None
        return None if row is None else self._provider_of(row)

    async def add(self, tx: Transaction, provider: StoredProvider) -> None:
        """See `StoredProviders.add`."""
        await opened(tx).add(
            IdentityProviderRow(name=provider.config.name, created_at=provider.created_at, **self._values(provider))
        )

    async def replace(self, tx: Transaction, provider: StoredProvider) -> None:
        """See `StoredProviders.replace`."""
        change = update(IDENTITY_PROVIDERS).where(_p.name == provider.config.name).values(self._values(provider))
        if (await opened(tx).run(change)).rowcount != 1:
            raise NotFound(public="There is no such provider.")

    async def remove(self, tx: Transaction, name: str) -> bool:
        """See `StoredProviders.remove`."""
        gone = delete(IDENTITY_PROVIDERS).where(_p.name == name)
        return storable(name) and (await opened(tx).run(gone)).rowcount == 1

    def _values(self, provider: StoredProvider) -> dict[str, Any]:
        config = provider.config
        return {
            "kind": config.kind,
            "issuer": config.issuer,
            "client_id": config.client_id,
            "sealed_secret": self._sealer.seal(config.client_secret.encode(), place=_place(config.name)),
            "label": config.label,
            "scopes": list(config.scopes),
            "trusts_email": config.trusts_email,
            "keeps_tokens": config.keeps_tokens,
            "disabled_at": provider.disabled_at,
        }

    def _provider_of(self, row: Sequence[Any]) -> StoredProvider | None:
        """One whose secret cannot be opened under the configured secrets is none: it could not be asked anything."""
        name, kind, issuer, client_id, sealed, label, scopes, trusts, keeps, created_at, disabled_at = row
        try:
            secret = self._sealer.open(sealed, place=_place(name)).decode()
        except Unsealable:
            _log.warning("the secret of an identity provider cannot be opened", provider=name)
            return None
        config = ProviderConfig(name, kind, client_id, secret, issuer, label, tuple(scopes), trusts, keeps)
        return StoredProvider(config, created_at, disabled_at)


def _place(name: str) -> str:
    return f"identity_providers/{name}/secret"
