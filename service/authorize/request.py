"""An authorization request that has passed every rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from service.accounts.claims import scopes_of
from service.clients.client import Client

ResponseMode = Literal["query", "form_post"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where the answer goes: proven to belong to the client. `is_sent` says whether the request named the URI."""

    client: Client
    redirect_uri: str
    is_sent: bool
    response_mode: ResponseMode
    state: str | None

    def location(self, fields: Mapping[str, str]) -> str:
        """The redirect URI with these fields in its query; a query of its own stays (RFC 6749 §4.1.2)."""
        joint = "&" if "?" in self.redirect_uri else "?"
        return f"{self.redirect_uri}{joint}{urlencode(fields)}"

    @property
    def is_anyones(self) -> bool:
        """Whether any program on the device could stand behind it: a public client that no https address proves
        (RFC 6749 §10.2, RFC 8252 §8.6). Then the person is asked each time."""
        return not self.client.confidential and not self.redirect_uri.startswith("https://")


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """One request (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1), as asked; what is granted may be less.

    `audience` empty means the service's own. `subject` is whom the answer must be about: the person of an
    `id_token_hint` or of a `sub` in `claims`. `received_at` is when the request came first, before any sign-in that it
    led to.
    """

    target: Target
    scopes: frozenset[str]
    code_challenge: str
    nonce: str | None
    prompt: frozenset[str]
    max_age: timedelta | None
    login_hint: str
    ui_locales: tuple[str, ...]
    acr_values: tuple[str, ...]
    claims: Mapping[str, object]
    audience: tuple[str, ...]
    subject: str | None
    received_at: datetime

    @property
    def client(self) -> Client:
        """Who asks."""
        return self.target.client

    @property
    def told(self) -> frozenset[str]:
        """What the `claims` parameter would tell of the person, as the scopes that tell the same: nobody has allowed it
        by allowing `openid`."""
        named = [name for place in self.claims.values() if isinstance(place, Mapping) for name in place]
        return scopes_of(named)

    @property
    def is_silent(self) -> bool:
        """Whether no page may be shown (`prompt=none`)."""
        return "none" in self.prompt
