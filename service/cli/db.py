"""`gatepost db`: the tables."""

import asyncio
import os
from typing import TYPE_CHECKING

import typer

from service.cli.exits import Exit
from service.cli.output import Json, print_one

if TYPE_CHECKING:
    from service.settings import Settings

app = typer.Typer(name="db", help="The database's tables.", no_args_is_help=True)


@app.command("upgrade")
def upgrade(as_json: Json = False) -> None:
    """Run the migrations that are pending, all or nothing. Of several that are started at once, one does it."""
    from service.cli.migrating import migrate

    applied = asyncio.run(migrate(_settings()))
    print_one({"applied": list(applied)}, as_json=as_json)


@app.command("status")
def status(as_json: Json = False) -> None:
    """Show where the database stands. Ends with 1 when migrations are pending."""
    from service.cli.migrating import standing

    found = asyncio.run(standing(_settings()))
    row = {"revision": found.revision, "pending": list(found.pending), "known": not found.unknown}
    print_one(row, as_json=as_json)
    if found.pending:
        raise typer.Exit(Exit.REFUSED)


def _settings() -> "Settings":
    from service.cli.checked import usable_settings
    from service.cli.local import with_files
    from service.logs import configure_logs

    settings = with_files(usable_settings(os.environ))
    configure_logs(level="warning", form="console")
    return settings
