"""What Alembic runs: on the connection that `service/storage/sql/migrations.py` hands over, or, for a developer's
command, on the database that `GATEPOST_DATABASE_URL` names."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection

from service.storage.sql.migrations import configure, on_connection


def run(connection: Connection) -> None:
    """Run what the command asked for. The transaction is the caller's: all or nothing."""
    configure(connection)
    context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("migrations are run, not printed: SQLite needs a live connection to rebuild a table")
if (handed_over := context.config.attributes.get("connection")) is not None:
    run(handed_over)
else:
    asyncio.run(on_connection(os.environ["GATEPOST_DATABASE_URL"], run))
