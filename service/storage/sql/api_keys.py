"""API keys in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Update, bindparam, func, or_, select, update

from service.accounts.account import User
from service.api_keys.key import ApiKey
from service.ledger import Transaction
from service.limits import Rate
from service.protocol.errors import Conflict, NotFound
from service.storage.sql.database import Database, SqlTransaction, opened
from service.storage.sql.tables import API_KEYS, USERS, ApiKeyRow
from service.storage.sql.text import storable
from service.storage.sql.users import USER_COLUMNS, user_of

_k = API_KEYS.c
_KEY_COLUMNS = (
    _k.id,
    _k.user_id,
    _k.name,
    _k.hint,
    _k.digest,
    _k.scopes,
    _k.networks,
    _k.created_at,
    _k.expires_at,
    _k.previous_digest,
    _k.previous_until,
    _k.last_used_at,
    _k.revoked_at,
    _k.rate,
)
_WITH_OWNER = select(*_KEY_COLUMNS, *USER_COLUMNS).join(USERS, USERS.c.id == _k.user_id).where(_k.id == bindparam("id"))
_PAGE = (
    select(*_KEY_COLUMNS)
    .where(_k.user_id == bindparam("user_id"), _k.revoked_at.is_(None), _k.id > bindparam("after"))
    .order_by(_k.id)
    .limit(bindparam("limit"))
)
_LOCK_OWNER = select(USERS.c.id).where(USERS.c.id == bindparam("id")).with_for_update(key_share=True)
_LOCK_RATE = select(_k.rate).where(_k.id == bindparam("id")).with_for_update(key_share=True)
_COUNT = select(func.count()).where(_k.user_id == bindparam("user_id"), _k.revoked_at.is_(None))
_TOUCH = (
    update(API_KEYS)
    .where(_k.id == bindparam("key"), or_(_k.last_used_at.is_(None), _k.last_used_at < bindparam("at")))
    .values(last_used_at=bindparam("at"))
)


class SqlApiKeys:
    """Keeps `ApiKeys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_with_owner(self, key_id: str) -> tuple[ApiKey, User] | None:
        """See `ApiKeys.find_with_owner`."""
        if not storable(key_id):
            return None
        row = await self._database.fetch_one(_WITH_OWNER, {"id": key_id})
        if row is None:
            return None
        return _key_of(row[: len(_KEY_COLUMNS)]), user_of(row[len(_KEY_COLUMNS) :])

    async def page(self, *, user_id: str, after: str, limit: int) -> Sequence[ApiKey]:
        """See `ApiKeys.page`."""
        if not (storable(user_id) and storable(after)):
            return ()
        rows = await self._database.fetch_all(_PAGE, {"user_id": user_id, "after": after, "limit": limit})
        return [_key_of(row) for row in rows]

    async def add(self, tx: Transaction, key: ApiKey, *, at_most: int) -> None:
        """See `ApiKeys.add`. The owner's row is locked, so that racing calls count one after another."""
        sql = opened(tx)
        if (await sql.run(_LOCK_OWNER, {"id": key.user_id})).first() is None:
            raise NotFound(public="There is no such user.")
        if (await sql.run(_COUNT, {"user_id": key.user_id})).scalar_one() >= at_most:
            raise Conflict(public=f"A person has at most {at_most} API keys.")
        await sql.add(
            ApiKeyRow(
                id=key.id,
                user_id=key.user_id,
                name=key.name,
                hint=key.hint,
                digest=key.digest,
                scopes=sorted(key.scopes),
                networks=list(key.networks),
                created_at=key.created_at,
                expires_at=key.expires_at,
                previous_digest=key.previous_digest,
                previous_until=key.previous_until,
                last_used_at=key.last_used_at,
                revoked_at=key.revoked_at,
                rate=key.rate,
            )
        )

    async def rename(self, tx: Transaction, key_id: str, *, user_id: str, name: str) -> None:
        """See `ApiKeys.rename`."""
        await _change_living(opened(tx), key_id, user_id, update(API_KEYS).values(name=name))

    async def set_rate(self, tx: Transaction, key_id: str, *, user_id: str, rate: Rate | None) -> Rate | None:
        """See `ApiKeys.set_rate`."""
        sql = opened(tx)
        before = (await sql.run(_LOCK_RATE, {"id": key_id})).first() if storable(key_id) else None
        await _change_living(sql, key_id, user_id, update(API_KEYS).values(rate=rate))
        return None if before is None else before.rate

    async def replace_secret(
        self, tx: Transaction, key_id: str, *, user_id: str, digest: bytes, hint: str, old_until: datetime | None
    ) -> None:
        """See `ApiKeys.replace_secret`."""
        previous = None if old_until is None else _k.digest
        change = update(API_KEYS).values(previous_digest=previous, previous_until=old_until, digest=digest, hint=hint)
        await _change_living(opened(tx), key_id, user_id, change)

    async def revoke(self, tx: Transaction, key_id: str, *, user_id: str, now: datetime) -> bool:
        """See `ApiKeys.revoke`."""
        try:
            await _change_living(opened(tx), key_id, user_id, update(API_KEYS).values(revoked_at=now))
        except NotFound:
            return False
        return True

    async def revoke_all(self, tx: Transaction, *, user_id: str, now: datetime) -> Sequence[str]:
        """See `ApiKeys.revoke_all`."""
        living = update(API_KEYS).where(_k.user_id == user_id, _k.revoked_at.is_(None))
        return list((await opened(tx).run(living.values(revoked_at=now).returning(_k.id))).scalars())

    async def touch(self, used: Mapping[str, datetime]) -> None:
        """See `ApiKeys.touch`."""
        await self._database.run_each(_TOUCH, [{"key": key, "at": at} for key, at in sorted(used.items())])


def _key_of(row: Sequence[Any]) -> ApiKey:
    (
        key_id,
        user_id,
        name,
        hint,
        digest,
        scopes,
        networks,
        created_at,
        expires_at,
        previous_digest,
        previous_until,
        last_used_at,
        revoked_at,
        rate,
    ) = row
    return ApiKey(
        id=key_id,
        user_id=user_id,
        name=name,
        hint=hint,
        digest=digest,
        scopes=frozenset(scopes),
        networks=tuple(networks),
        created_at=created_at,
        expires_at=expires_at,
        previous_digest=previous_digest,
        previous_until=previous_until,
        last_used_at=last_used_at,
        revoked_at=revoked_at,
        rate=rate,
    )


async def _change_living(sql: SqlTransaction, key_id: str, user_id: str, change: Update) -> None:
    found = storable(key_id) and storable(user_id)
    living = (_k.id == key_id, _k.user_id == user_id, _k.revoked_at.is_(None))
    if not found or (await sql.run(change.where(*living))).rowcount != 1:
        raise NotFound(public="There is no such API key.")
