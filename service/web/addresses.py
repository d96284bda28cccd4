"""What an e-mail address does for an account, as JSON: register, recover, confirm, change.

Every answer to a mere request for a letter is the same 202: whether an address is known is told to its owner alone.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from gatepost.principal import Principal
from service import clock
from service.addresses import Invitation
from service.limits import Source
from service.protocol.errors import DeadLink, NotOffered
from service.web.pages import locale_of
from service.web.rooms import House, Rooms
from service.web.security import SESSION, Gate, Route, charged_to_network, require
from service.web.security import public as open_to_all
from service.web.shapes import Asked, LongText, Scopes, Shown

Address = Annotated[str, Field(min_length=3, max_length=254, examples=["ada@example.org"])]
NewPassword = Annotated[str, Field(min_length=1, max_length=1_024, examples=["a long and private sentence"])]
Token = Annotated[str, Field(min_length=1, max_length=128, description="The `token` of the letter's link.")]


def offered(request: Request) -> None:
    """Raises `NotOffered` where no letter can be sent."""
    rooms: Rooms = request.app.state.rooms
    if not rooms.sends_letters:
        raise NotOffered


def source_of(request: Request) -> Source:
    """From where a request comes."""
    gate: Gate = request.app.state.gate
    return Source(gate.address.of(request.scope))


async def _counted(request: Request, house: House) -> AsyncIterator[None]:
    now = clock.now()
    house.links.check("", lambda: source_of(request).address, now=now)
    try:
        yield
    except DeadLink:
        await house.links.failed("", lambda: source_of(request).address, now=now)
        raise


behind_link = Depends(_counted)
"""The dependency of a route that takes the secret of a link: dead ones are counted by the network they come from."""


router = APIRouter(route_class=Route, dependencies=[Depends(offered), charged_to_network])


class Wanted(Asked):
    """Where the letter goes."""

    email: Address


class Completion(Asked):
    """A new account behind a letter's link."""

    token: Token
    username: Annotated[str, Field(min_length=1, max_length=64, examples=["ada"])]
    password: NewPassword


class Registered(Shown):
    """The account that was made."""

    sub: str
    username: str
    email: str


class Reset(Asked):
    """A new password behind a letter's link."""

    token: Token
    new_password: NewPassword


class Confirmation(Asked):
    """The link of a letter."""

    token: Token


class AddressChange(Asked):
    """The new address, and the present password."""

    email: Address
    current_password: LongText


class Invited(Asked):
    """Whom to invite, and what they will be."""

    email: Address
    roles: Annotated[Scopes, Field(default_factory=list)]
    scopes: Annotated[Scopes, Field(default_factory=list)]


@router.post(
    "/auth/register",
    tags=["Sign-in"],
    summary="Ask for an account",
    dependencies=[open_to_all],
    status_code=202,
    responses={404: {}, 429: {}},
)
async def register(body: Wanted, request: Request, house: House) -> Response:
    """Writes a letter to the address. Its link leads to choosing name and password, here by `/auth/register/complete`.

    404 unless registration is open.
    """
    await house.registration.ask(body.email, source=source_of(request), locale=locale_of(request).tag, now=clock.now())
    return Response(status_code=202)


@router.post(
    "/auth/register/complete",
    tags=["Sign-in"],
    summary="Make the account behind a letter's link",
    dependencies=[open_to_all, behind_link],
    status_code=201,
    responses={409: {}, 410: {}, 429: {}},
)
async def complete_registration(body: Completion, house: House) -> Registered:
    """The address is proven by it. 409 for a name that is taken: the link stays good. 410 for a dead link."""
    user = await house.registration.complete(body.token, body.username, body.password, now=clock.now())
    return Registered(sub=user.id, username=user.username, email=user.email or "")


@router.post(
    "/auth/password/forgot",
    tags=["Sign-in"],
    summary="Ask for a new password",
    dependencies=[open_to_all],
    status_code=202,
    responses={429: {}},
)
async def forgot_password(body: Wanted, request: Request, house: House) -> Response:
    """Writes a letter to the address, if it has an account."""
    await house.recovery.ask(body.email, source=source_of(request), locale=locale_of(request).tag, now=clock.now())
    return Response(status_code=202)


@router.post(
    "/auth/password/reset",
    tags=["Sign-in"],
    summary="Set a new password by a letter's link",
    dependencies=[open_to_all, behind_link],
    status_code=204,
    responses={410: {}, 429: {}},
)
async def reset_password(body: Reset, request: Request, house: House) -> None:
    """Ends every session of the account, and proves its address. 410 for a dead link."""
    await house.recovery.reset(body.token, body.new_password, locale=locale_of(request).tag, now=clock.now())


@router.post(
    "/auth/email/confirm",
    tags=["Sign-in"],
    summary="Confirm an address by a letter's link",
    dependencies=[open_to_all, behind_link],
    status_code=204,
    responses={409: {}, 410: {}, 429: {}},
)
async def confirm_email(body: Confirmation, request: Request, house: House) -> None:
    """The address of the link is the account's from now on. 410 for a dead link."""
    await house.verification.confirm(body.token, locale=locale_of(request).tag, now=clock.now())


@router.post("/users/me/email", tags=["Your account"], summary="Change your address", status_code=202)
async def change_email(
    body: AddressChange,
    request: Request,
    house: House,
    caller: Annotated[Principal, require("account:write", schemes=SESSION)],
) -> Response:
    """Writes a letter to the new address; the change is made by its link, and the old address is told."""
    await house.verification.ask_change(
        caller.subject,
        body.email,
        password=body.current_password,
        source=source_of(request),
        locale=locale_of(request).tag,
        now=clock.now(),
    )
    return Response(status_code=202)


@router.post(
    "/users/me/email/verify",
    tags=["Your account"],
    summary="Have your address confirmed",
    status_code=202,
    responses={409: {}},
)
async def verify_email(
    request: Request, house: House, caller: Annotated[Principal, require("account:write", schemes=SESSION)]
) -> Response:
    """Writes a letter to your address. 409 when there is none, or it is confirmed already."""
    await house.verification.ask(
        caller.subject, source=source_of(request), locale=locale_of(request).tag, now=clock.now()
    )
    return Response(status_code=202)


@router.post(
    "/admin/invitations",
    tags=["Administration: users"],
    summary="Invite somebody",
    status_code=202,
    responses={404: {}},
)
async def invite(
    body: Invited, request: Request, house: House, caller: Annotated[Principal, require("admin:users:write")]
) -> Response:
    """Writes a letter with a link that is good for a week. Whoever follows it has these roles and scopes.

    404 when registration is closed; 403 for what you do not have yourself.
    """
    invitation = Invitation(frozenset(body.roles), frozenset(body.scopes))
    await house.registration.invite(
        body.email, invitation, locale=locale_of(request).tag, now=clock.now(), within=caller.scopes
    )
    return Response(status_code=202)
