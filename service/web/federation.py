"""Signing in with another service, as JSON: for mobile applications and single pages, which are sent back themselves.

`start` says where to send the person and gives a `transaction`, which the application keeps to itself; the provider
sends the person back to the application, and `finish` takes what came with them. In cookie mode the transaction is an
HttpOnly cookie. Redirect URIs are those of the settings, character for character.
"""

import secrets
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from service import clock
from service.federation import Came, Return, Wish
from service.federation.refusals import ForeignAnswer
from service.federation.transaction import LIFE
from service.protocol.errors import Invalid, InvalidRequest
from service.sessions.pairs import Device
from service.web.auth import Mode, Tokens, as_cookie, asked_scopes, given
from service.web.cookies import find_cookies
from service.web.rooms import House, Rooms
from service.web.security import Gate, Route, charged_to_network, public
from service.web.shapes import Asked, Page, Shown

router = APIRouter(prefix="/auth/federation", tags=["Sign-in"], route_class=Route, dependencies=[charged_to_network])
ProviderName = Annotated[str, Path(max_length=32, description="As `GET /auth/federation` names it.")]
Came_ = Annotated[str, Field(min_length=1, max_length=4_096)]


class ProviderShown(Shown):
    """A provider that people can sign in with."""

    name: str
    label: str


class Start(Asked):
    """Where the provider sends the person back to."""

    redirect_uri: Annotated[str, Field(min_length=1, max_length=2_000, examples=["com.example.app:/back"])]


class Started(Shown):
    """Where to send the person, and what to keep until they come back. In cookie mode `transaction` is absent."""

    authorization_url: str
    transaction: str | None = None
    expires_in: int


class Finish(Asked):
    """What the person came back with, and the transaction that was kept. What else came is left out."""

    state: Came_
    code: Came_ | None = None
    iss: Came_ | None = None
    error: Came_ | None = None
    transaction: Came_ | None = None

    def returned(self) -> Return:
        """What the provider has sent."""
        return Return(state=self.state, code=self.code, error=self.error, iss=self.iss)


class SignInFinish(Finish):
    """The same, and how much the tokens shall do."""

    scope: Annotated[
        str | None, Field(max_length=20_000, description="Space separated; everything you may do when left out.")
    ] = None


@router.get("", summary="List the services that people can sign in with", dependencies=[public])
async def list_providers(house: House) -> Page[ProviderShown]:
    """In the order of their buttons."""
    offered = await house.providers.offered(now=clock.now())
    return Page(items=[ProviderShown(name=one.name, label=one.label) for one in offered])


@router.post(
    "/{provider}/start",
    summary="Begin a sign-in with another service",
    dependencies=[public],
    response_model_exclude_none=True,
    responses={403: {}, 404: {}, 502: {}, 504: {}},
)
async def start_federated_sign_in(
    provider: ProviderName, body: Start, request: Request, response: Response, house: House, mode: Mode = None
) -> Started:
    """Send the person to `authorization_url`, in a browser. They have ten minutes."""
    return await begin(request, response, house, provider, body, is_cookie=as_cookie(request, mode))


@router.post(
    "/{provider}/finish",
    summary="Finish a sign-in with another service",
    dependencies=[public],
    response_model_exclude_none=True,
    responses={400: {}, 401: {}, 403: {}, 404: {}, 409: {}, 502: {}, 504: {}},
)
async def finish_federated_sign_in(
    provider: ProviderName, body: SignInFinish, request: Request, response: Response, house: House, mode: Mode = None
) -> Tokens:
    """Opens a session on this device, as `/auth/login` does; once. A person who is not known gets an account where
    everybody may register. 409 `sign_in_first`: an account has the proven address; sign in to it, then link both."""
    in_cookies = as_cookie(request, mode)
    came = await come(request, response, house, provider, body, is_cookie=in_cookies)
    user = await house.arrivals.arrive(came.proof.identity, came.config, tokens=came.proof.tokens, now=clock.now())
    gate: Gate = request.app.state.gate
    pair = await house.pairs.open(
        user,
        asked=asked_scopes(body.scope),
        amr=(),
        device=Device(request.headers.get("user-agent", ""), gate.address.of(request.scope)),
        now=clock.now(),
        auth_time=came.auth_time,
    )
    return given(pair, response, gate if in_cookies else None)


async def begin(
    request: Request,
    response: Response,
    house: Rooms,
    provider: str,
    body: Start,
    *,
    is_cookie: bool,
    links_to: str | None = None,
    asked_in: str | None = None,
) -> Started:
    """Begin, for a sign-in or for a link to this account. Raises `Invalid` for a redirect URI that is not allowed."""
    gate: Gate = request.app.state.gate
    if is_cookie:
        gate.check_not_forged(request.scope)
    if body.redirect_uri not in house.federated_redirects:
        raise Invalid("redirect_uri", "Nobody is sent back to this address.", rule="not_allowed")
    wish = Wish(body.redirect_uri, links_to=links_to, asked_in=asked_in)
    held = secrets.token_urlsafe(32)
    sent = await house.federation.begin(provider, wish, holder=_holder(held), now=clock.now())
    response.headers["Cache-Control"] = "no-store"
    if is_cookie:
        gate.cookies.hold(response, held, int(LIFE.total_seconds()))
    return Started(
        authorization_url=sent.authorization_url,
        transaction=None if is_cookie else held,
        expires_in=int(LIFE.total_seconds()),
    )


async def come(
    request: Request,
    response: Response,
    house: Rooms,
    provider: str,
    body: Finish,
    *,
    is_cookie: bool,
    links_in: str | None = None,
) -> Came:
    """Whoever came back, once. With the session `links_in` what was begun there for a link, else what was begun for a
    sign-in."""
    gate: Gate = request.app.state.gate
    held = body.transaction
    if is_cookie:
        gate.check_not_forged(request.scope)
    if is_cookie and held is None:
        found = find_cookies(request.scope, gate.cookies.held_name)
        held = found[0] if len(found) == 1 else None
        gate.cookies.hold(response, "", 0)
    if held is None:
        raise InvalidRequest(public="Send the transaction that was given at the start.")
    now, returned = clock.now(), body.returned()
    transaction = await house.federation.take(provider, returned, holder=_holder(held), session_id=links_in, now=now)
    if links_in is not None and transaction.links_to is None:
        raise ForeignAnswer(detail="a sign-in where a link is due")
    return await house.federation.redeem(transaction, returned, now=now)


def _holder(held: str) -> str:
    """Apart from what hosted pages hold."""
    return f"application/{held}"
