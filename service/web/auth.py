"""Sign in, refresh, sign out: JSON for applications, cookies for browsers."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from gatepost.principal import Principal
from gatepost.scopes import ScopeSyntaxError, format_scope, parse_scope
from service import clock
from service.clients.client import FIRST_PARTY
from service.limits import Source
from service.protocol.errors import InsufficientScope, InvalidGrant, InvalidRequest, InvalidScope, Refusal
from service.sessions.pairs import Device, TokenPair
from service.web.rooms import House
from service.web.security import SESSION, Gate, Route, authenticated, charged_to_network, is_application, public
from service.web.shapes import Asked, LongText, Shown
from service.web.watch import person_calls

router = APIRouter(prefix="/auth", tags=["Sign-in"], route_class=Route, dependencies=[charged_to_network])

Mode = Annotated[
    Literal["json", "cookie"] | None,
    Query(description="`cookie` keeps the tokens in HttpOnly cookies and out of the answer."),
]


class Login(Asked):
    """Who signs in, and with how much."""

    username: Annotated[
        str, Field(min_length=1, max_length=1_024, description="User name or e-mail address.", examples=["ada"])
    ]
    password: Annotated[LongText, Field(examples=["a long and private sentence"])]
    scope: Annotated[
        str | None, Field(max_length=20_000, description="Space separated; everything you may do when left out.")
    ] = None
    device: Annotated[
        LongText | None, Field(description="The `device` of the last answer on this device: see docs/limits.md.")
    ] = None


class Refresh(Asked):
    """The refresh token to trade in. In cookie mode it comes in its cookie instead."""

    refresh_token: LongText | None = None
    scope: Annotated[str | None, Field(max_length=20_000, description="May only narrow.")] = None


class Logout(Asked):
    """Which session to end by its refresh token; the caller's own when left out."""

    refresh_token: LongText | None = None


class Tokens(Shown):
    """What a sign-in and a refresh give (RFC 6749 §5.1). Times are seconds from now. `token` equals `access_token`.

    In cookie mode the tokens themselves are absent.
    """

    access_token: str | None = None
    token: str | None = None
    token_type: Literal["Bearer"] = "Bearer"  # a type's name
    expires_in: int
    refresh_token: str | None = None
    refresh_expires_in: int
    scope: str


class SignedIn(Tokens):
    """The tokens, and what this device is known by from now on: send it along at the next sign-in."""

    device: str | None = None


@router.post(
    "/login",
    summary="Sign in with user name or e-mail and password",
    dependencies=[public],
    response_model_exclude_none=True,
    responses={401: {}, 403: {}, 429: {}},
)
async def login(body: Login, request: Request, response: Response, house: House, mode: Mode = None) -> SignedIn:
    """Opens a session on this device. Every failure is the same 401, and costs the same; too many are a 429, whether
    or not there is such an account. A device that has signed in before is not shut out by what others fail."""
    gate: Gate = request.app.state.gate
    in_cookies, now = as_cookie(request, mode), clock.now()
    if in_cookies:
        gate.check_not_forged(request.scope)
    before = gate.device.find(request.scope) if in_cookies else body.device or ""
    source = Source(gate.address.of(request.scope), house.known_devices.read(before, now=now))
    user = await house.sign_in.check(body.username, body.password, source=source)
    person_calls(request.scope, user.id, FIRST_PARTY)
    device = Device(request.headers.get("user-agent", ""), source.address)
    pair = await house.pairs.open(user, asked=asked_scopes(body.scope), amr=("pwd",), device=device, now=now)
    known = house.known_devices.remember(user.id, before, now=now)
    if in_cookies:
        gate.device.set(response, known)
    tokens = given(pair, response, gate if in_cookies else None)
    return SignedIn(**tokens.model_dump(), device=None if in_cookies else known)


@router.post(
    "/refresh",
    summary="Trade a refresh token for its successor and a new access token",
    dependencies=[public],
    response_model_exclude_none=True,
    responses={401: {}, 403: {}},
)
async def refresh(body: Refresh, request: Request, response: Response, house: House) -> Tokens:
    """The same token sent again within the grace window gives the same successor; later it ends the session."""
    gate: Gate = request.app.state.gate
    token, from_cookie = _presented_refresh(request, gate, body.refresh_token)
    if token is None:
        raise InvalidRequest(public="Send a refresh token.")
    pair = await house.pairs.refresh(token, client_id=FIRST_PARTY, asked=asked_scopes(body.scope), now=clock.now())
    person_calls(request.scope, pair.user_id, FIRST_PARTY)
    return given(pair, response, gate if from_cookie else None)


@router.post(
    "/logout",
    summary="End this session",
    dependencies=[public],
    status_code=204,
    responses={401: {}, 403: {}},
    openapi_extra={"security": [{}, {"bearer": []}, {"cookie": []}]},
)
async def logout(request: Request, response: Response, house: House, body: Logout | None = None) -> None:
    """Ends the session of the refresh token, or else of the access token. Its tokens are refused everywhere at once.

    Answers 204 also when there was nothing to end, and when the two are of different people: then nothing ends. A
    refresh token that is not ours is refused, and one of an application, which gives it back at `/oauth2/revoke`.
    """
    gate: Gate = request.app.state.gate
    token, from_cookie = _presented_refresh(request, gate, body.refresh_token if body else None)
    if token is not None:
        presented = house.pairs.read(token)
        session_id, user_id = presented.family_id, presented.user_id
        if await _is_applications(house, session_id):
            raise InvalidGrant(detail="an application's refresh token at our own logout")
        if await _is_somebody_elses(request, gate, user_id):
            return
    else:
        principal = await gate.principal(request.scope)
        if principal.session_id is None:
            raise InvalidRequest(public="This credential belongs to no session.")
        session_id, user_id = principal.session_id, principal.subject
    await house.ending.end_if_living(session_id, user_id=user_id, why="logout", now=clock.now())
    if from_cookie or _sent_access_cookie(request, gate):
        gate.cookies.clear(response)


@router.post("/logout-all", summary="End all of your sessions", status_code=204)
async def logout_all(
    request: Request, response: Response, house: House, caller: Annotated[Principal, authenticated(schemes=SESSION)]
) -> None:
    """Ends every session of the caller, this one too. An application needs `account:write` for that."""
    if is_application(caller) and "account:write" not in caller.scopes:
        raise InsufficientScope({"account:write"})
    gate: Gate = request.app.state.gate
    await house.ending.end_all(caller.subject, why="logout everywhere", now=clock.now())
    if caller.scheme == "cookie":
        gate.cookies.clear(response)


async def _is_applications(house: House, session_id: str) -> bool:
    standing = await house.sessions.find_standing(session_id)
    return standing is not None and standing.session.client_id != FIRST_PARTY


async def _is_somebody_elses(request: Request, gate: Gate, user_id: str) -> bool:
    """Whether the Authorization field says that another person calls. An access token may have expired by now."""
    if "authorization" not in request.headers:
        return False
    try:
        return (await gate.principal(request.scope)).subject != user_id
    except Refusal:
        return False


def as_cookie(request: Request, mode: str | None) -> bool:
    """Whether the tokens go into cookies."""
    return (mode or request.app.state.default_mode) == "cookie"


def asked_scopes(scope: str | None) -> tuple[str, ...] | None:
    """The scopes of a request; None asks for all. Raises `InvalidScope`."""
    if not scope:
        return None
    try:
        return parse_scope(scope)
    except ScopeSyntaxError as problem:
        raise InvalidScope(detail=str(problem)) from None


def _presented_refresh(request: Request, gate: Gate, in_body: str | None) -> tuple[str | None, bool]:
    """The refresh token of this request and whether it came in the cookie; then it must not be forged."""
    fields = [value for name, value in request.scope["headers"] if name == b"cookie"]
    in_cookies = [token for field in fields for token in gate.cookies.find_refresh(field)]
    if in_body is not None:
        return in_body, False
    if not in_cookies:
        return None, False
    if len(in_cookies) > 1:
        raise InvalidGrant(detail="several refresh cookies")
    gate.check_not_forged(request.scope)
    return in_cookies[0], True


def _sent_access_cookie(request: Request, gate: Gate) -> bool:
    fields = [value for name, value in request.scope["headers"] if name == b"cookie"]
    return any(gate.cookies.find_access(field) for field in fields)


def given(pair: TokenPair, response: Response, gate: Gate | None) -> Tokens:
    """The answer; with a gate the tokens go into its cookies instead."""
    response.headers["Cache-Control"] = "no-store"
    in_body = gate is None
    if gate is not None:
        gate.cookies.set(response, pair)
    return Tokens(
        access_token=pair.access.token if in_body else None,
        token=pair.access.token if in_body else None,
        expires_in=pair.access.expires_in,
        refresh_token=pair.refresh_token if in_body else None,
        refresh_expires_in=int(pair.refresh_expires_in.total_seconds()),
        scope=format_scope(pair.access.scopes),
    )
