"""`/admin/usage`: who used how much, for everybody."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Response

from gatepost.principal import Principal
from service.web.paging import Cursor, Limit
from service.web.rooms import House
from service.web.security import Route, require
from service.web.shapes import Page
from service.web.usage import SPREADSHEET, Asked, Form, Text, TotalShown, answered

router = APIRouter(prefix="/admin/usage", tags=["Administration: usage"], route_class=Route)


@router.get("", summary="See who used how much", response_model=Page[TotalShown], responses=SPREADSHEET)
async def usage(
    house: House,
    caller: Annotated[Principal, require("admin:usage:read")],
    asked: Asked,
    kind: Text = "",
    subject: Text = "",
    form: Form = "json",
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Page[TotalShown] | Response:
    """Totals of requests, told apart as asked, of those that are equal in all that is asked for, oldest period first.
    Hours count that begin at `since` or later and before `until`."""
    wanted = replace(asked, kind=kind, subject=subject)
    return await answered(house.usage, wanted, form=form, cursor=cursor, limit=limit)
