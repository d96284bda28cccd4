"""What an operator asks of the ledger: its time, and whether it takes writes."""

from datetime import UTC, datetime, timedelta
from secrets import token_bytes

from sqlalchemy import text

from service.storage.sql.database import Database
from service.storage.sql.tables import SetupLinkRow

_POSTGRESQL = text("SELECT extract(epoch FROM clock_timestamp())")
_SQLITE = text("SELECT (julianday('now') - 2440587.5) * 86400.0")


class _Undo(Exception):
    """Ends a transaction that was only a question."""


async def server_time(database: Database) -> datetime:
    """The server's clock. Raises `StoreUnavailable`."""
    row = await database.fetch_one(_POSTGRESQL if database.postgresql else _SQLITE)
    return datetime.fromtimestamp(float(row[0]) if row is not None else 0, UTC)


async def check_writable(database: Database) -> None:
    """Write a row and take it back. Raises `StoreUnavailable`."""
    try:
        async with database.begin() as tx:
            past = datetime.now(UTC) - timedelta(days=1)
            await tx.add(SetupLinkRow(digest=token_bytes(32), expires_at=past))
            raise _Undo
    except _Undo:
        return
