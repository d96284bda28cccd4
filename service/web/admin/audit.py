"""`/admin/audit`: who did what, for everybody."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from gatepost.principal import Principal
from service.audit.search import Sought
from service.web.events import EventShown
from service.web.paging import Cursor, Limit, paged
from service.web.rooms import House
from service.web.security import Route, require
from service.web.shapes import Page

router = APIRouter(prefix="/admin/audit", tags=["Administration: audit"], route_class=Route)

Text = Annotated[str, Query(max_length=256)]
Instant = Annotated[AwareDatetime | None, Query(description="With its offset, as 2026-11-03T08:15:00Z.")]


@router.get("", summary="Search the audit")
async def search_audit(
    house: House,
    caller: Annotated[Principal, require("admin:audit:read")],
    kind: Text = "",
    outcome: Text = "",
    subject: Text = "",
    actor: Text = "",
    client_id: Text = "",
    target: Text = "",
    request_id: Text = "",
    since: Instant = None,
    until: Instant = None,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Page[EventShown]:
    """Newest first, those that are equal in all that is asked for, from `since` on and before `until`."""
    sought = Sought(
        kind=kind,
        outcome=outcome,
        subject=subject,
        actor=actor,
        client_id=client_id,
        target=target,
        request_id=request_id,
        since=since,
        until=until,
    )
    return await paged(
        lambda before, most: house.audit.find(sought, before=before, limit=most),
        EventShown.of,
        cursor=cursor,
        limit=limit,
    )
