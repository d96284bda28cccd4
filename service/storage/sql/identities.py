"""Identities at other services in SQL; the tokens that are kept for one are sealed, and bound to its row."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from service.crypto.sealing import Sealer, Unsealable
from service.federation.identities import LinkedIdentity
from service.federation.provider import UpstreamTokens
from service.ledger import Transaction
from service.storage.sql.database import Database, opened
from service.storage.sql.tables import IDENTITIES, IdentityRow
from service.storage.sql.text import storable

_i = IDENTITIES.c
_COLUMNS = (_i.id, _i.issuer, _i.subject, _i.user_id, _i.provider, _i.account, _i.linked_at, _i.last_used_at)
_FIND = select(*_COLUMNS).where(_i.issuer == bindparam("issuer"), _i.subject == bindparam("subject"))
_OF = select(*_COLUMNS).where(_i.user_id == bindparam("user")).order_by(_i.linked_at, _i.id)
_WITH_TOKENS = select(*_COLUMNS, _i.tokens).where(_i.id == bindparam("identity"), _i.user_id == bindparam("user"))


class SqlIdentities:
    """Keeps `Identities`."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def find(self, tx: Transaction, issuer: str, subject: str) -> LinkedIdentity | None:
        """See `Identities.find`."""
        if not (storable(issuer) and storable(subject)):
            return None
        row = (await opened(tx).run(_FIND, {"issuer": issuer, "subject": subject})).first()
        return None if row is None else _identity_of(row)

    async def of(self, user_id: str) -> Sequence[LinkedIdentity]:
        """See `Identities.of`."""
        if not storable(user_id):
            return ()
        return [_identity_of(row) for row in await self._database.fetch_all(_OF, {"user": user_id})]

    async def of_locked(self, tx: Transaction, user_id: str) -> Sequence[LinkedIdentity]:
        """See `Identities.of_locked`."""
        return [_identity_of(row) for row in (await opened(tx).run(_OF, {"user": user_id})).all()]

    async def add(self, tx: Transaction, identity: LinkedIdentity) -> None:
        """See `Identities.add`."""
        await opened(tx).add(
            IdentityRow(
                id=identity.id,
                issuer=identity.issuer,
                subject=identity.subject,
                user_id=identity.user_id,
                provider=identity.provider,
                account=identity.account,
                linked_at=identity.linked_at,
                last_used_at=identity.last_used_at,
            )
        )

    async def use(self, tx: Transaction, identity_id: str, *, provider: str, account: str, at: datetime) -> None:
        """See `Identities.use`."""
        await self._change(tx, identity_id, provider=provider, account=account, last_used_at=at)

    async def remove(self, tx: Transaction, identity_id: str) -> None:
        """See `Identities.remove`."""
        await opened(tx).run(delete(IDENTITIES).where(_i.id == identity_id))

    async def keep_tokens(self, tx: Transaction, identity_id: str, tokens: UpstreamTokens | None) -> None:
        """See `Identities.keep_tokens`."""
        sealed = None if tokens is None else self._sealer.seal(_pack(tokens), place=_place(identity_id))
        await self._change(tx, identity_id, tokens=sealed)

    async def find_tokens(self, identity_id: str, *, user_id: str) -> tuple[LinkedIdentity, UpstreamTokens] | None:
        """See `Identities.find_tokens`. Tokens that cannot be opened under the configured secrets are none."""
        if not (storable(identity_id) and storable(user_id)):
            return None
        row = await self._database.fetch_one(_WITH_TOKENS, {"identity": identity_id, "user": user_id})
        if row is None or row.tokens is None:
            return None
        try:
            tokens = _unpack(self._sealer.open(row.tokens, place=_place(identity_id)))
        except Unsealable:
            return None
        return _identity_of(row[: len(_COLUMNS)]), tokens

    async def _change(self, tx: Transaction, identity_id: str, **values: Any) -> None:
        await opened(tx).run(update(IDENTITIES).where(_i.id == identity_id).values(values))


def _identity_of(row: Sequence[Any]) -> LinkedIdentity:
    identity_id, issuer, subject, user_id, provider, account, linked_at, last_used_at = row
    return LinkedIdentity(identity_id, issuer, subject, user_id, provider, account, linked_at, last_used_at)


def _pack(tokens: UpstreamTokens) -> bytes:
    ends = None if tokens.expires_at is None else tokens.expires_at.isoformat()
    return json.dumps([tokens.access_token, tokens.refresh_token, ends, tokens.scope]).encode()


def _unpack(packed: bytes) -> UpstreamTokens:
    access, refresh, ends, scope = json.loads(packed)
    return UpstreamTokens(access, refresh, None if ends is None else datetime.fromisoformat(ends), scope)


def _place(identity_id: str) -> str:
    return f"identities/{identity_id}/tokens"
