"""What a browser is known by at the hosted pages: two cookies, the tokens in its forms, and what it carries for us.

`gp_browser` is random and says nothing; forms and carried requests are bound to it. `gp_session` says who has signed in
here. Nothing about a sign-in that is under way is kept on the server: it travels sealed through the browser.
"""

import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from starlette.responses import Response
from starlette.types import Scope

from gatepost.encoding import decode_segment, encode_segment
from service.authorize.refusals import Expired
from service.crypto.sealing import Sealer, Unsealable
from service.protocol.errors import CsrfFailed
from service.sessions.browser import BrowserSession, BrowserSessions
from service.web.cookies import find_cookies

CARRIED_FOR = timedelta(hours=1)
_ID = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)
_LONGEST_CARRIED = 16 * 1024
_FORGED = "The form is out of date, or cookies are blocked. Go back to the application and begin anew."

ANYONE = "sign-in"
"""What the form of a sign-in is about: it may be sent whoever is signed in by then, in another tab perhaps."""

Purpose = Literal["authorize", "device", "logout", "account", "link"]
FOR_SIGN_IN: tuple[Purpose, ...] = ("authorize", "device", "account", "link")
"""What somebody may have to sign in for."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A request that waits for a person, as it travels through the browser: what for, its parameters as a query (a
    page of the account: its path), when it came, and the session that the person chose to go on with."""

    purpose: Purpose
    query: str
    received_at: datetime
    chosen: str | None = None

    def choosing(self, session_id: str) -> "Carried":
        """The same, with the choice to go on as who is signed in."""
        return replace(self, chosen=session_id)


@dataclass(frozen=True, slots=True)
class Browser:
    """One browser in one request. `is_new` when it has to be given its cookie yet."""

    id: str
    is_new: bool
    signed_in: BrowserSession | None


class Browsers:
    """Knows browsers again. The first of `keys` makes the tokens of forms, any of them is believed."""

    def __init__(self, sessions: BrowserSessions, sealer: Sealer, keys: Sequence[bytes], *, secure: bool) -> None:
        prefix = "__Host-" if secure else ""
        self._sessions = sessions
        self._sealer = sealer
        self._keys = tuple(keys)
        self._secure = secure
        self.browser_name, self.session_name = f"{prefix}gp_browser", f"{prefix}gp_session"

    async def meet(self, scope: Scope, *, now: datetime) -> Browser:
        """Who this browser is and who is signed in in it; a new one when it has no good cookie.

        Of a cookie that comes several times none is believed: one may be a sibling domain's. Raises `StoreUnavailable`.
        """
        ids = [text for text in find_cookies(scope, self.browser_name) if _ID.fullmatch(text)]
        sessions = find_cookies(scope, self.session_name)
        is_known = len(ids) == 1
        signed_in = await self._sessions.find(sessions[0], now=now) if len(sessions) == 1 else None
        return Browser(ids[0] if is_known else secrets.token_urlsafe(24), not is_known, signed_in)

    def greet(self, response: Response, browser: Browser) -> Response:
        """The response; a new browser is given its cookie with it."""
        if browser.is_new:
            self._set(response, self.browser_name, browser.id)
        return response

    def remember(self, response: Response, session_cookie: str) -> Response:
        """The response, by which the browser is signed in until it closes or the session ends."""
        self._set(response, self.session_name, session_cookie)
        return response

    def forget(self, response: Response) -> Response:
        """The response, by which the browser forgets who was signed in."""
        self._set(response, self.session_name, "", max_age=0)
        return response

    def csrf(self, browser: Browser, about: str = "") -> str:
        """The token of a form that is shown in this browser to who is signed in in it, about this (ASVS 3.5.1)."""
        return _token(self._keys[0], browser, about)

    def check_csrf(self, browser: Browser, token: str, about: str = "") -> None:
        """Raises `CsrfFailed` unless the form was shown in this browser, to the same person, about the same."""
        sent = token.encode()
        right = [hmac.compare_digest(sent, _token(key, browser, about).encode()) for key in self._keys]
        if browser.is_new or not any(right):
            raise CsrfFailed(public=_FORGED, detail="no browser cookie" if browser.is_new else "wrong form token")

    def seal(self, browser: Browser, carried: Carried) -> str:
        """The text in which a request travels; only this browser can bring it back."""
        at = carried.received_at.isoformat()
        plain = json.dumps([carried.purpose, carried.query, at, carried.chosen]).encode()
        return encode_segment(self._sealer.seal(plain, place=_place(browser))).decode()

    def open(self, browser: Browser, text: str, *purposes: Purpose, now: datetime) -> Carried:
        """What this browser carried. Raises `Expired` for another's, for an hour old one, for another purpose."""
        try:
            if len(text) > _LONGEST_CARRIED:
                raise Expired(detail="longer than anything we sealed")
            plain = self._sealer.open(decode_segment(text.encode("ascii")), place=_place(browser))
        except (Unsealable, ValueError) as problem:
            raise Expired(detail=f"carried request: {problem}") from None
        purpose, query, at, chosen = json.loads(plain)
        carried = Carried(purpose, query, datetime.fromisoformat(at), chosen)
        if now - carried.received_at > CARRIED_FOR or carried.purpose not in purposes:
            raise Expired(detail=f"carried request: {carried.purpose} of {at}")
        return carried

    def _set(self, response: Response, name: str, value: str, max_age: int | None = None) -> None:
        response.set_cookie(name, value, max_age, path="/", secure=self._secure, httponly=True, samesite="lax")


def _token(key: bytes, browser: Browser, about: str) -> str:
    """Bound to who is signed in too: a form that was shown to one person is not sent by another."""
    who = browser.signed_in.session.id if browser.signed_in and about != ANYONE else ""
    return encode_segment(hmac.digest(key, f"{browser.id}\n{who}\n{about}".encode(), sha256)).decode()


def _place(browser: Browser) -> str:
    return f"browser/{browser.id}/request"
