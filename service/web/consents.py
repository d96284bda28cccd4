"""What the caller has allowed applications to do."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter

from gatepost.principal import Principal
from service import clock
from service.consents.consent import Consent
from service.web.paging import Cursor, Limit, paged
from service.web.rooms import House, Rooms
from service.web.security import SESSION, Route, require
from service.web.shapes import Page, Shown

router = APIRouter(prefix="/users/me/consents", tags=["Your account"], route_class=Route)


class ConsentShown(Shown):
    """What an application may do in a person's name; `audience` says at which services beside this one."""

    client_id: str
    client_name: str | None
    scopes: list[str]
    audience: list[str]
    granted_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, consent: Consent, client_name: str | None) -> "ConsentShown":
        """The consent, with the name that people know the application by."""
        return cls(
            client_id=consent.client_id,
            client_name=client_name,
            scopes=sorted(consent.scopes),
            audience=list(consent.audience),
            granted_at=consent.granted_at,
            updated_at=consent.updated_at,
        )

    @property
    def id(self) -> str:
        """By what a person's consents are listed."""
        return self.client_id


async def shown_page(rooms: Rooms, user_id: str, after: str, limit: int) -> Sequence[ConsentShown]:
    """A person's consents past `after`, as they are shown; an application that is gone has no name."""
    shown = []
    for consent in await rooms.consents.page(user_id, after=after, limit=limit):
        client = await rooms.client_directory.find(consent.client_id)
        shown.append(ConsentShown.of(consent, None if client is None else client.name))
    return shown


async def listed(rooms: Rooms, user_id: str, *, cursor: str, limit: int) -> Page[ConsentShown]:
    """One page of a person's consents."""
    return await paged(partial(shown_page, rooms, user_id), lambda shown: shown, cursor=cursor, limit=limit)


@router.get("", summary="List your consents")
async def list_consents(
    house: House,
    caller: Annotated[Principal, require("account:read", schemes=SESSION)],
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Page[ConsentShown]:
    """The applications that you have allowed something, and what."""
    return await listed(house, caller.subject, cursor=cursor, limit=limit)


@router.delete("/{client_id}", summary="Withdraw a consent", status_code=204)
async def withdraw_consent(
    client_id: str, house: House, caller: Annotated[Principal, require("account:write", schemes=SESSION)]
) -> None:
    """The application is forgotten and signed out: all that it was given on your word is refused everywhere at once.

    Other applications and your own sessions go on.
    """
    await house.consents.withdraw(caller.subject, client_id, clock.now())
