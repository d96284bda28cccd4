"""What commands print on standard output: JSON for machines, columns for people; both with the HTTP API's names."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol, TypeVar

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, with the names of the HTTP API.")]
_PAGE = 200
_GAP = "  "


class Shown(Protocol):
    """A shape of the HTTP API."""

    def model_dump(self, *, mode: str) -> dict[str, Any]: ...


class HasId(Protocol):
    """Anything that is listed in order of its id."""

    @property
    def id(self) -> str: ...


Row = Mapping[str, Any]
R = TypeVar("R", bound=HasId)
S = TypeVar("S")


def print_one(shown: Shown | Row, *, as_json: bool) -> None:
    """One thing: a line for each of its fields."""
    row = shown if isinstance(shown, Mapping) else shown.model_dump(mode="json")
    if as_json:
        print(json.dumps(row, indent=2, ensure_ascii=False))
        return
    width = max(map(len, row))
    for name, value in row.items():
        print(f"{name:{width}}{_GAP}{_text(value)}")


def print_many(rows: Sequence[Shown | Row], columns: Sequence[str], *, as_json: bool) -> None:
    """A list: the whole of each as JSON, or these columns."""
    found = [row if isinstance(row, Mapping) else row.model_dump(mode="json") for row in rows]
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    lines = [list(columns), *([_text(row[name]) for name in columns] for row in found)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        print(_GAP.join(f"{text:{width}}" for text, width in zip(line, widths, strict=True)).rstrip())


async def all_pages(fetch: Callable[[str, int], Awaitable[Sequence[R]]]) -> AsyncIterator[R]:
    """Everything that `fetch(after, limit)` has, page by page."""
    after = ""
    while page := await fetch(after, _PAGE):
        for item in page:
            yield item
        after = page[-1].id


async def collect(fetch: Callable[[str, int], Awaitable[Sequence[R]]], show: Callable[[R], S]) -> list[S]:
    """All of it, as it is shown."""
    return [show(item) async for item in all_pages(fetch)]


def _text(value: object) -> str:
    """A value on one line; what cannot be printed is escaped, so that nothing stored can steer the terminal."""
    match value:
        case None | "" | []:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return " ".join(_text(item) for item in value)
        case dict():
            return ",".join(f"{name}={_text(item)}" for name, item in value.items())
        case _:
            return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))
