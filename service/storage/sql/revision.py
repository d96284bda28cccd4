"""Is the database at the newest migration: the quick question of every start, which loads no Alembic (7 MB, 0.1 s)."""

import re
from pathlib import Path

from sqlalchemy import URL, text

import service
from service.protocol.errors import StoreUnavailable
from service.storage.sql.database import Database
from service.storage.sql.engine import parse_database_url

_NAMED = re.compile(r'^(revision|down_revision) = "(\w+)"$', re.MULTILINE)
_AT = text("SELECT version_num FROM alembic_version")


def scripts_folder() -> Path:
    """Where the migrations are: `alembic/` in the repository, `service/migrations/` in an installed wheel."""
    package = Path(service.__file__).parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "alembic"


def newest_revision() -> str:
    """The revision that no other one follows."""
    found = {"revision": set[str](), "down_revision": set[str]()}
    for script in (scripts_folder() / "versions").glob("*.py"):
        for name, revision in _NAMED.findall(script.read_text()):
            found[name].add(revision)
    (newest,) = found["revision"] - found["down_revision"]
    return newest


def is_missing(address: URL) -> bool:
    """Whether this is a SQLite file that is not there; to ask it anything would make it."""
    return address.get_backend_name() == "sqlite" and not Path(address.database or "").exists()


async def is_current(url: str) -> bool:
    """False also when the database is not there, or says nothing: then ask `migrations`, which can tell why."""
    if is_missing(parse_database_url(url)):
        return False
    database = Database(url, pool_size=1)
    try:
        row = await database.fetch_one(_AT)
    except StoreUnavailable:
        return False
    finally:
        await database.close()
    return row is not None and row[0] == newest_revision()
