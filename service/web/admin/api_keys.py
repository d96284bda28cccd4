"""`/admin/users/{user_id}/api-keys`: people's API keys, and how much may be asked with each."""

from typing import Annotated

from fastapi import APIRouter

from gatepost.principal import Principal
from service import clock
from service.limits import Rate
from service.web.api_keys import KeyShown
from service.web.paging import Cursor, Limit, paged
from service.web.rooms import House
from service.web.security import Route, require
from service.web.shapes import Asked, OwnRate, Page

router = APIRouter(prefix="/admin/users/{user_id}/api-keys", tags=["Administration: users"], route_class=Route)

Reader = Annotated[Principal, require("admin:users:read")]
Writer = Annotated[Principal, require("admin:users:write")]


class KeyFigure(Asked):
    """How much may be asked with a key."""

    rate: OwnRate | None


@router.get("", summary="List a user's API keys")
async def list_user_keys(
    user_id: str, house: House, caller: Reader, cursor: Cursor = "", limit: Limit = 50
) -> Page[KeyShown]:
    """Those that are not revoked, oldest first."""
    await house.directory.get(user_id)
    return await paged(
        lambda after, most: house.api_keys.page(user_id, after=after, limit=most),
        KeyShown.of,
        cursor=cursor,
        limit=limit,
    )


@router.patch("/{key_id}", summary="Say how much may be asked with an API key")
async def set_user_key_rate(user_id: str, key_id: str, body: KeyFigure, house: House, caller: Writer) -> KeyShown:
    """Holds everywhere at once. Not for a key of a person who may do more than the caller."""
    await house.directory.get_commanded(user_id, within=caller.scopes)
    rate = None if body.rate is None else Rate.parse(body.rate)
    await house.api_keys.set_rate(key_id, rate, user_id=user_id, now=clock.now())
    return KeyShown.of(await house.api_keys.get(key_id))
