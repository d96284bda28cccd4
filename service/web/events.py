"""Events as they are shown, and `/users/me/events`: what happened to the caller's own account."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter

from gatepost.principal import Principal
from service.audit import Record
from service.audit.search import Sought
from service.web.paging import Cursor, Limit, paged
from service.web.rooms import House
from service.web.security import SESSION, Route, require
from service.web.shapes import Page, Shown

router = APIRouter(prefix="/users/me/events", tags=["Your account"], route_class=Route)


class OwnEventShown(Shown):
    """One event of an account. `by` says who did it: `you`, an `administrator`, an `application`, the `service`, or
    `somebody` whom nobody knows. From where is told of what was not done by another person."""

    id: str
    at: datetime
    kind: str
    outcome: str
    by: str
    target: str
    client_id: str
    detail: dict[str, Any]
    address: str
    user_agent: str


class EventShown(Shown):
    """One event: who (`actor`) did what (`kind`), on what (`target`), to whose account (`subject`), with what
    (`scheme`, `credential`), in which request. `personal` is null when the person was erased; `seq`, until the row is
    sealed."""

    id: str
    at: datetime
    kind: str
    outcome: str
    actor_kind: str
    actor: str
    scheme: str
    credential: str
    client_id: str
    subject: str
    target: str
    request_id: str
    detail: dict[str, Any]
    personal: dict[str, str] | None
    seq: int | None

    @classmethod
    def of(cls, record: Record) -> "EventShown":
        """The row without its proofs."""
        fields = {name: getattr(record, name) for name in cls.model_fields}
        return cls(**fields)


_BY = {"client": "application", "system": "service", "operator": "administrator", "nobody": "somebody"}


def _own(record: Record, user_id: str) -> OwnEventShown:
    is_own = record.actor == user_id
    by = "you" if is_own else _BY.get(record.actor_kind, "administrator")
    personal = record.personal if record.personal is not None and by in ("you", "somebody") else {}
    return OwnEventShown(
        id=record.id,
        at=record.at,
        kind=record.kind,
        outcome=record.outcome,
        by=by,
        target=record.target,
        client_id=record.client_id,
        detail=dict(record.detail),
        address=personal.get("address", ""),
        user_agent=personal.get("user_agent", ""),
    )


@router.get("", summary="List what happened to your account")
async def list_own_events(
    house: House,
    caller: Annotated[Principal, require("account:read", schemes=SESSION)],
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Page[OwnEventShown]:
    """Newest first: sign-ins and refused ones, changes of password, keys, consents, whoever made them."""
    mine = Sought(subject=caller.subject)
    return await paged(
        lambda before, most: house.audit.find(mine, before=before, limit=most),
        lambda record: _own(record, caller.subject),
        cursor=cursor,
        limit=limit,
    )
