"""Signing keys in SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Update, select, text, update

from service.keys.signing_key import SigningKey
from service.ledger import Transaction
from service.protocol.errors import NotFound
from service.storage.sql.database import Database, SqlTransaction, opened
from service.storage.sql.tables import SIGNING_KEYS, SigningKeyRow

_k = SIGNING_KEYS.c
_ALL = select(
    _k.kid,
    _k.algorithm,
    _k.public_jwk,
    _k.sealed,
    _k.created_at,
    _k.signs_from,
    _k.signs_until,
    _k.verifies_until,
    _k.compromised_at,
).order_by(_k.created_at, _k.kid)
_LOCK_OUT_WRITERS = text("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")


class SqlSigningKeys:
    """Keeps `SigningKeys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[SigningKey]:
        """See `SigningKeys.all`."""
        return [_key_of(row) for row in await self._database.fetch_all(_ALL)]

    async def all_locked(self, tx: Transaction) -> Sequence[SigningKey]:
        """See `SigningKeys.all_locked`. Writers wait for each other; readers do not."""
        sql = opened(tx)
        if sql.postgresql:
            await sql.run(_LOCK_OUT_WRITERS)
        return [_key_of(row) for row in (await sql.run(_ALL)).all()]

    async def add(self, tx: Transaction, key: SigningKey) -> None:
        """See `SigningKeys.add`. Raises `Conflict` when the `kid` exists."""
        await opened(tx).add(
            SigningKeyRow(
                kid=key.kid,
                algorithm=key.algorithm,
                public_jwk=dict(key.public_jwk),
                sealed=key.sealed,
                created_at=key.created_at,
                signs_from=key.signs_from,
                signs_until=key.signs_until,
                verifies_until=key.verifies_until,
                compromised_at=key.compromised_at,
            )
        )

    async def set_ends(self, tx: Transaction, kid: str, *, signs_until: datetime, verifies_until: datetime) -> None:
        """See `SigningKeys.set_ends`."""
        change = update(SIGNING_KEYS).values(signs_until=signs_until, verifies_until=verifies_until)
        await _change(opened(tx), kid, change)

    async def mark_compromised(self, tx: Transaction, kid: str, *, now: datetime) -> None:
        """See `SigningKeys.mark_compromised`."""
        await _change(opened(tx), kid, update(SIGNING_KEYS).values(compromised_at=now))


def _key_of(row: Sequence[Any]) -> SigningKey:
    kid, algorithm, public_jwk, sealed, created_at, signs_from, signs_until, verifies_until, compromised_at = row
    return SigningKey(
        kid=kid,
        algorithm=algorithm,
        public_jwk=public_jwk,
        sealed=sealed,
        created_at=created_at,
        signs_from=signs_from,
        signs_until=signs_until,
        verifies_until=verifies_until,
        compromised_at=compromised_at,
    )


async def _change(sql: SqlTransaction, kid: str, change: Update) -> None:
    if (await sql.run(change.where(_k.kid == kid))).rowcount != 1:
        raise NotFound(public="There is no such signing key.")
