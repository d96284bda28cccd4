"""Who opens a page of the account: the person who has signed in in this browser, by nothing but the hosted sign-in.

A page asks for a `Visitor`; one whose change decides who gets into the account asks for a `RecentVisitor`. Nobody else
gets past the guard: the browser goes to sign in, and comes back to the page.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from service.accounts.account import User
from service.limits import Source
from service.protocol.errors import CsrfFailed, Invalid
from service.sessions.browser import BrowserSession
from service.web.oauth.browser import Carried
from service.web.oauth.federation import LINK_FORM
from service.web.oauth.flow import SIGN_IN, Flow, Here, see_other
from service.web.pages import PageRoute, locale_of
from service.web.pages.account import Frame, Place
from service.web.pages.form import read_form


class SignInFirst(Exception):
    """Somebody has to sign in before this page, or to do so once more."""

    def __init__(self, here: Flow) -> None:
        super().__init__()
        self.here = here


class AccountRoute(PageRoute):
    """A page of the account."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The page's handler; who has to sign in first is sent to do so, and comes back to the page by GET."""
        handler = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handler(request)
            except SignInFirst as wanted:
                here = wanted.here
                return here.go_to(SIGN_IN, Carried("account", request.url.path, here.now))

        return shown


class Visit:
    """One request of a person to a page of their account."""

    def __init__(self, here: Flow, signed_in: BrowserSession) -> None:
        self.house = here.house
        self.signed_in = signed_in
        self.user: User = signed_in.user
        self.session = signed_in.session
        self.now = here.now
        self.locale = locale_of(here.request)
        self._here = here

    @property
    def source(self) -> Source:
        """From where the person comes."""
        return self._here.source

    async def read(self, *fields: str, about: str = "") -> dict[str, str]:
        """What this page's form has sent. `about` names the field whose value the form was shown for.

        Raises `CsrfFailed` unless it was shown in this browser, in this sign-in, and as `read_form` does.
        """
        _check_sent_from_here(self._here.request)
        sent = await read_form(self._here.request, ("csrf", *fields))
        self._here.browsers.check_csrf(self._here.browser, sent["csrf"], self._matter(sent.get(about, "")))
        return sent

    def frame(
        self,
        place: Place,
        *,
        about: str = "",
        mistake: Invalid | None = None,
        typed: dict[str, str] | None = None,
    ) -> Frame:
        """What every page of the account shows. `about` is the value of the field that `read` is told of."""
        return Frame(
            place=place,
            places=tuple(one for one in Place if self._has(one)),
            locale=self.locale,
            account=self.user.username,
            csrf=self._here.browsers.csrf(self._here.browser, self._matter(about)),
            done=self._here.request.query_params.get("done", ""),
            mistake=mistake,
            typed=typed or {},
        )

    def done(self, place: Place, what: str) -> Response:
        """Go on to a page by GET, which says what has been done."""
        return see_other(place.path, {"done": what})

    def linking(self, place: Place) -> dict[str, str]:
        """What a form sends along that leads to another service, to link it, and back to this page."""
        browsers, browser = self._here.browsers, self._here.browser
        text = browsers.seal(browser, Carried("account", place.path, self.now))
        return {"request": text, "csrf": browsers.csrf(browser, LINK_FORM)}

    def _has(self, place: Place) -> bool:
        return place is not Place.EMAIL or self.house.sends_letters

    def _matter(self, about: str) -> str:
        """A form counts at its own address alone, and for what it was shown for."""
        return f"{self._here.request.url.path}\n{about}"


def _check_sent_from_here(request: Request) -> None:
    """Beside the token, what a browser says of where a form comes from. From pages that tell no referrer, as ours, the
    Origin is null (Fetch §3.2). Raises `CsrfFailed` for another site's form."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site in ("cross-site", "same-site") or origin not in (None, "null", request.app.state.public_url):
        raise CsrfFailed(public="This form does not come from our own page.", detail="foreign origin of a form")


async def _visit(here: Here) -> Visit:
    signed_in = here.browser.signed_in
    if signed_in is None or here.browser.is_new:  # whose forms would not count
        raise SignInFirst(here)
    return Visit(here, signed_in)


async def _recent(here: Here) -> Visit:
    visit = await _visit(here)
    if not here.house.browser_sessions.is_recent(visit.signed_in, now=here.now):
        raise SignInFirst(here)
    return visit


Visitor = Annotated[Visit, Depends(_visit)]
RecentVisitor = Annotated[Visit, Depends(_recent)]


def at(field: str, mistake: Invalid) -> Invalid:
    """The same mistake at the field of a form that has another name there."""
    return Invalid(field, mistake.public, rule=mistake.rule)
