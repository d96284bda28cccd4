"""Another service where a person can prove who they are, and what the room asks of each kind of it.

A plain OpenID provider is an entry in the settings (`oidc.py` does the rest). One with manners of its own is one file
that keeps `Provider`, and one line in `kinds.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One provider as the operator has described it.

    `name` is what it is called in addresses, `label` on its button. `issuer` is its identifier, and for a kind that has
    fixed addresses the place of another installation of it. `trusts_email` says whether its word that an address is
    verified counts here, `keeps_tokens` whether its tokens are kept, sealed, after the sign-in.
    """

    name: str
    kind: str
    client_id: str
    client_secret: str = field(repr=False)
    issuer: str
    label: str
    scopes: tuple[str, ...]
    trusts_email: bool = True
    keeps_tokens: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in that is asked of a provider. `code_verifier` and `nonce` are secrets of ours until it comes back.

    `fresh` asks for a sign-in that happens now (`prompt=login`), `max_age` for one that is no older.
    """

    redirect_uri: str
    state: str
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    code_challenge: str
    fresh: bool = False
    max_age: timedelta | None = None
    login_hint: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a provider says it was. `issuer` and `subject` together are the identity, and never change hands; the rest
    may be different tomorrow. `email_verified` only on the provider's explicit word about exactly this address."""

    issuer: str
    subject: str
    email: str | None = None
    email_verified: bool = False
    username: str = ""
    name: str = ""
    picture: str = ""


@dataclass(frozen=True, slots=True)
class UpstreamTokens:
    """What the provider lets us do there. Never logged; dropped after the sign-in unless the operator keeps them."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a code was redeemed for. `auth_time` is when the person signed in there, if the provider tells."""

    identity: Identity
    tokens: UpstreamTokens
    auth_time: datetime | None = None


class Provider(Protocol):
    """One provider, ready to be asked. Keeps nothing about people; any number of calls may run at once.

    Every method raises `ProviderFailed` for an answer that cannot be used (an error status, a redirect, too long, not
    what the standard says) and `ProviderSilent` when there was none in time: `Calls` does so already for its part.
    Nothing of a request or an answer goes into a refusal's `detail` but names of claims, statuses and error codes.
    """

    config: ProviderConfig

    async def authorization_url(self, attempt: Attempt, *, now: datetime) -> str:
        """Where the browser is sent (RFC 6749 §4.1.1), with `state` and, wherever it is understood, PKCE S256."""

    async def check_issuer(self, iss: str | None, *, now: datetime) -> None:
        """Raises `ForeignAnswer` unless an answer with this `iss` is this provider's (RFC 9207 §2.4).

        One that came must be right; None is refused where the provider has announced that it sends one.
        """

    async def redeem(self, code: str, attempt: Attempt, *, now: datetime) -> Proof:
        """Trade the code for who it was. Raises `CodeRefused` when the provider does not take the code."""

    async def refresh(self, refresh_token: str, *, now: datetime) -> UpstreamTokens:
        """New tokens for kept ones; without a new refresh token the old one stays good. Raises `CodeRefused`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: `value` is its JSON with exactly one reading, an object or a list. Its status may be any, a
    redirect's too, which nobody follows; a body that is not JSON is None."""

    status: int
    value: object = field(repr=False)
    cache_control: str = ""

    @property
    def document(self) -> Mapping[str, object]:
        """The members of an object; none of anything else."""
        return self.value if isinstance(self.value, dict) else {}


class Calls(Protocol):
    """Requests to providers: of 5 seconds and 100 kB at most, never redirected, over https (in local mode also plain
    http to this very machine). `headers` may carry a bearer token; no URL ever carries a secret.

    Raises `ProviderFailed` for an answer that is too long and an address that is not allowed, `ProviderSilent` when
    there is no whole answer in time.
    """

    async def get(
        self, uri: str, *, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """GET, asking for JSON."""

    async def post(self, uri: str, form: Mapping[str, str], *, headers: Mapping[str, str] | None = None) -> Reply:
        """POST a form, asking for JSON."""
