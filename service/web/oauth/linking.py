"""`/sign-in/link`: an account here has the address that another service has proven; whoever signs in to it links both.

What was proven travels sealed through the browser that proved it, for an hour at most. Nothing is linked by an address:
the person signs in to the account, sees both names, and says yes.
"""

from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Response

from service.federation import Identity
from service.federation.provider import ProviderConfig
from service.protocol.errors import InvalidRequest
from service.web.oauth.browser import Carried
from service.web.oauth.flow import LINK, RESUME, SIGN_IN, Here, see_other
from service.web.oauth.sign_in import show_form
from service.web.pages import PageRoute, locale_of
from service.web.pages.federation import link_page
from service.web.pages.form import read_form
from service.web.security import public

router = APIRouter(prefix=LINK, route_class=PageRoute, include_in_schema=False)


async def to_linking(here: Here, provider: str, identity: Identity, text: str) -> Response:
    """The sign-in page, from which the person comes to the question below. `text` is what they then go on with."""
    found = {
        "provider": provider,
        "issuer": identity.issuer,
        "subject": identity.subject,
        "email": identity.email or "",
        "request": text,
    }
    carried = Carried("link", urlencode(found), here.now)
    config = (await here.house.providers.get(provider, now=here.now)).config
    return await show_form(
        here,
        here.browsers.seal(here.browser, carried),
        carried,
        username=identity.email or "",
        error="sign_in_first",
        provider=config.label,
    )


@router.get("", dependencies=[public])
async def show_link(here: Here, request: str = "") -> Response:
    """The question. Whoever is not signed in yet does so first."""
    carried, identity, config = await _opened(here, request)
    signed_in = here.browser.signed_in
    if signed_in is None:
        return here.go_to(SIGN_IN, carried)
    return here.shown(
        link_page(
            request,
            here.browsers.csrf(here.browser, _about(identity)),
            locale=locale_of(here.request),
            provider=config.label,
            account_there=identity.email or "",
            account=signed_in.user.username,
        )
    )


@router.post("", dependencies=[public])
async def link(here: Here) -> Response:
    """A yes links, a no leaves both as they are; either way the person goes on."""
    sent = await read_form(here.request, ("request", "csrf", "choice"))
    carried, identity, config = await _opened(here, sent["request"])
    here.browsers.check_csrf(here.browser, sent["csrf"], _about(identity))
    signed_in = here.browser.signed_in
    if signed_in is None:
        return here.go_to(SIGN_IN, carried)
    if sent["choice"] == "link":
        await here.house.arrivals.arrive(identity, config, links_to=signed_in.user.id, now=here.now)
    elif sent["choice"] != "leave":
        raise InvalidRequest(public="The form could not be read.", detail="no choice")
    text = _only(carried, "request")
    return see_other(RESUME, {"request": text}) if text else see_other(SIGN_IN)


async def _opened(here: Here, text: str) -> tuple[Carried, Identity, ProviderConfig]:
    """What was proven, and where. Raises `Expired`, `NotFound` for a provider that is no more."""
    carried = here.browsers.open(here.browser, text, "link", now=here.now)
    identity = Identity(
        issuer=_only(carried, "issuer"), subject=_only(carried, "subject"), email=_only(carried, "email") or None
    )
    provider = await here.house.providers.get(_only(carried, "provider"), now=here.now)
    return carried, identity, provider.config


def _only(carried: Carried, name: str) -> str:
    return parse_qs(carried.query, keep_blank_values=True)[name][0]


def _about(identity: Identity) -> str:
    """All that was shown: a form that was shown for another identity links nothing."""
    return "\n".join(["link", identity.issuer, identity.subject])
