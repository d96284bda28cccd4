"""The caller's own account: who am I, sessions, password."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from gatepost.principal import Principal
from service import clock
from service.sessions.overview import SeenSession, SessionKind
from service.web.paging import Cursor, Limit, paged
from service.web.rooms import House
from service.web.security import SESSION, Route, authenticated, is_application, require
from service.web.shapes import Asked, LongText, Page, Shown

router = APIRouter(prefix="/users/me", tags=["Your account"], route_class=Route)


class Me(Shown):
    """The caller, and for a person the account behind the credential."""

    sub: str
    kind: Literal["user", "client"]
    scheme: Literal["api_key", "basic", "bearer", "cookie"]
    scopes: list[str]
    client_id: str | None = None
    session_id: str | None = None
    auth_time: datetime | None = None
    username: str | None = None
    email: str | None = None
    roles: list[str] | None = None


class SessionShown(Shown):
    """One sign-in on one device. `current` is the one that asks. `kind` is `browser` for a sign-in at our own pages,
    `direct` for one by `/auth/login`, `application` for what an application was granted: in the sign-in `parent_id`,
    with which it ends unless it is `offline`. `device` are plain words for `user_agent`."""

    id: str
    current: bool
    kind: SessionKind
    device: str
    client_name: str | None
    parent_id: str | None
    offline: bool
    created_at: datetime
    last_used_at: datetime
    ends_at: datetime
    client_id: str
    scopes: list[str]
    user_agent: str
    address: str


class PasswordChange(Asked):
    """The password as it is and as it shall be."""

    current_password: LongText
    new_password: Annotated[str, Field(min_length=1, max_length=1_024)]


@router.get("", summary="Who am I", response_model_exclude_none=True)
async def me(house: House, caller: Annotated[Principal, authenticated()]) -> Me:
    """What the presented credential stands for: any kind, any scopes. An application is told of the person no more
    than they allowed it: the name with `profile`, the address with `email`, the roles with `account:read`."""
    shown = Me(
        sub=caller.subject,
        kind=caller.kind,
        scheme=caller.scheme,
        scopes=sorted(caller.scopes),
        client_id=caller.client_id,
        session_id=caller.session_id,
        auth_time=caller.auth_time,
    )
    if caller.kind == "client":
        return shown
    user = await house.directory.get(caller.subject)
    account = {
        "username": ("profile", user.username),
        "email": ("email", user.email),
        "roles": ("account:read", sorted(user.roles)),
    }
    everything = not is_application(caller)
    told = {name: value for name, (scope, value) in account.items() if everything or scope in caller.scopes}
    return shown.model_copy(update=told)


@router.get("/sessions", summary="List your sessions")
async def list_sessions(
    house: House,
    caller: Annotated[Principal, require("account:read", schemes=SESSION)],
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Page[SessionShown]:
    """Your sessions that are alive, oldest first. One ends at `ends_at` unless it is used."""
    now = clock.now()
    return await paged(
        lambda after, most: house.session_overview.page(caller.subject, after=after, limit=most, now=now),
        lambda seen: _shown(seen, caller),
        cursor=cursor,
        limit=limit,
    )


@router.delete("/sessions/{session_id}", summary="End one of your sessions", status_code=204)
async def end_session(
    session_id: str, house: House, caller: Annotated[Principal, require("account:write", schemes=SESSION)]
) -> None:
    """Its tokens are refused everywhere at once."""
    await house.ending.end(session_id, user_id=caller.subject, why="ended by its owner", now=clock.now())


@router.delete("/sessions", summary="End all of your other sessions", status_code=204)
async def end_other_sessions(
    house: House, caller: Annotated[Principal, require("account:write", schemes=SESSION)]
) -> None:
    """Every session but the one that asks."""
    await house.ending.end_all(caller.subject, why="ended by its owner", now=clock.now(), but=caller.session_id)


@router.post("/password", summary="Change your password", status_code=204, responses={409: {}})
async def change_password(
    body: PasswordChange, house: House, caller: Annotated[Principal, require("account:write", schemes=SESSION)]
) -> None:
    """Needs the present password. Every other session ends; this one goes on."""
    await house.directory.change_own_password(
        caller.subject,
        current=body.current_password,
        new=body.new_password,
        keep_session=caller.session_id,
        now=clock.now(),
    )


def _shown(seen: SeenSession, caller: Principal) -> SessionShown:
    session = seen.session
    return SessionShown(
        id=session.id,
        current=session.id == caller.session_id,
        kind=seen.kind,
        device=str(seen.device),
        client_name=None if seen.client is None else seen.client.name,
        parent_id=session.parent_id,
        offline=session.offline,
        created_at=session.created_at,
        last_used_at=session.last_used_at,
        ends_at=seen.ends_at,
        client_id=session.client_id,
        scopes=sorted(session.scopes),
        user_agent=session.user_agent,
        address=session.address,
    )
