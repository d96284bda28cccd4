"""`/admin/users/{user_id}/consents`: what a person has allowed applications to do."""

from typing import Annotated

from fastapi import APIRouter

from gatepost.principal import Principal
from service import clock
from service.web.consents import ConsentShown, listed
from service.web.paging import Cursor, Limit
from service.web.rooms import House
from service.web.security import Route, require
from service.web.shapes import Page

router = APIRouter(prefix="/admin/users/{user_id}/consents", tags=["Administration: users"], route_class=Route)


@router.get("", summary="List a user's consents")
async def list_user_consents(
    user_id: str,
    house: House,
    caller: Annotated[Principal, require("admin:users:read")],
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Page[ConsentShown]:
    """The applications that the person has allowed something, and what."""
    await house.directory.get(user_id)
    return await listed(house, user_id, cursor=cursor, limit=limit)


@router.delete("/{client_id}", summary="Withdraw a user's consent", status_code=204)
async def withdraw_user_consent(
    user_id: str, client_id: str, house: House, caller: Annotated[Principal, require("admin:users:write")]
) -> None:
    """All that the application was given on the person's word is refused everywhere at once. Not for a person who may
    do more than the caller."""
    await house.directory.get_commanded(user_id, within=caller.scopes)
    await house.consents.withdraw(user_id, client_id, clock.now(), why="consent withdrawn by an administrator")
