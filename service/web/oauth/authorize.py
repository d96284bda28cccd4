"""The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core §3.1.2): redirects and pages, never JSON or CORS."""

from fastapi import APIRouter, Response
from starlette.responses import RedirectResponse

from service.authorize import Parameters, SentBack, parse_parameters
from service.authorize.rules import KNOWN
from service.web.oauth.browser import FOR_SIGN_IN, Carried
from service.web.oauth.flow import AUTHORIZE, DEVICE, LINK, RESUME, Here, see_other
from service.web.pages import PageRoute
from service.web.pages.form import read_raw_form
from service.web.security import public

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_LARGEST = 256 * 1024


@router.get(AUTHORIZE, dependencies=[public])
async def authorize(here: Here) -> Response:
    """Begin: the request is checked, and the browser goes on to sign in, to be asked, or back with the answer."""
    return await _begin(here, parse_parameters(here.request.scope["query_string"]))


@router.post(AUTHORIZE, dependencies=[public])
async def authorize_by_form(here: Here) -> Response:
    """The same from a form. The form of another site brings no cookies with it, so the browser comes again by GET."""
    parameters = parse_parameters(await read_raw_form(here.request, _LARGEST))
    try:
        await here.house.authorization.check(parameters, received_at=here.now)
    except SentBack as refused:
        return here.refuse(refused)
    return RedirectResponse(f"{AUTHORIZE}?{parameters.encoded(KNOWN)}", 303)


@router.get(RESUME, dependencies=[public])
async def resume(here: Here, request: str = "") -> Response:
    """Go on with what this browser carries. Raises `Expired`."""
    carried = here.browsers.open(here.browser, request, *FOR_SIGN_IN, now=here.now)
    if carried.purpose == "link":
        return here.go_to(LINK, carried)
    if carried.purpose == "device":
        return RedirectResponse(f"{DEVICE}?{carried.query}", 303)
    if carried.purpose == "account":
        return see_other(carried.query)
    return await here.proceed(carried)


async def _begin(here: Here, parameters: Parameters) -> Response:
    """A refusal is heard before what came twice, or is of no meaning here, is left behind."""
    try:
        await here.house.authorization.check(parameters, received_at=here.now)
    except SentBack as refused:
        return here.refuse(refused)
    return await here.proceed(Carried("authorize", parameters.encoded(KNOWN), here.now))
