"""What the pages of the browser flow share: meeting the browser, going on to the next step, delivering the answer."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request, Response
from starlette.responses import RedirectResponse

from service import clock
from service.audit import Actor, caller_is
from service.authorize import AskConsent, AuthorizationRequest, Grant, SentBack, SignIn, Target, parse_parameters
from service.limits import Source
from service.sessions.pairs import Device
from service.web.oauth.browser import Browser, Browsers, Carried
from service.web.pages import form_post_page, locale_of
from service.web.rooms import Rooms
from service.web.security import Gate
from service.web.watch import person_calls

AUTHORIZE, RESUME, LOGOUT, SIGNED_OUT = "/oauth2/authorize", "/oauth2/resume", "/oauth2/logout", "/signed-out"
SIGN_IN, CONSENT, DEVICE, LINK = "/sign-in", "/consent", "/device", "/sign-in/link"


class Flow:
    """One request of a browser: who it is, and what can be done for it."""

    def __init__(self, request: Request, house: Rooms, browsers: Browsers, browser: Browser) -> None:
        self.request = request
        self.house = house
        self.browsers = browsers
        self.browser = browser
        self.now = clock.now()

    @property
    def gate(self) -> Gate:
        """What a browser's cookies and address are read by."""
        gate: Gate = self.request.app.state.gate
        return gate

    @property
    def device(self) -> Device:
        """From where the browser comes."""
        return Device(self.request.headers.get("user-agent", ""), self.gate.address.of(self.request.scope))

    @property
    def source(self) -> Source:
        """From where whoever is at it tries things, and which people have signed in there before."""
        known = self.gate.device.find(self.request.scope)
        return Source(self.device.address, self.house.known_devices.read(known, now=self.now))

    def remember_device(self, response: Response, user_id: str) -> Response:
        """The response, by which this browser is a known device of who has just signed in."""
        before = self.gate.device.find(self.request.scope)
        self.gate.device.set(response, self.house.known_devices.remember(user_id, before, now=self.now))
        return response

    def shown(self, response: Response) -> Response:
        """The response, with the cookie that a new browser lacks."""
        return self.browsers.greet(response, self.browser)

    def go_to(self, path: str, carried: Carried) -> Response:
        """Send the browser to a page of ours with what it carries."""
        return self.shown(see_other(path, {"request": self.browsers.seal(self.browser, carried)}))

    async def check(self, carried: Carried) -> AuthorizationRequest:
        """The carried authorization request, checked anew. Raises what `AuthorizationDesk.check` does."""
        parameters = parse_parameters(carried.query.encode())
        return await self.house.authorization.check(parameters, received_at=carried.received_at)

    async def proceed(self, carried: Carried) -> Response:
        """The next step of an authorization request: a page of ours, or the answer."""
        try:
            asked = await self.check(carried)
            signed_in = self.browser.signed_in
            decision = await self.house.authorization.decide(asked, signed_in, chosen=carried.chosen, now=self.now)
        except SentBack as refused:
            return self.refuse(refused)
        match decision:
            case SignIn():
                return self.go_to(SIGN_IN, carried)
            case AskConsent():
                return self.go_to(CONSENT, carried)
            case Grant():
                return await self.grant(asked, decision)

    async def grant(self, asked: AuthorizationRequest, granted: Grant) -> Response:
        """The answer with a code."""
        fields = await self.house.authorization.answer(asked, granted, device=self.device)
        return self._deliver(asked.target, fields, " ".join(asked.ui_locales))

    def refuse(self, refused: SentBack) -> Response:
        """The answer with an error."""
        return self._deliver(refused.target, self.house.authorization.refusal(refused))

    def _deliver(self, target: Target, fields: Mapping[str, str], ui_locales: str = "") -> Response:
        if target.response_mode == "form_post":
            locale = locale_of(self.request, ui_locales)
            return self.shown(form_post_page(target.redirect_uri, fields, locale=locale))
        return self.shown(RedirectResponse(target.location(fields), HTTPStatus.SEE_OTHER))


def see_other(path: str, query: Mapping[str, str] | None = None) -> Response:
    """Send the browser to a path of ours, by GET (RFC 9110 §15.4.4)."""
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, HTTPStatus.SEE_OTHER)


async def _flow(request: Request) -> Flow:
    house: Rooms = request.app.state.rooms
    browsers: Browsers = request.app.state.browsers
    browser = await browsers.meet(request.scope, now=clock.now())
    if browser.signed_in is not None:
        caller_is(Actor("user", browser.signed_in.user.id, "hosted", browser.signed_in.session.id))
        person_calls(request.scope, browser.signed_in.user.id)
    return Flow(request, house, browsers, browser)


Here = Annotated[Flow, Depends(_flow)]
