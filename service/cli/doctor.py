"""`gatepost doctor`: is everything as it must be, and if not, what to do."""

import asyncio
import os
from typing import TYPE_CHECKING

import typer

from service.cli.exits import Exit
from service.cli.output import Json, print_many

if TYPE_CHECKING:
    from service.cli.examination import Finding

COLUMNS = ("level", "subject", "says")


def doctor(as_json: Json = False) -> None:
    """Examine configuration, database, Redis, signing keys, clocks and files. Ends with 1 when anything fails."""
    findings = _findings()
    print_many([finding.row() for finding in findings], COLUMNS, as_json=as_json)
    if any(finding.level == "fail" for finding in findings):
        raise typer.Exit(Exit.REFUSED)


def _findings() -> "list[Finding]":
    from service.cli.checked import usable_settings
    from service.cli.examination import Finding, examine, examine_files
    from service.cli.local import borrowed_stores
    from service.logs import configure_logs
    from service.settings import SettingsRefused
    from service.storage.embedded import EmbeddedValkeyError

    configure_logs(level="error", form="console")
    try:
        settings = usable_settings(os.environ)
        with borrowed_stores(settings) as whole:
            good = Finding("ok", "configuration", f"{settings.mode} mode, {settings.public_url}")
            return [good, *examine_files(settings), *asyncio.run(examine(whole))]
    except SettingsRefused as refused:
        return [Finding("fail", "configuration", mistake) for mistake in refused.mistakes]
    except EmbeddedValkeyError as problem:
        return [Finding("fail", "valkey", str(problem))]
