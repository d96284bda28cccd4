"""`/consent`: may this application do this? What is granted is what was shown."""

from fastapi import APIRouter, Response

from gatepost.scopes import format_scope
from service.authorize import AskConsent, AuthorizationRequest, Grant, SentBack, SignIn
from service.authorize.decision import Decision
from service.protocol.errors import AccessDenied, InvalidRequest
from service.web.oauth.browser import Carried
from service.web.oauth.flow import CONSENT, SIGN_IN, Here
from service.web.pages import PageRoute, consent_page, locale_of
from service.web.pages.form import read_form
from service.web.security import public

router = APIRouter(prefix=CONSENT, route_class=PageRoute, include_in_schema=False)
_FIELDS = ("request", "csrf", "choice")


@router.get("", dependencies=[public])
async def show_consent(here: Here, request: str = "") -> Response:
    """The question; where nothing is to be asked any more, the next step."""
    carried = here.browsers.open(here.browser, request, "authorize", now=here.now)
    try:
        asked, decision = await _decided(here, carried)
    except SentBack as refused:
        return here.refuse(refused)
    if not isinstance(decision, AskConsent):
        return await here.proceed(carried)
    return here.shown(
        consent_page(
            request,
            here.browsers.csrf(here.browser, _subject_matter(asked, decision)),
            locale=locale_of(here.request, " ".join(asked.ui_locales)),
            client=asked.client,
            redirect_uri=asked.target.redirect_uri,
            scopes=decision.scopes | asked.told,
            descriptions=here.house.catalogue.descriptions,
            account=decision.signed_in.user.username,
            resources=asked.audience,
        )
    )


@router.post("", dependencies=[public])
async def consent(here: Here) -> Response:
    """Yes or no. The carried request counts, nothing else in the form (ASVS 10.7.1)."""
    sent = await read_form(here.request, _FIELDS)
    carried = here.browsers.open(here.browser, sent["request"], "authorize", now=here.now)
    try:
        asked, decision = await _decided(here, carried)
        if isinstance(decision, SignIn):
            return here.go_to(SIGN_IN, carried)
        here.browsers.check_csrf(here.browser, sent["csrf"], _subject_matter(asked, decision))
        if sent["choice"] == "deny":
            raise SentBack(asked.target, AccessDenied(detail="the person said no"))
    except SentBack as refused:
        return here.refuse(refused)
    if sent["choice"] != "allow":
        raise InvalidRequest(public="The form could not be read.", detail="no choice")
    if isinstance(decision, AskConsent):
        decision = await here.house.authorization.agree(asked, decision, now=here.now)
    return await here.grant(asked, decision)


async def _decided(here: Here, carried: Carried) -> tuple[AuthorizationRequest, Decision]:
    asked = await here.check(carried)
    signed_in = here.browser.signed_in
    return asked, await here.house.authorization.decide(asked, signed_in, chosen=carried.chosen, now=here.now)


def _subject_matter(asked: AuthorizationRequest, decision: AskConsent | Grant) -> str:
    """All that was shown: a form that was shown for less, or for another client, agrees to nothing."""
    return "\n".join(["consent", asked.client.id, format_scope(decision.scopes | asked.told), *asked.audience])
