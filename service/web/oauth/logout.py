"""`/oauth2/logout`: signing out at an application's wish, or one's own (OpenID Connect RP-Initiated Logout 1.0)."""

from fastapi import APIRouter, Response
from starlette.responses import RedirectResponse

from service.authorize import Parameters, parse_parameters
from service.logout.request import KNOWN, LogoutRequest
from service.protocol.errors import InvalidRequest
from service.web.oauth.browser import Carried
from service.web.oauth.flow import LOGOUT, SIGN_IN, SIGNED_OUT, Here, see_other
from service.web.pages import PageRoute, locale_of, logout_confirm_page, signed_out_page
from service.web.pages.form import LARGEST, read_raw_form
from service.web.security import public

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_ABOUT = "logout"


@router.get(LOGOUT, dependencies=[public])
async def ask_logout(here: Here) -> Response:
    """Sign out when the application proves whom it means; else ask. Nothing ends silently by an image's address."""
    parameters = parse_parameters(here.request.scope["query_string"])
    asked = await here.house.logout.check(parameters)
    signed_in = here.browser.signed_in
    if signed_in is None or asked.is_certain(signed_in):
        return await _sign_out(here, asked)
    carried = Carried("logout", parameters.encoded(KNOWN), here.now)
    return here.shown(
        logout_confirm_page(
            here.browsers.csrf(here.browser, _ABOUT),
            locale=locale_of(here.request, asked.ui_locales),
            fields={"request": here.browsers.seal(here.browser, carried)},
            account=signed_in.user.username,
            client_name=asked.client.name if asked.client else "",
            redirect_uri=asked.return_to or "",
        )
    )


@router.post(LOGOUT, dependencies=[public])
async def logout(here: Here) -> Response:
    """The answer to our question, or an application's form: that one brings no cookies, so it comes again by GET."""
    sent = parse_parameters(await read_raw_form(here.request, LARGEST))
    if "csrf" in sent.values:
        return await _confirmed(here, sent)
    await here.house.logout.check(sent)
    return RedirectResponse(f"{LOGOUT}?{sent.encoded(KNOWN)}", 303)


@router.get(SIGNED_OUT, dependencies=[public])
async def signed_out(here: Here, client_id: str = "") -> Response:
    """It is done; the way back to the application, when that is known."""
    client = await here.house.client_directory.find(client_id)
    website = client.metadata.client_uri if client is not None and client.active else None
    name = client.name if client is not None and website else ""
    return signed_out_page(locale=locale_of(here.request), client_name=name, client_uri=website or "")


async def _confirmed(here: Here, sent: Parameters) -> Response:
    if sent.repeated(but="") is not None:
        raise InvalidRequest(public="The form could not be read.", detail="repeated fields")
    here.browsers.check_csrf(here.browser, sent.find("csrf") or "", _ABOUT)
    carried = here.browsers.open(here.browser, sent.find("request") or "", "logout", now=here.now)
    if sent.find("choice") != "sign_out":
        return see_other(SIGN_IN)
    return await _sign_out(here, await here.house.logout.check(parse_parameters(carried.query.encode())))


async def _sign_out(here: Here, asked: LogoutRequest) -> Response:
    """End the hosted sign-in with all that was granted in it, then go where the application wants, or to our page."""
    signed_in = here.browser.signed_in
    if signed_in is not None:
        session = signed_in.session
        await here.house.ending.end_if_living(session.id, user_id=session.user_id, why="logout", now=here.now)
    if asked.return_to is not None:
        response: Response = RedirectResponse(asked.return_to, 303)
    else:
        response = see_other(SIGNED_OUT, {"client_id": asked.client.id} if asked.client else None)
    return here.browsers.forget(response)
