"""Which kinds of provider there are: a plain OpenID provider, presets of it, and those with manners of their own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from service.federation.facebook import FACEBOOK, FACEBOOK_SCOPES, FacebookProvider
from service.federation.github import GITHUB, GITHUB_SCOPES, GitHubProvider
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
    "github": Kind(GitHubProvider, GITHUB, "GitHub", GITHUB_SCOPES),
    "facebook": Kind(FacebookProvider, FACEBOOK, "Facebook", FACEBOOK_SCOPES),
}


def completed(config: ProviderConfig) -> ProviderConfig:
    """The configuration, with what is left empty as usual for its kind."""
    kind = KINDS.get(config.kind, KINDS["oidc"])
    label = config.label.strip() or kind.label or config.name
    return replace(config, issuer=config.issuer or kind.issuer, label=label, scopes=config.scopes or kind.scopes)
