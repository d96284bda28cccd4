"""Consents in SQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from service.consents.consent import OWN, Consent
from service.ledger import Transaction
from service.protocol.errors import NotFound
from service.storage.sql.database import Database, opened
from service.storage.sql.tables import CONSENTS, USERS, ConsentRow
from service.storage.sql.text import storable

_c = CONSENTS.c
_SELECT = select(_c.user_id, _c.client_id, _c.agreed, _c.scopes, _c.audience, _c.granted_at, _c.updated_at)
_THIS = (_c.user_id == bindparam("user"), _c.client_id == bindparam("client"))
_FIND = _SELECT.where(*_THIS)
_PAGE = (
    _SELECT.where(_c.user_id == bindparam("user"), _c.client_id > bindparam("after"))
    .order_by(_c.client_id)
    .limit(bindparam("limit"))
)
# The person and not the consent, so that racing first grants wait for each other too.
_LOCK_OWNER = select(USERS.c.id).where(USERS.c.id == bindparam("id")).with_for_update(key_share=True)
_REMOVE = delete(CONSENTS).where(*_THIS)


class SqlConsents:
    """Keeps `Consents`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, user_id: str, client_id: str) -> Consent | None:
        """See `Consents.find`."""
        if not (storable(user_id) and storable(client_id)):
            return None
        row = await self._database.fetch_one(_FIND, {"user": user_id, "client": client_id})
        return None if row is None else _consent_of(row)

    async def find_locked(self, tx: Transaction, user_id: str, client_id: str) -> Consent | None:
        """See `Consents.find_locked`."""
        sql = opened(tx)
        if not storable(user_id) or (await sql.run(_LOCK_OWNER, {"id": user_id})).first() is None:
            raise NotFound(public="There is no such user.")
        return await self.find_in(tx, user_id, client_id)

    async def find_in(self, tx: Transaction, user_id: str, client_id: str) -> Consent | None:
        """See `Consents.find_in`."""
        if not (storable(user_id) and storable(client_id)):
            return None
        row = (await opened(tx).run(_FIND, {"user": user_id, "client": client_id})).first()
        return None if row is None else _consent_of(row)

    async def page(self, *, user_id: str, after: str, limit: int) -> Sequence[Consent]:
        """See `Consents.page`."""
        if not (storable(user_id) and storable(after)):
            return ()
        rows = await self._database.fetch_all(_PAGE, {"user": user_id, "after": after, "limit": limit})
        return [_consent_of(row) for row in rows]

    async def put(self, tx: Transaction, consent: Consent) -> None:
        """See `Consents.put`."""
        sql = opened(tx)
        values: dict[str, Any] = {
            "agreed": [[resource, sorted(scopes)] for resource, scopes in consent.agreed.items()],
            "scopes": sorted(consent.scopes),
            "audience": list(consent.audience),
            "granted_at": consent.granted_at,
            "updated_at": consent.updated_at,
        }
        change = update(CONSENTS).where(_c.user_id == consent.user_id, _c.client_id == consent.client_id)
        if (await sql.run(change.values(values))).rowcount == 0:
            await sql.add(ConsentRow(user_id=consent.user_id, client_id=consent.client_id, **values))

    async def remove(self, tx: Transaction, user_id: str, client_id: str) -> bool:
        """See `Consents.remove`."""
        if not (storable(user_id) and storable(client_id)):
            return False
        return (await opened(tx).run(_REMOVE, {"user": user_id, "client": client_id})).rowcount == 1

    async def remove_all(self, tx: Transaction, user_id: str) -> None:
        """See `Consents.remove_all`."""
        await opened(tx).run(delete(CONSENTS).where(_c.user_id == user_id))


def _consent_of(row: Sequence[Any]) -> Consent:
    """A row of the version before has no `agreed`: what it says of all resources together holds for the service's own,
    where nearly all of them are, and is asked anew elsewhere."""
    user_id, client_id, agreed, scopes, _, granted_at, updated_at = row
    pairs = agreed or [[OWN, scopes]]
    return Consent(user_id, client_id, {place: frozenset(held) for place, held in pairs}, granted_at, updated_at)
