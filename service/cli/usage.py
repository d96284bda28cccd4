"""`gatepost usage`: who used how much."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from service import spreadsheet
from service.cli.house import in_house
from service.cli.output import Json, collect, print_many
from service.cli.spans import in_utc

if TYPE_CHECKING:
    from service.app import House
    from service.web.usage import TotalShown


class By(StrEnum):
    """What totals can be told apart by."""

    PRINCIPAL = "principal"
    CLIENT = "client"
    API_KEY = "api_key"
    ROUTE = "route"
    OUTCOME = "outcome"


Per = Literal["hour", "day", "month"]


def usage(
    by: Annotated[list[By] | None, typer.Option(help="What totals are told apart by; may come several times.")] = None,
    per: Annotated[Per | None, typer.Option(help="A total for each of these, in UTC.")] = None,
    user: Annotated[str, typer.Option(help="Of this person: user name, address or id.")] = "",
    client: Annotated[str, typer.Option(help="By this client: its id.")] = "",
    api_key: Annotated[str, typer.Option(help="With this API key: its id.")] = "",
    route: Annotated[str, typer.Option(help="At this route, as /users/me/sessions/{session_id}.")] = "",
    outcome: Annotated[str, typer.Option(help="ok, refused, limited, invalid or failed.")] = "",
    since: Annotated[datetime | None, typer.Option(help="Hours that begin at this moment or later, in UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Hours that begin before this moment, in UTC.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, with the names of the HTTP API.")] = False,
    as_json: Json = False,
) -> None:
    """Show how many requests were made, in total or by whom, with what, where and when."""

    async def work(house: "House") -> "list[TotalShown]":
        from service.usage import Dimension, Period, Question
        from service.web.usage import TotalShown

        person = (await house.rooms.directory.get_named(user)).id if user else ""
        question = Question(
            by=frozenset(map(Dimension, by or ())),
            per=None if per is None else Period(per),
            kind="user" if person else "",
            subject=person,
            client_id=client,
            api_key_id=api_key,
            route=route,
            outcome=outcome,
            since=in_utc(since),
            until=in_utc(until),
        )
        if not question.columns and per is None:
            return [TotalShown.of(total) for total in await house.rooms.usage.totals(question, after="", limit=1)]
        return await collect(
            lambda after, limit: house.rooms.usage.totals(question, after=after, limit=limit), TotalShown.of
        )

    shown = [total.model_dump() for total in in_house(work)]
    if as_csv:
        _print_csv(shown)
        return
    columns = [name for name in _columns() if name == "requests" or any(row[name] is not None for row in shown)]
    print_many(shown, columns, as_json=as_json)


def _print_csv(rows: list[dict[str, object]]) -> None:
    print(spreadsheet.line(_columns()), end="")
    for row in rows:
        print(spreadsheet.line([*row.values()]), end="")


def _columns() -> tuple[str, ...]:
    from service.web.usage import COLUMNS

    return COLUMNS
