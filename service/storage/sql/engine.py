"""The engine: how SQLite and PostgreSQL are opened, so that no call waits for a server that does not answer."""

import asyncio
import time
from typing import Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

DEADLINE = 1.5
"""Seconds after which a store call has ended, whatever the server does; half a second below what is promised."""

_CONNECT_WITHIN = 1.0
_SQLITE_BUSY = 0.2  # seconds in the driver's thread, which nobody can interrupt; longer waits are ours (`database.py`)

# The server gives up before we do, so that a slow statement is told apart from a server that is away.
_SERVER_SETTINGS = {
    "application_name": "gatepost",
    "timezone": "UTC",
    "default_transaction_isolation": "read committed",  # what is read after a lock was waited for must be fresh
    "statement_timeout": "1300ms",
    "lock_timeout": "1100ms",
    "idle_in_transaction_session_timeout": "5s",
    "jit": "off",
}
_PRAGMAS = (
    f"PRAGMA busy_timeout = {int(_SQLITE_BUSY * 1000)}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # NORMAL may lose the last commits with the power: an acknowledged revocation
    "PRAGMA foreign_keys = ON",
)


def parse_database_url(text: str) -> URL:
    """The URL with the driver that we use. Raises `ValueError` for another database, and for SQLite without a file."""
    url = make_url(text)
    match url.get_backend_name():
        case "sqlite":
            if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
                raise ValueError("SQLite needs a file: sqlite:///path/to/gatepost.db")
            return url.set(drivername="sqlite+aiosqlite")
        case "postgresql" | "postgres":
            query = dict(url.query)
            if "sslmode" in query:  # libpq's word; asyncpg calls it `ssl`
                query["ssl"] = query.pop("sslmode")
            return url.set(drivername="postgresql+asyncpg", query=query)
        case other:
            raise ValueError(f"the ledger is SQLite or PostgreSQL, not {other}")


class Trust:
    """From when on connections are trusted: one made before the server fell silent is replaced at its next use."""

    def __init__(self) -> None:
        self.since = 0.0

    def lose(self) -> None:
        """The server fell silent: trust no connection that exists."""
        self.since = time.monotonic()


Leaving = set[asyncio.Future[None]]
"""What is being closed with nobody waiting for it. Its thread speaks to the event loop when done, so that waits."""


def open_engine(url: URL, trust: Trust, leaving: Leaving, *, pool_size: int) -> AsyncEngine:
    """An engine with a bounded pool; nothing is connected yet."""
    sqlite = url.get_backend_name() == "sqlite"
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,  # they hold names, addresses and hashes, and what a driver complains of is logged
        connect_args=_sqlite_arguments() if sqlite else _postgresql_arguments(),
    )
    if sqlite:
        event.listen(engine.sync_engine, "connect", _set_pragmas)
    _never_wait_when_dropping(engine, leaving, sqlite=sqlite)
    _check_at_checkout(engine, trust)
    return engine


def begin_immediate(engine: AsyncEngine) -> None:
    """Make each transaction of this SQLite engine take the write lock when it begins.

    A transaction that reads first and then writes loses updates otherwise, silently or with `database is locked`.
    """

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _sqlite_arguments() -> dict[str, Any]:
    return {"isolation_level": None, "timeout": _SQLITE_BUSY}


def _postgresql_arguments() -> dict[str, Any]:
    return {"timeout": _CONNECT_WITHIN, "command_timeout": DEADLINE, "server_settings": _SERVER_SETTINGS}


def _set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _never_wait_when_dropping(engine: AsyncEngine, leaving: Leaving, *, sqlite: bool) -> None:
    """SQLAlchemy says goodbye to a connection that it drops, and waits 2 s for a frozen server to answer. We do not."""

    def drop(connection: Any) -> None:
        if sqlite:
            thread_ends = connection.driver_connection.stop()
            leaving.add(thread_ends)
            thread_ends.add_done_callback(leaving.discard)
        else:
            connection.driver_connection.terminate()

    dialect: Any = engine.dialect
    dialect.do_terminate = drop
    if not sqlite:
        dialect.do_close = drop


def _check_at_checkout(engine: AsyncEngine, trust: Trust) -> None:
    """Replace a pooled connection that the server has closed, or that is not trusted, without asking the network."""

    @event.listens_for(engine.sync_engine, "connect")
    def _note_birth(_: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        entry.info["born"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def _check(_: DBAPIConnection, entry: ConnectionPoolEntry, __: PoolProxiedConnection) -> None:
        closed = getattr(entry.driver_connection, "is_closed", None)
        if (closed is not None and closed()) or entry.info["born"] < trust.since:
            raise DisconnectionError("the connection is closed or from before the server fell silent")
