"""The caller's linked identities: listing, linking another, unlinking, and the tokens that are kept of them."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response

from gatepost.principal import Principal
from service import clock
from service.federation import LinkedIdentity
from service.protocol.errors import CredentialNotAllowed
from service.web.federation import Finish, ProviderName, Start, Started, begin, come
from service.web.rooms import House
from service.web.security import SESSION, Route, is_application, require
from service.web.shapes import Page, Shown

router = APIRouter(prefix="/users/me/identities", tags=["Your account"], route_class=Route)
Reader = Annotated[Principal, require("account:read", schemes=SESSION)]
Owner = Annotated[Principal, require("account:write", schemes=SESSION)]


class IdentityShown(Shown):
    """An identity at another service. `account` is what you are called there, as it was told last."""

    id: str
    provider: str
    issuer: str
    account: str
    linked_at: datetime
    last_used_at: datetime


class UpstreamToken(Shown):
    """What the other service lets you do there. `expires_at` is absent when it does not say."""

    access_token: str
    expires_at: datetime | None = None
    scope: str


@router.get("", summary="List your linked identities")
async def list_identities(house: House, caller: Reader) -> Page[IdentityShown]:
    """In the order in which they were linked."""
    return Page(items=[_shown(one) for one in await house.identities.identities_of(caller.subject)])


@router.post(
    "/{provider}/start",
    summary="Begin to link another service",
    response_model_exclude_none=True,
    responses={404: {}, 502: {}, 504: {}},
)
async def start_link(
    provider: ProviderName, body: Start, request: Request, response: Response, house: House, caller: Owner
) -> Started:
    """As `/auth/federation/{provider}/start`, and for this session alone. Not for applications."""
    _check_oneself(caller)
    return await begin(
        request,
        response,
        house,
        provider,
        body,
        is_cookie=caller.scheme == "cookie",
        links_to=caller.subject,
        asked_in=caller.session_id,
    )


@router.post(
    "/{provider}/finish",
    summary="Link what came back",
    status_code=201,
    responses={400: {}, 404: {}, 409: {}, 502: {}, 504: {}},
)
async def finish_link(
    provider: ProviderName, body: Finish, request: Request, response: Response, house: House, caller: Owner
) -> IdentityShown:
    """In the session in which it was begun. 409 when the identity is linked to another account."""
    _check_oneself(caller)
    came = await come(
        request,
        response,
        house,
        provider,
        body,
        is_cookie=caller.scheme == "cookie",
        links_in=caller.session_id,
    )
    identity = came.proof.identity
    await house.arrivals.arrive(
        identity, came.config, tokens=came.proof.tokens, links_to=caller.subject, now=clock.now()
    )
    linked = await house.identities.identities_of(caller.subject)
    return next(_shown(one) for one in linked if (one.issuer, one.subject) == (identity.issuer, identity.subject))


@router.delete("/{identity_id}", summary="Unlink an identity", status_code=204, responses={409: {}})
async def unlink(identity_id: str, house: House, caller: Owner) -> None:
    """409 when it is the last way in: no password, and no other identity of a service that is offered here."""
    _check_oneself(caller)
    await house.identities.unlink(caller.subject, identity_id, now=clock.now())


@router.get(
    "/{identity_id}/token",
    summary="Get the other service's access token",
    response_model_exclude_none=True,
    responses={404: {}, 502: {}, 504: {}},
)
async def upstream_token(identity_id: str, house: House, caller: Owner, response: Response) -> UpstreamToken:
    """Kept only where the operator has it so; renewed when it is about to end. 404 when none is kept."""
    _check_oneself(caller)
    response.headers["Cache-Control"] = "no-store"
    tokens = await house.identities.upstream_token(caller.subject, identity_id, now=clock.now())
    return UpstreamToken(access_token=tokens.access_token, expires_at=tokens.expires_at, scope=tokens.scope)


def _check_oneself(caller: Principal) -> None:
    """Who opens the door to an account is for its owner alone to say: a link is as good as a password."""
    if is_application(caller):
        raise CredentialNotAllowed(detail="an application about identities")


def _shown(identity: LinkedIdentity) -> IdentityShown:
    return IdentityShown(
        id=identity.id,
        provider=identity.provider,
        issuer=identity.issuer,
        account=identity.account,
        linked_at=identity.linked_at,
        last_used_at=identity.last_used_at,
    )
