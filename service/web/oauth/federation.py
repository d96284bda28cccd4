"""`/sign-in/with/…`: the buttons of the sign-in page, the way to another service, and the coming back.

What the sign-in is for travels sealed through the browser, as everywhere here; the transaction waits in the engine, for
this browser alone. Somebody who has come back with nothing, or with what cannot be used, sees the sign-in page again.
"""

from urllib.parse import parse_qs, quote

import structlog
from fastapi import APIRouter, Response
from starlette.responses import RedirectResponse

from service.authorize import SentBack
from service.federation import Came, Return, Wish
from service.federation.refusals import (
    ForeignAnswer,
    NoAccount,
    NotSignedInAnew,
    ProviderFailed,
    ProviderSilent,
    SignInFirst,
)
from service.identifiers import new_id
from service.protocol.errors import AccessDenied, InvalidLogin, Refusal
from service.web.oauth.browser import ANYONE, Carried
from service.web.oauth.flow import RESUME, SIGN_IN, Here, see_other
from service.web.oauth.linking import to_linking
from service.web.oauth.sign_in import parse_carried, show_form
from service.web.pages import PageRoute
from service.web.pages.form import read_form
from service.web.pages.sign_in import SignInError
from service.web.security import public

router = APIRouter(prefix="/sign-in/with", route_class=PageRoute, include_in_schema=False)
_log = structlog.get_logger("gatepost.web")
LINK_FORM = "link"
"""What the form is about that asks to link an identity to the account of who is signed in."""
_HOW: tuple[str, ...] = ()
"""How the person proved who they are: RFC 8176 has no word for "another service says so", and more we do not know."""
_TOLD: tuple[tuple[type[Refusal], SignInError], ...] = (
    (AccessDenied, "denied"),
    (NotSignedInAnew, "not_anew"),
    (NoAccount, "no_account"),
    (InvalidLogin, "no_account"),
    (ProviderFailed, "provider_failed"),
    (ProviderSilent, "provider_silent"),
)


@router.post("/{provider}", dependencies=[public])
async def go(provider: str, here: Here) -> Response:
    """Send the browser there. A request that wants a sign-in that happens now has it asked for there, too."""
    sent = await read_form(here.request, ("request", "csrf"))
    here.browsers.check_csrf(here.browser, sent["csrf"], ANYONE)
    carried = parse_carried(here, sent["request"])
    try:
        wish = await _wish(here, provider, sent["request"], carried)
    except SentBack as refused:
        return here.refuse(refused)
    return await _send(here, provider, wish, carried)


@router.post("/{provider}/link", dependencies=[public])
async def go_linking(provider: str, here: Here) -> Response:
    """Send who has signed in lately there, to link what they come back with; then they go on to what they carry."""
    sent = await read_form(here.request, ("request", "csrf"))
    here.browsers.check_csrf(here.browser, sent["csrf"], LINK_FORM)
    carried, signed_in = parse_carried(here, sent["request"]), here.browser.signed_in
    if signed_in is None or not here.house.browser_sessions.is_recent(signed_in, now=here.now):
        return see_other(SIGN_IN) if carried is None else here.go_to(SIGN_IN, carried)
    wish = Wish(
        redirect_uri=_address(here, provider),
        carried=sent["request"],
        links_to=signed_in.user.id,
        asked_in=signed_in.session.id,
    )
    return await _send(here, provider, wish, carried)


@router.get("/{provider}/callback", dependencies=[public])
async def come_back(provider: str, here: Here) -> Response:
    """The provider has sent the browser back. Raises `ForeignAnswer` when it was not sent there from here."""
    returned = _returned(here)
    signed_in = here.browser.signed_in
    transaction = await here.house.federation.take(
        provider,
        returned,
        holder=here.browser.id,
        session_id=signed_in.session.id if signed_in else None,
        now=here.now,
    )
    carried = parse_carried(here, transaction.carried)
    try:
        came = await here.house.federation.redeem(transaction, returned, now=here.now)
        return await _arrive(here, came, carried)
    except ForeignAnswer:
        raise
    except SignInFirst as refusal:
        return await to_linking(here, provider, refusal.identity, transaction.carried)
    except Refusal as refusal:
        if transaction.links_to is not None:
            return _unlinked(here, carried, refusal)
        return await _back(here, provider, transaction.carried, carried, refusal)


async def _arrive(here: Here, came: Came, carried: Carried | None) -> Response:
    """The person is signed in, or has one identity more."""
    transaction = came.transaction
    user = await here.house.arrivals.arrive(
        came.proof.identity,
        came.config,
        tokens=came.proof.tokens,
        links_to=transaction.links_to,
        now=here.now,
    )
    if transaction.links_to is not None:
        return _on(here, carried)
    session_id = new_id()
    cookie = await here.house.browser_sessions.open(
        user,
        amr=_HOW,
        device=here.device,
        before=here.browser.signed_in,
        now=here.now,
        auth_time=came.auth_time,
        session_id=session_id,
    )
    response = _on(here, carried.choosing(session_id) if carried is not None else None)
    return here.browsers.remember(response, cookie)


def _unlinked(here: Here, carried: Carried | None, refusal: Refusal) -> Response:
    """Nothing was linked: a person who has said no goes on, all else is told. Raises the refusal."""
    if isinstance(refusal, AccessDenied):
        return _on(here, carried)
    raise refusal


def _on(here: Here, carried: Carried | None) -> Response:
    """To what the sign-in was for, or to the page that says who is signed in."""
    return see_other(SIGN_IN) if carried is None else here.go_to(RESUME, carried)


async def _wish(here: Here, provider: str, text: str, carried: Carried | None) -> Wish:
    """What to ask of the provider for this request. Raises `SentBack`."""
    address = _address(here, provider)
    if carried is None or carried.purpose != "authorize":
        is_again = carried is not None and here.browser.signed_in is not None
        return Wish(address, fresh=is_again, carried=text)
    asked = await here.check(carried)
    return Wish(
        redirect_uri=address,
        fresh="login" in asked.prompt,
        max_age=asked.max_age,
        login_hint=asked.login_hint,
        carried=text,
    )


async def _send(here: Here, provider: str, wish: Wish, carried: Carried | None) -> Response:
    try:
        sent = await here.house.federation.begin(provider, wish, holder=here.browser.id, now=here.now)
    except (ProviderFailed, ProviderSilent) as refusal:
        return await _back(here, provider, wish.carried, carried, refusal)
    return here.shown(RedirectResponse(sent.authorization_url, 303))


async def _back(here: Here, provider: str, text: str, carried: Carried | None, refusal: Refusal) -> Response:
    """The sign-in page, with what went wrong. Raises the refusal itself when there are no words for it."""
    error = next((word for kind, word in _TOLD if isinstance(refusal, kind)), None)
    if error is None:
        raise refusal
    _log.info("refused", code=refusal.code, provider=provider, detail=refusal.detail)
    label = next((one.label for one in await here.house.providers.offered(now=here.now) if one.name == provider), "")
    return await show_form(here, text, carried, error=error, provider=label)


def _returned(here: Here) -> Return:
    try:
        query = here.request.scope["query_string"].decode("ascii")
        return Return.of(parse_qs(query, keep_blank_values=True, errors="strict", max_num_fields=20))
    except ValueError:
        raise ForeignAnswer(detail="the query cannot be read") from None


def _address(here: Here, provider: str) -> str:
    """Where the provider sends people back to: at the configured public URL, whatever this request says."""
    return f"{here.request.app.state.public_url}/sign-in/with/{quote(provider, safe='')}/callback"
