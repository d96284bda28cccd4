"""What a client is registered for: where it may send people back to, which grants it uses, how it proves itself."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from service.clients.uris import checked_link, checked_redirect_uri, checked_resource, is_same_redirect
from service.protocol.errors import Invalid

AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS = "authorization_code", "refresh_token", "client_credentials"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
GRANT_TYPES = (AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS, DEVICE_CODE)
NO_SECRET, SECRET_BASIC, SECRET_POST = "none", "client_secret_basic", "client_secret_post"
AUTH_METHODS = (NO_SECRET, SECRET_BASIC, SECRET_POST)
ID_TOKEN_ALGORITHMS = ("RS256", "ES256")
MAX_URIS = 50
SHORTEST_LIFE = timedelta(minutes=1)
LONGEST_ACCESS_LIFE, LONGEST_REFRESH_IDLE = timedelta(days=1), timedelta(days=365)


@dataclass(frozen=True, slots=True)
class ClientMetadata:
    """The registration of a client, by the names of RFC 7591 §2 where that has one.

    `resources` are the audiences that it may ask for beside the service's own (RFC 8707). A life of None is the
    service's.
    """

    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    grant_types: frozenset[str] = frozenset({CLIENT_CREDENTIALS})
    auth_method: str = SECRET_BASIC
    resources: tuple[str, ...] = ()
    access_life: timedelta | None = None
    refresh_idle: timedelta | None = None
    id_token_alg: str = "RS256"
    skips_consent: bool = False
    client_uri: str | None = None
    logo_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    backchannel_logout_uri: str | None = None

    @classmethod
    def usual(cls, said: Mapping[str, Any] = MappingProxyType({}), *, confidential: bool) -> "ClientMetadata":
        """What was said of a client, by these names, and the usual for what was not: with a redirect URI people sign in
        through it, without one it calls as itself."""
        if said.get("redirect_uris"):
            grants = frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN})
        else:
            grants = frozenset({CLIENT_CREDENTIALS} if confidential else ())
        return cls(**{"grant_types": grants, "auth_method": SECRET_BASIC if confidential else NO_SECRET, **said})

    def redirect_matches(self, uri: str) -> bool:
        """Whether a browser may be sent to this URI: a registered one exactly, at any port of a loopback address."""
        return any(is_same_redirect(registered, uri) for registered in self.redirect_uris)


def checked_metadata(metadata: ClientMetadata, *, confidential: bool) -> ClientMetadata:
    """The metadata, if all of it is well-formed and goes together. Raises `Invalid` for the first that does not."""
    _check_all("redirect_uris", metadata.redirect_uris, checked_redirect_uri)
    _check_all("post_logout_redirect_uris", metadata.post_logout_redirect_uris, checked_redirect_uri)
    _check_all("resources", metadata.resources, checked_resource)
    for field in ("client_uri", "logo_uri", "policy_uri", "tos_uri", "backchannel_logout_uri"):
        link: str | None = getattr(metadata, field)
        if link is not None:
            checked_link(field, link)
    if metadata.backchannel_logout_uri is not None and "#" in metadata.backchannel_logout_uri:
        raise Invalid("backchannel_logout_uri", "A logout URI has no fragment.")
    _check_method(metadata.auth_method, confidential=confidential)
    _check_grants(metadata, confidential=confidential)
    _check_life("access_life", metadata.access_life, LONGEST_ACCESS_LIFE)
    _check_life("refresh_idle", metadata.refresh_idle, LONGEST_REFRESH_IDLE)
    _check_one_of("id_token_signed_response_alg", metadata.id_token_alg, ID_TOKEN_ALGORITHMS)
    if metadata.skips_consent and not confidential and not _only_https(metadata.redirect_uris):
        # Any program on the device can pose as this client (RFC 6749 §10.2, RFC 8252 §8.6).
        raise Invalid("skips_consent", "A public client skips consent only when all its redirect URIs are https.")
    return metadata


def _check_all(field: str, uris: tuple[str, ...], checked: Callable[[str, str], str]) -> None:
    if len(uris) > MAX_URIS:
        raise Invalid(field, f"There are at most {MAX_URIS} of these.")
    for place, uri in enumerate(uris):
        checked(f"{field}/{place}", uri)


def _check_method(method: str, *, confidential: bool) -> None:
    field = "token_endpoint_auth_method"
    _check_one_of(field, method, AUTH_METHODS)
    if confidential == (method == NO_SECRET):
        raise Invalid(field, "A public client has the method none, a confidential one another.")


def _check_grants(metadata: ClientMetadata, *, confidential: bool) -> None:
    field, grants = "grant_types", metadata.grant_types
    for grant in sorted(grants):
        _check_one_of(field, grant, GRANT_TYPES)
    if CLIENT_CREDENTIALS in grants and not confidential:
        raise Invalid(field, "A public client has no credentials of its own (RFC 6749 §4.4).")
    if AUTHORIZATION_CODE in grants and not metadata.redirect_uris:
        raise Invalid("redirect_uris", "The grant authorization_code needs a redirect URI.")
    if REFRESH_TOKEN in grants and not grants & {AUTHORIZATION_CODE, DEVICE_CODE}:
        raise Invalid(field, "The grant refresh_token goes with authorization_code or the device grant.")


def _check_life(field: str, life: timedelta | None, longest: timedelta) -> None:
    if life is not None and not SHORTEST_LIFE <= life <= longest:
        raise Invalid(field, f"This is {SHORTEST_LIFE.seconds} seconds to {longest.days} days.")


def _check_one_of(field: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise Invalid(field, f"This is one of: {', '.join(known)}.")


def _only_https(uris: tuple[str, ...]) -> bool:
    return all(uri.startswith("https://") for uri in uris)
