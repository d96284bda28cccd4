"""Setup links in SQL."""

from datetime import datetime

from sqlalchemy import bindparam, select, update

from service.ledger import Transaction
from service.storage.sql.database import Database, opened
from service.storage.sql.tables import SETUP_LINKS, SetupLinkRow

_l = SETUP_LINKS.c
_LIVE = (_l.digest == bindparam("link"), _l.taken_at.is_(None), _l.expires_at > bindparam("now"))
_IS_LIVE = select(_l.digest).where(*_LIVE)
_TAKE = update(SETUP_LINKS).where(*_LIVE).values(taken_at=bindparam("now"))


class SqlSetupLinks:
    """Keeps `SetupLinks`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, tx: Transaction, digest: bytes, *, expires_at: datetime) -> None:
        """See `SetupLinks.add`."""
        await opened(tx).add(SetupLinkRow(digest=digest, expires_at=expires_at))

    async def is_live(self, digest: bytes, *, now: datetime) -> bool:
        """See `SetupLinks.is_live`."""
        return await self._database.fetch_one(_IS_LIVE, {"link": digest, "now": now}) is not None

    async def take(self, tx: Transaction, digest: bytes, *, now: datetime) -> bool:
        """See `SetupLinks.take`. One compare-and-set: the loser of a race finds the link taken."""
        return (await opened(tx).run(_TAKE, {"link": digest, "now": now})).rowcount == 1
