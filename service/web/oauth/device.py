"""`/device`: a person lets a device in by the code that it shows (RFC 8628 §3.3)."""

from urllib.parse import urlencode

from fastapi import APIRouter, Response

from gatepost.scopes import format_scope
from service.access.catalogue import OPENID
from service.codes.device import DeviceRequest, format_user_code, parse_user_code
from service.codes.grant import AuthorizationGrant
from service.protocol.errors import AccessDenied, InvalidRequest, TooManyAttempts
from service.sessions.browser import BrowserSession
from service.web.oauth.browser import Carried
from service.web.oauth.flow import DEVICE, SIGN_IN, Here, see_other
from service.web.pages import PageRoute, device_confirm_page, device_done_page, device_page, locale_of
from service.web.pages.device import DeviceError
from service.web.pages.form import read_form
from service.web.security import public

router = APIRouter(prefix=DEVICE, route_class=PageRoute, include_in_schema=False)
_ALLOWED, _DENIED = "/allowed", "/denied"
_FIELDS = ("csrf", "user_code", "choice")
_ENTRY = "device"


@router.get("", dependencies=[public])
async def show_device(here: Here, user_code: str = "") -> Response:
    """Ask for the code. One that came with the address is filled in and no more: it is not even looked up, and the
    person still has to compare it and to agree (§3.3.1, §5.4)."""
    if here.browser.signed_in is None:
        return _to_sign_in(here, user_code)
    return _entry(here, _shown(user_code))


@router.post("", dependencies=[public])
async def device(here: Here) -> Response:
    """A code, then with the form of the next page the choice about it. What is granted is what was shown."""
    sent = await read_form(here.request, _FIELDS)
    signed_in = here.browser.signed_in
    if signed_in is None:
        return _to_sign_in(here, sent["user_code"])
    if not sent["choice"]:
        here.browsers.check_csrf(here.browser, sent["csrf"], _ENTRY)
    try:
        asked = await here.house.devices.find(sent["user_code"], address=here.device.address)
    except TooManyAttempts:
        return _entry(here, sent["user_code"], error="throttled")
    client = None if asked is None else await here.house.client_directory.find(asked.client_id)
    if asked is None or client is None or not client.active:
        return _entry(here, sent["user_code"], error="unknown")
    scopes = _offered(here, asked, signed_in)
    about = _subject_matter(asked, scopes)
    if sent["choice"]:
        here.browsers.check_csrf(here.browser, sent["csrf"], about)
        return await _decide(here, sent["choice"], asked, signed_in, scopes)
    return here.shown(
        device_confirm_page(
            here.browsers.csrf(here.browser, about),
            locale=locale_of(here.request),
            user_code=_shown(sent["user_code"]),
            client_name=client.name,
            scopes=scopes,
            descriptions=here.house.catalogue.descriptions,
            account=signed_in.user.username,
            resources=asked.audience,
        )
    )


@router.get(_ALLOWED, dependencies=[public])
async def show_allowed(here: Here) -> Response:
    """The end after a yes."""
    return device_done_page(locale=locale_of(here.request), allowed=True)


@router.get(_DENIED, dependencies=[public])
async def show_denied(here: Here) -> Response:
    """The end after a no."""
    return device_done_page(locale=locale_of(here.request), allowed=False)


async def _decide(
    here: Here, choice: str, asked: DeviceRequest, signed_in: BrowserSession, scopes: frozenset[str]
) -> Response:
    """Tell the device what the person chose. A yes is remembered as a consent, so that it can be withdrawn."""
    if choice == "deny":
        await here.house.devices.deny(asked)
        return see_other(DEVICE + _DENIED)
    if choice != "allow":
        raise InvalidRequest(public="The form could not be read.", detail="no choice")
    user, session = signed_in.user, signed_in.session
    await here.house.consents.grant(user.id, asked.client_id, scopes, asked.audience, here.now)
    grant = AuthorizationGrant(
        user_id=user.id,
        session_id=asked.code.session_id,
        client_id=asked.client_id,
        redirect_uri=None,
        code_challenge="",
        scopes=scopes,
        audience=asked.audience,
        nonce=None,
        auth_time=session.auth_time,
        amr=session.amr,
        acr=session.acr,
        parent_id=session.id,
        epoch=user.epoch,
        user_agent=here.device.user_agent,
        address=here.device.address,
        on_consent=True,
    )
    await here.house.devices.approve(asked, grant)
    return see_other(DEVICE + _ALLOWED)


def _offered(here: Here, asked: DeviceRequest, signed_in: BrowserSession) -> frozenset[str]:
    """What this person can give of what is asked. Raises `AccessDenied` when that is nothing."""
    user = signed_in.user
    offered = asked.scopes & (here.house.catalogue.effective(user.roles, user.scopes) | OPENID.keys())
    if asked.scopes and not offered:
        raise AccessDenied(detail="the person holds none of the scopes")
    return offered


def _subject_matter(asked: DeviceRequest, scopes: frozenset[str]) -> str:
    """All that was shown, and to which device: a form that was shown for another agrees to nothing."""
    return "\n".join([_ENTRY, asked.code.session_id, asked.client_id, format_scope(scopes), *asked.audience])


def _to_sign_in(here: Here, user_code: str) -> Response:
    """Somebody has to sign in first; the code comes back with them."""
    return here.go_to(SIGN_IN, Carried("device", urlencode({"user_code": _shown(user_code)}), here.now))


def _entry(here: Here, user_code: str, *, error: DeviceError | None = None) -> Response:
    csrf = here.browsers.csrf(here.browser, _ENTRY)
    return here.shown(device_page(csrf, locale=locale_of(here.request), user_code=user_code, error=error))


def _shown(user_code: str) -> str:
    """A code as devices show it, empty for what cannot be one: our pages repeat no other text of a link."""
    code = parse_user_code(user_code)
    return "" if code is None else format_user_code(code)
