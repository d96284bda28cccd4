"""Usage as it is shown, as JSON page by page or whole as a spreadsheet, and `/users/me/usage`."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from gatepost.principal import Principal
from service import spreadsheet
from service.usage import Dimension, FindsTotals, Period, Question, Total
from service.web.paging import Cursor, Limit, paged
from service.web.rooms import House
from service.web.security import SESSION, Route, require
from service.web.shapes import Page, Shown

router = APIRouter(prefix="/users/me/usage", tags=["Your account"], route_class=Route)

_ROWS_AT_ONCE = 1_000
Text = Annotated[str, Query(max_length=256)]
Instant = Annotated[AwareDatetime | None, Query(description="With its offset, as 2026-11-03T08:00:00Z.")]
By = Annotated[list[Dimension], Query(max_length=8, description="What totals are told apart by; several times.")]
Per = Annotated[Period | None, Query(description="A total for each of these, in UTC; one for all when left out.")]
Form = Annotated[Literal["json", "csv"], Query(alias="format", description="`csv` gives all pages in one.")]


class TotalShown(Shown):
    """So many requests of one kind. What was not asked for is null, and empty is what they had none of: requests of
    nobody have the kind `nobody`. `period` is an hour as `2026-11-03T08:00Z`, a day or a month."""

    period: str | None
    kind: str | None
    subject: str | None
    client_id: str | None
    api_key_id: str | None
    route: str | None
    outcome: str | None
    requests: int

    @classmethod
    def of(cls, total: Total) -> "TotalShown":
        """The total, with a whole hour's text."""
        fields = {name: getattr(total, name) for name in cls.model_fields}
        if total.period is not None and "T" in total.period:
            fields["period"] = f"{total.period}:00Z"
        return cls(**fields)


COLUMNS = tuple(TotalShown.model_fields)
SPREADSHEET: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
"""What the OpenAPI document says beside the JSON."""


async def answered(
    usage: FindsTotals, question: Question, *, form: str, cursor: str, limit: int
) -> Page[TotalShown] | Response:
    """One page as JSON, or everything as CSV. Raises `Invalid`, `StoreUnavailable`."""
    if form == "json":
        return await paged(
            lambda after, most: usage.totals(question, after=after, limit=most),
            TotalShown.of,
            cursor=cursor,
            limit=limit,
        )
    first = await usage.totals(question, after="", limit=_ROWS_AT_ONCE)
    fields = {"Content-Disposition": 'attachment; filename="usage.csv"'}
    return StreamingResponse(csv_lines(usage, question, first), media_type="text/csv; header=present", headers=fields)


async def csv_lines(usage: FindsTotals, question: Question, page: Sequence[Total]) -> AsyncIterator[str]:
    """The heading, then the rows of this first page and of all that follow."""
    yield spreadsheet.line(COLUMNS)
    while page:
        yield "".join(spreadsheet.line([*TotalShown.of(total).model_dump().values()]) for total in page)
        if len(page) < _ROWS_AT_ONCE:
            return
        page = await usage.totals(question, after=page[-1].id, limit=_ROWS_AT_ONCE)


async def _asked(
    by: By = [],  # noqa: B006 - FastAPI copies it
    per: Per = None,
    client_id: Text = "",
    api_key_id: Text = "",
    route: Text = "",
    outcome: Text = "",
    since: Instant = None,
    until: Instant = None,
) -> Question:
    return Question(
        by=frozenset(by),
        per=per,
        client_id=client_id,
        api_key_id=api_key_id,
        route=route,
        outcome=outcome,
        since=since,
        until=until,
    )


Asked = Annotated[Question, Depends(_asked)]
"""What the query says of anybody's usage."""


@router.get("", summary="See your usage", response_model=Page[TotalShown], responses=SPREADSHEET)
async def own_usage(
    house: House,
    caller: Annotated[Principal, require("account:read", schemes=SESSION)],
    asked: Asked,
    form: Form = "json",
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Page[TotalShown] | Response:
    """How many requests you have made, by yourself, with your API keys and through applications. Hours count that begin
    at `since` or later and before `until`; what happens now is there within seconds."""
    mine = replace(asked, kind="user", subject=caller.subject)
    return await answered(house.usage, mine, form=form, cursor=cursor, limit=limit)
