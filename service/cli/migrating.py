"""Is the database at this version's tables, and bringing it there."""

from collections.abc import Sequence
from dataclasses import dataclass

from alembic.util import CommandError

from service.settings import Settings
from service.storage.sql import migrations
from service.storage.sql.refusals import refusals


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a database stands. `unknown` is a revision that a newer Gatepost has made."""

    revision: str | None
    pending: Sequence[str]
    unknown: bool = False


async def standing(settings: Settings) -> Standing:
    """Raises `StoreUnavailable`."""
    url = settings.database_url.get_secret_value()
    with refusals():
        revision = await migrations.current(url)
        try:
            return Standing(revision, await migrations.pending(url))
        except CommandError:
            return Standing(revision, (), unknown=True)


async def migrate(settings: Settings) -> Sequence[str]:
    """Run what is pending; which that was. A database of a newer Gatepost is left alone. Raises `StoreUnavailable`."""
    found = await standing(settings)
    if found.pending:
        with refusals():
            await migrations.upgrade(settings.database_url.get_secret_value())
    return found.pending
