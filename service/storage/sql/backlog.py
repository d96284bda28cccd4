"""How much waits in the ledger to be done behind the acts, counted for operators."""

from collections.abc import Mapping

from sqlalchemy import CompoundSelect, func, literal_column, select, union_all

from service.storage.sql.database import Database
from service.storage.sql.tables import AUDIT, LETTERS, LOGOUT_NOTICES, REVOCATIONS

_n = LOGOUT_NOTICES.c
_ALL: CompoundSelect[str, int] = union_all(
    select(literal_column("'audit'"), func.count()).select_from(AUDIT).where(AUDIT.c.seq.is_(None)),
    select(literal_column("'letters'"), func.count()).select_from(LETTERS),
    select(literal_column("'logout_notices'"), func.count())
    .select_from(LOGOUT_NOTICES)
    .where(_n.delivered_at.is_(None), _n.given_up_at.is_(None)),
    select(literal_column("'revocations'"), func.count())
    .select_from(REVOCATIONS)
    .where(REVOCATIONS.c.pushed_at.is_(None)),
)


class SqlBacklog:
    """Counts what the ledger keeps of `audit`, `letters`, `logout_notices` and `revocations` that is not done yet; each
    count reads an index of just these rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self) -> Mapping[str, int]:
        """How many there are of each. Raises `StoreUnavailable`."""
        return dict(map(tuple, await self._database.fetch_all(_ALL)))
