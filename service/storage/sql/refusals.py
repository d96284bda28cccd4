"""What a driver's error means: a clash, a missing owner, a store that is away, or a defect of ours."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError

from service.protocol.errors import Conflict, NotFound, Refusal, StoreUnavailable

STORE = "sql"
_UNIQUE = {"23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}
_FOREIGN_KEY = {"23503", "SQLITE_CONSTRAINT_FOREIGNKEY"}
_RACE = {"40001", "40P01"}  # serialization failure, deadlock
# PostgreSQL's classes (errcodes, appendix A): connection, authorisation, resources, operator, system, internal; then a
# lock or a transaction that took too long, a standby that takes no writes, a table or column not migrated yet.
_AWAY_CLASSES = ("08", "28", "53", "57", "58", "F0", "XX")
_AWAY = {"55P03", "25P03", "25P04", "25006", "3D000", "42P01", "42703", "0A000"}


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what a driver raises inside the block into the refusal that it means; leave anything else as it is."""
    try:
        yield
    except (DBAPIError, OSError) as error:
        refusal = _meaning(error)
        if refusal is None:
            raise
        raise refusal from error


def is_locked(error: DBAPIError) -> bool:
    """Whether another process holds the SQLite file's write lock."""
    return _code(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _meaning(error: DBAPIError | OSError) -> Refusal | None:
    if not isinstance(error, DBAPIError):
        return StoreUnavailable(STORE, detail=f"{type(error).__name__}: {error}")
    code = _code(error)
    detail = f"{code} {error.orig}".strip()
    if isinstance(error, IntegrityError):
        if code in _UNIQUE:
            return Conflict(detail=detail)
        return NotFound(detail=detail) if code in _FOREIGN_KEY else None
    if code in _RACE:
        return Conflict(detail=detail)
    if error.connection_invalidated or code in _AWAY or code.startswith(_AWAY_CLASSES):
        return StoreUnavailable(STORE, detail=detail)
    if isinstance(error.orig, sqlite3.DatabaseError) and not isinstance(
        error.orig, sqlite3.ProgrammingError | sqlite3.DataError
    ):
        return StoreUnavailable(STORE, detail=detail)
    return None


def _code(error: DBAPIError) -> str:
    """PostgreSQL's SQLSTATE, or SQLite's name of its result code; empty when there is none."""
    return str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None) or "")
