"""`/admin/users`: people, what they may do, their passwords and sessions."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from gatepost.principal import Principal
from service import clock
from service.accounts.account import User
from service.accounts.change import UserChange
from service.sessions.session import Session
from service.web.admin.profile import ProfileAsked
from service.web.paging import Cursor, Limit, Search, paged
from service.web.profile import Claims
from service.web.rooms import House
from service.web.security import Route, require
from service.web.shapes import Asked, Change, LeftOut, LongText, Page, Scopes, Shown

router = APIRouter(prefix="/admin/users", tags=["Administration: users"], route_class=Route)

Email = Annotated[str, Field(min_length=1, max_length=254, examples=["ada@example.com"])]
Roles = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=128)]],
    Field(max_length=32, description="Named sets of scopes.", examples=[["admin"]]),
]
OwnScopes = Annotated[Scopes, Field(description="Scopes beside those of the roles.", examples=[["reports:read"]])]


class UserAsked(Asked):
    """A new person."""

    username: Annotated[str, Field(min_length=1, max_length=64, examples=["ada"])]
    password: Annotated[LongText, Field(examples=["a long and private sentence"])]
    email: Email | None = None
    roles: Roles = Field(default_factory=list)
    scopes: OwnScopes = Field(default_factory=list)


class UserChanged(Change):
    """What to change about a person. `roles` and `scopes` replace the old ones as a whole, `profile` goes member by
    member."""

    roles: LeftOut[Roles] = None
    scopes: LeftOut[OwnScopes] = None
    email: LeftOut[Email] = None
    disabled: LeftOut[Annotated[bool, Field(description="Nobody disabled can sign in.")]] = None
    email_verified: LeftOut[Annotated[bool, Field(description="A new address is not, unless this says so.")]] = None
    profile: LeftOut[ProfileAsked] = None


class PasswordAsked(Asked):
    """A new password."""

    password: Annotated[LongText, Field(examples=["another long and private sentence"])]


class UserShown(Shown):
    """A person."""

    id: str
    username: str
    email: str | None
    roles: list[str]
    scopes: list[str]
    disabled: bool
    created_at: datetime
    email_verified: bool
    profile: Claims

    @classmethod
    def of(cls, user: User) -> "UserShown":
        """The person without anything secret."""
        return cls(
            id=user.id,
            username=user.username,
            email=user.email,
            roles=sorted(user.roles),
            scopes=sorted(user.scopes),
            disabled=not user.active,
            created_at=user.created_at,
            email_verified=user.email_verified_at is not None,
            profile=dict(user.profile),
        )


class UserSessionShown(Shown):
    """One sign-in on one device."""

    id: str
    created_at: datetime
    last_used_at: datetime
    ends_at: datetime
    client_id: str
    scopes: list[str]
    user_agent: str
    address: str

    @classmethod
    def of(cls, session: Session) -> "UserSessionShown":
        """The session without its tokens, which nobody keeps."""
        return cls(
            id=session.id,
            created_at=session.created_at,
            last_used_at=session.last_used_at,
            ends_at=session.ends_at,
            client_id=session.client_id,
            scopes=sorted(session.scopes),
            user_agent=session.user_agent,
            address=session.address,
        )


Reader = Annotated[Principal, require("admin:users:read")]
Writer = Annotated[Principal, require("admin:users:write")]


@router.post("", summary="Create a user", status_code=201, responses={409: {}})
async def create_user(body: UserAsked, house: House, caller: Writer) -> UserShown:
    """Roles and scopes can be at most the caller's own; who holds all of Gatepost's scopes may grant any."""
    user = await house.directory.create(
        body.username,
        body.password,
        email=body.email,
        roles=body.roles,
        scopes=body.scopes,
        now=clock.now(),
        within=caller.scopes,
    )
    return UserShown.of(user)


@router.get("", summary="List users")
async def list_users(
    house: House, caller: Reader, search: Search = "", cursor: Cursor = "", limit: Limit = 50
) -> Page[UserShown]:
    """Oldest first; with `search`, those whose user name or e-mail address contains it."""
    return await paged(
        lambda after, most: house.directory.page(search=search, after=after, limit=most),
        UserShown.of,
        cursor=cursor,
        limit=limit,
    )


@router.get("/{user_id}", summary="Look at a user")
async def show_user(user_id: str, house: House, caller: Reader) -> UserShown:
    """One person."""
    return UserShown.of(await house.directory.get(user_id))


@router.patch("/{user_id}", summary="Change or disable a user", responses={409: {}})
async def change_user(user_id: str, body: UserChanged, house: House, caller: Writer) -> UserShown:
    """Takes effect on every credential at once; disabling ends all sessions. What is left out stays. A profile is what
    applications are told by the scopes `profile`, `email`, `phone` and `address`; changing it signs nobody out.

    Nobody changes a person who may do more than he himself, nor raises one above himself. The last administrator keeps
    the role.
    """
    change = UserChange(
        roles=body.roles,
        scopes=body.scopes,
        email=body.email,
        disabled=body.disabled,
        profile={} if body.profile is None else body.profile.given(),
        email_verified=body.email_verified,
    )
    return UserShown.of(await house.directory.change(user_id, change, now=clock.now(), within=caller.scopes))


@router.post("/{user_id}/password", summary="Set a user's password", status_code=204, responses={409: {}})
async def set_user_password(user_id: str, body: PasswordAsked, house: House, caller: Writer) -> None:
    """Ends all of the person's sessions. Not for a person who may do more than the caller."""
    await house.directory.set_password(user_id, body.password, now=clock.now(), within=caller.scopes)


@router.get("/{user_id}/sessions", summary="List a user's sessions")
async def list_user_sessions(
    user_id: str, house: House, caller: Reader, cursor: Cursor = "", limit: Limit = 50
) -> Page[UserSessionShown]:
    """Those that are alive, oldest first."""
    await house.directory.get(user_id)
    now = clock.now()
    return await paged(
        lambda after, most: house.sessions.page(user_id=user_id, after=after, limit=most, now=now),
        UserSessionShown.of,
        cursor=cursor,
        limit=limit,
    )


@router.delete("/{user_id}/sessions", summary="End all of a user's sessions", status_code=204)
async def end_user_sessions(user_id: str, house: House, caller: Writer) -> None:
    """Their tokens are refused everywhere at once."""
    await house.directory.end_sessions(user_id, now=clock.now(), within=caller.scopes)


@router.delete("/{user_id}/sessions/{session_id}", summary="End one of a user's sessions", status_code=204)
async def end_user_session(user_id: str, session_id: str, house: House, caller: Writer) -> None:
    """Its tokens are refused everywhere at once."""
    await house.directory.end_sessions(user_id, only=session_id, now=clock.now(), within=caller.scopes)
