"""What a provider's configuration must be, and where requests to providers may go."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from service.federation.kinds import KINDS
from service.federation.provider import ProviderConfig

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
_SCOPE = re.compile(r"[!#-\[\]-~]{1,200}", re.ASCII)  # RFC 6749 §3.3
_LONGEST_LABEL, _LONGEST_SECRET, _MOST_SCOPES = 64, 1_024, 64


def mistakes_in(config: ProviderConfig, *, local: bool) -> Iterator[tuple[str, str]]:
    """Each field that is wrong, and what is wrong with it. `local` allows providers on this machine by plain http."""
    kind = KINDS.get(config.kind)
    if not _NAME.fullmatch(config.name):
        yield "name", "a name is 1 to 32 lower case letters, digits and dashes"
    if kind is None:
        yield "kind", f"this is one of {', '.join(KINDS)}"
    if not 0 < len(config.client_id) <= _LONGEST_SECRET or not config.client_id.isprintable():
        yield "client_id", f"this is 1 to {_LONGEST_SECRET} printable characters"
    if len(config.client_secret) > _LONGEST_SECRET or not config.client_secret.isprintable():
        yield "client_secret", f"this is {_LONGEST_SECRET} printable characters at most"
    if not is_allowed(config.issuer, local=local) or "?" in config.issuer:
        yield "issuer", "this is an https address without a query, as the provider writes it"
    if not 0 < len(config.label.strip()) <= _LONGEST_LABEL or not config.label.isprintable():
        yield "label", f"this is 1 to {_LONGEST_LABEL} printable characters"
    if len(config.scopes) > _MOST_SCOPES or not all(_SCOPE.fullmatch(scope) for scope in config.scopes):
        yield "scopes", "these are scopes as RFC 6749 §3.3 writes them"
    elif kind is not None and "openid" in kind.scopes and "openid" not in config.scopes:
        yield "scopes", "openid is among them"


def is_allowed(uri: str, *, local: bool) -> bool:
    """Whether a provider may be asked there: https, or http to this machine in local mode; without a user in it."""
    try:
        parts = urlsplit(uri)
        host, user, _ = parts.hostname, parts.username, parts.port
    except ValueError:
        return False
    is_plain = uri.isascii() and uri.isprintable() and " " not in uri
    if not host or user is not None or "#" in uri or not is_plain:
        return False
    return parts.scheme == "https" or (local and parts.scheme == "http" and is_loopback(host))


def is_loopback(host: str) -> bool:
    """Whether this is the very machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
