"""`gatepost audit`: looking for events, taking them out, and judging whether they are whole."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

import typer

from service import clock, spreadsheet
from service.cli.exits import Exit, leave, say
from service.cli.house import in_house
from service.cli.output import Json, print_many, print_one
from service.cli.spans import in_utc

if TYPE_CHECKING:
    from service.app import House
    from service.audit.search import Sought
    from service.audit.verification import Finding
    from service.web.events import EventShown

app = typer.Typer(name="audit", help="Who did what: search, export, verify.", no_args_is_help=True)
COLUMNS = ("at", "kind", "outcome", "actor_kind", "actor", "subject", "target", "id")
_PAGE = 1_000

Kind = Annotated[str, typer.Option(help="As sign_in or password.changed.")]
Outcome = Annotated[str, typer.Option(help="ok or refused.")]
Person = Annotated[str, typer.Option("--user", help="Whom it is about or who did it: user name, address or id.")]
Since = Annotated[datetime | None, typer.Option(help="From this moment on, in UTC.")]
Until = Annotated[datetime | None, typer.Option(help="Before this moment, in UTC.")]


@app.command("search")
def search(
    kind: Kind = "",
    outcome: Outcome = "",
    user: Person = "",
    since: Since = None,
    until: Until = None,
    after: Annotated[str, typer.Option(help="The id of the last row of the page before.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50,
    as_json: Json = False,
) -> None:
    """Show events, newest first."""

    async def work(house: "House") -> "list[EventShown]":
        from service.web.events import EventShown

        sought = await _sought(house, kind, outcome, user, since, until)
        return [EventShown.of(one) for one in await house.rooms.audit.find(sought, before=after, limit=limit)]

    print_many(in_house(work), COLUMNS, as_json=as_json)


@app.command("export")
def export(
    form: Annotated[Literal["ndjson", "csv"], typer.Option(help="One JSON object a line, or columns.")] = "ndjson",
    output: Annotated[Path | None, typer.Option(help="A new file; standard output without.")] = None,
    kind: Kind = "",
    outcome: Outcome = "",
    user: Person = "",
    since: Since = None,
    until: Until = None,
) -> None:
    """Write out all events that match, newest first. Says on standard error how far it is."""

    async def work(house: "House") -> int:
        from service.web.events import EventShown

        sought, rows = await _sought(house, kind, outcome, user, since, until), house.rooms.audit
        total, done, before = await rows.count(sought), 0, ""
        with _opened(output) as file:
            write = _writer(form, file, list(EventShown.model_fields))
            while found := await rows.find(sought, before=before, limit=_PAGE):
                for record in found:
                    write(EventShown.of(record).model_dump(mode="json"))
                done, before = done + len(found), found[-1].id
                say(f"{done} of {max(done, total)} events")
        return done

    in_house(work)


@app.command("verify")
def verify(
    heads: Annotated[
        Path | None, typer.Option(help="A file of signed heads, one a line; the configured one without.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge every row, the chain over them, and whether it passes where the heads say. Ends with 1 if not."""

    async def work(house: "House") -> "Finding":
        try:
            read = await house.read_heads(lines)
        except ValueError as problem:
            return Finding(broken=f"{file}: {problem}")
        return await house.rooms.audit_verification.check(read)

    from service.audit.verification import Finding

    file = heads or _configured_heads()
    lines = _lines(file)
    found: Finding = in_house(work)
    print_one(asdict(found), as_json=as_json)
    if found.broken is not None:
        leave(Exit.REFUSED, found.broken)
    if not found.heads:
        say("no head was there to hold the chain against: a cut tail would not be seen")


@app.command("erase")
def erase(user: Annotated[str, typer.Argument(metavar="USER")], as_json: Json = False) -> None:
    """Take addresses, user agents and e-mail out of a person's events. The chain stays verifiable."""

    async def work(house: "House") -> int:
        from service.audit.search import erase_person

        person, now = await house.rooms.directory.get_named(user), clock.now()
        async with house.rooms.acts.begin(now) as act:
            return await erase_person(act, house.rooms.audit, person.id)

    print_one({"user": user, "events": in_house(work)}, as_json=as_json)


async def _sought(
    house: "House", kind: str, outcome: str, user: str, since: datetime | None, until: datetime | None
) -> "Sought":
    from service.audit.search import Sought

    person = (await house.rooms.directory.get_named(user)).id if user else ""
    return Sought(kind=kind, outcome=outcome, person=person, since=in_utc(since), until=in_utc(until))


def _configured_heads() -> Path | None:
    from service.cli.checked import usable_settings

    return usable_settings(os.environ).audit_heads_file


def _lines(file: Path | None) -> list[str]:
    return file.read_text().splitlines() if file is not None and file.is_file() else []


def _opened(output: Path | None) -> IO[str]:
    if output is None:
        return open(sys.stdout.fileno(), "w", closefd=False, newline="")
    return output.open("x", newline="")


def _writer(form: str, file: IO[str], columns: list[str]) -> Callable[[dict[str, Any]], object]:
    if form == "ndjson":
        return lambda row: file.write(json.dumps(row, ensure_ascii=False) + "\n")
    file.write(spreadsheet.line(columns))
    return lambda row: file.write(spreadsheet.line([row[name] for name in columns]))
