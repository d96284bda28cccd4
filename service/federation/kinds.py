"""Which kinds of provider there are: a plain OpenID provider, presets of it, and those with manners of their own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.federation.oidc import OpenIdProvider
from service.federation.provider import Calls, Provider, ProviderConfig

OPENID_SCOPES = ("openid", "email", "profile")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind by what the operator may leave out, and how a provider of it is made. `issuer` empty: it must be told."""

    make: Callable[[ProviderConfig, Calls], Provider]
    issuer: str
    label: str
    scopes: tuple[str, ...]


KINDS: Mapping[str, Kind] = {
    "oidc": Kind(OpenIdProvider, "", "", OPENID_SCOPES),
    "google": Kind(OpenIdProvider, "https://accounts.google.com", "Google", OPENID_SCOPES),
}
