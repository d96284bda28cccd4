"""`/sign-in`: who is it? The page that an application's request leads to, or that somebody opened by themselves."""

from fastapi import APIRouter, Response

from service.addresses import RegistrationMode
from service.authorize import SentBack
from service.authorize.decision import SignIn
from service.protocol.errors import InvalidLogin, TooBusy, TooManyAttempts
from service.web.oauth.browser import ANYONE, FOR_SIGN_IN, Carried
from service.web.oauth.errors import retry_after
from service.web.oauth.flow import RESUME, SIGN_IN, Here, see_other
from service.web.pages import PageRoute, locale_of, sign_in_page, signed_in_page
from service.web.pages.address import FORGOT, REGISTER
from service.web.pages.form import read_form
from service.web.pages.sign_in import SignInError
from service.web.rooms import Rooms
from service.web.security import public

router = APIRouter(prefix=SIGN_IN, route_class=PageRoute, include_in_schema=False)
_FIELDS = ("request", "csrf", "username", "password", "choice")
_BY_PASSWORD = ("pwd",)


@router.get("", dependencies=[public])
async def show_sign_in(here: Here, request: str = "") -> Response:
    """The form; without a request, who is signed in."""
    if not request and here.browser.signed_in is not None:
        return signed_in_page(locale=locale_of(here.request), account=here.browser.signed_in.user.username)
    return await show_form(here, request, parse_carried(here, request))


@router.post("", dependencies=[public])
async def sign_in(here: Here) -> Response:
    """Check name and password, at one price for all. What was signed in in this browser ends (ASVS 7.2.4)."""
    sent = await read_form(here.request, _FIELDS)
    here.browsers.check_csrf(here.browser, sent["csrf"], ANYONE)
    carried, before = parse_carried(here, sent["request"]), here.browser.signed_in
    if sent["choice"] == "continue" and before is not None and carried is not None:
        return here.go_to(RESUME, carried.choosing(before.session.id))
    try:
        user = await here.house.sign_in.check(sent["username"].strip(), sent["password"], source=here.source)
        cookie = await here.house.browser_sessions.open(
            user, amr=_BY_PASSWORD, device=here.device, before=before, now=here.now
        )
    except InvalidLogin:
        return await show_form(here, sent["request"], carried, username=sent["username"], error="wrong")
    except TooManyAttempts as refusal:
        form = await show_form(here, sent["request"], carried, username=sent["username"], error="throttled")
        form.headers["Retry-After"] = retry_after(refusal)
        return form
    except TooBusy:
        return await show_form(here, sent["request"], carried, username=sent["username"], error="busy")
    response = see_other(SIGN_IN) if carried is None else here.go_to(RESUME, carried)
    return here.browsers.remember(here.remember_device(response, user.id), cookie)


def parse_carried(here: Here, text: str) -> Carried | None:
    """What the sign-in is for, when it is for something. Raises `Expired`."""
    return here.browsers.open(here.browser, text, *FOR_SIGN_IN, now=here.now) if text else None


def _ways(house: Rooms) -> dict[str, str]:
    """For who cannot sign in: address of a page to the word for it."""
    offered = {FORGOT.action: "forgot"} if house.sends_letters else {}
    if offered and house.registration.mode is RegistrationMode.OPEN:
        offered[REGISTER.action] = "register"
    return offered


async def show_form(
    here: Here,
    request_text: str,
    carried: Carried | None,
    *,
    username: str = "",
    error: SignInError | None = None,
    provider: str = "",
) -> Response:
    """The form, or for a request that needs none any more its answer. `provider` is what the error is about."""
    csrf = here.browsers.csrf(here.browser, ANYONE)
    providers = await here.house.providers.offered(now=here.now)
    if carried is None or carried.purpose != "authorize":
        again = here.browser.signed_in if carried is not None and carried.purpose == "account" else None
        return here.shown(
            sign_in_page(
                request_text,
                csrf,
                locale=locale_of(here.request),
                login_hint=username or (again.user.username if again else ""),
                error=error,
                again=again is not None,
                ways=_ways(here.house),
                providers=providers,
                provider=provider,
            )
        )
    try:
        asked = await here.check(carried)
        signed_in = here.browser.signed_in
        decision = await here.house.authorization.decide(asked, signed_in, chosen=carried.chosen, now=here.now)
    except SentBack as refused:
        return here.refuse(refused)
    offers = isinstance(decision, SignIn) and decision.offers_account and signed_in is not None
    return here.shown(
        sign_in_page(
            request_text,
            csrf,
            locale=locale_of(here.request, " ".join(asked.ui_locales)),
            redirect_uri=asked.target.redirect_uri,
            client_name=asked.client.name,
            login_hint=username or asked.login_hint,
            error=error,
            account=signed_in.user.username if offers and signed_in is not None else None,
            ways=_ways(here.house),
            providers=providers,
            provider=provider,
        )
    )
