"""The cookies of browser mode, out of reach of scripts: tokens, a sign-in under way elsewhere, and a device's."""

from starlette.responses import Response
from starlette.types import Scope

from service.limits.known_devices import LIFE as DEVICE_LIFE
from service.sessions.pairs import TokenPair


class DeviceCookie:
    """What a browser is known by as a device (`service/limits/known_devices.py`): it outlives every session."""

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure
        self.name = "__Host-gp_device" if secure else "gp_device"

    def find(self, scope: Scope) -> str:
        """Its text; empty when there is none, or several, of which one may be a sibling domain's."""
        found = find_cookies(scope, self.name)
        return found[0] if len(found) == 1 else ""

    def set(self, response: Response, text: str) -> None:
        """Give the browser its text."""
        life = int(DEVICE_LIFE.total_seconds())
        response.set_cookie(self.name, text, life, path="/", secure=self._secure, httponly=True, samesite="lax")


class Cookies:
    """Sets, finds and clears our cookies. Behind https they are `__Host-` cookies: Secure, no Domain, path `/`.

    On plain http, which only local mode serves, the prefix and `Secure` are left out, or no browser would keep them.
    """

    def __init__(self, *, secure: bool) -> None:
        prefix = "__Host-" if secure else ""
        self._secure = secure
        self.access_name = f"{prefix}gp_access"
        self.refresh_name = f"{prefix}gp_refresh"
        self.held_name = f"{prefix}gp_federation"
        self._access_field = f"{self.access_name}=".encode()
        self._refresh_field = f"{self.refresh_name}=".encode()

    def find_access(self, field: bytes) -> list[str]:
        """The access tokens in a Cookie field: none, one, or (then the request is refused) several."""
        return _find(field, self._access_field)

    def find_refresh(self, field: bytes) -> list[str]:
        """The refresh tokens in a Cookie field."""
        return _find(field, self._refresh_field)

    def set(self, response: Response, pair: TokenPair) -> None:
        """Give the browser both tokens."""
        self._set(response, self.access_name, pair.access.token, pair.access.expires_in)
        self._set(response, self.refresh_name, pair.refresh_token, int(pair.refresh_expires_in.total_seconds()))

    def hold(self, response: Response, text: str, max_age: int) -> None:
        """Have the browser keep what belongs to a sign-in that is under way elsewhere; 0 takes it back."""
        self._set(response, self.held_name, text, max_age)

    def clear(self, response: Response) -> None:
        """Take both back."""
        self._set(response, self.access_name, "", 0)
        self._set(response, self.refresh_name, "", 0)

    def _set(self, response: Response, name: str, value: str, max_age: int) -> None:
        response.set_cookie(name, value, max_age=max_age, path="/", secure=self._secure, httponly=True, samesite="lax")


def find_cookies(scope: Scope, name: str) -> list[str]:
    """Every value that this request has for a cookie, in all of its Cookie fields."""
    fields = [value for field, value in scope["headers"] if field == b"cookie"]
    return [text for field in fields for text in _find(field, f"{name}=".encode())]


def _find(field: bytes, name: bytes) -> list[str]:
    if name not in field:
        return []
    pairs = (pair.strip() for pair in field.split(b";"))
    return [pair[len(name) :].decode("latin-1") for pair in pairs if pair.startswith(name)]
