"""The addresses that a client registers: what each kind may be, and when an asked redirect URI is a registered one."""

import re
from urllib.parse import urlsplit

from service.protocol.errors import Invalid

MAX_URI = 2_000
_ALLOWED = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()+,;=%]+", re.ASCII)  # RFC 3986 §2, without the wildcard `*`
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):.", re.ASCII)
_PORT = r"(?::[1-9][0-9]{0,4})?"
_LOOPBACK_IP = re.compile(rf"http://(127\.0\.0\.1|\[::1\]){_PORT}([/?].*|)", re.ASCII)
_LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")


def checked_redirect_uri(field: str, uri: str) -> str:
    """A URI to which a browser may be sent: https, http on this very machine, or a scheme of the app's own.

    A scheme of one's own is a domain in reverse and so has a dot (RFC 8252 §7.1), which keeps out `javascript:` and
    its like. Raises `Invalid` for `field`.
    """
    scheme = _checked(field, uri)
    if "#" in uri:
        raise Invalid(field, "A redirect URI has no fragment.")
    if "." not in scheme:
        _check_web(field, uri)
    return uri


def checked_link(field: str, uri: str) -> str:
    """A page or an endpoint of the client's: https, or http on this very machine. Raises `Invalid` for `field`."""
    _checked(field, uri)
    _check_web(field, uri)
    return uri


def checked_resource(field: str, uri: str) -> str:
    """An audience: an absolute URI without a fragment (RFC 8707 §2). Raises `Invalid` for `field`."""
    _checked(field, uri)
    if "#" in uri:
        raise Invalid(field, "A resource is an absolute URI without a fragment.")
    return uri


def is_same_redirect(registered: str, asked: str) -> bool:
    """Character for character; only the port of a loopback address is free (RFC 8252 §7.3, RFC 9700 §4.1.3)."""
    if registered == asked:
        return True
    here, there = _LOOPBACK_IP.fullmatch(registered), _LOOPBACK_IP.fullmatch(asked)
    return here is not None and there is not None and here.groups() == there.groups() and _has_valid_port(asked)


def _checked(field: str, uri: str) -> str:
    scheme = _SCHEME.match(uri)
    if len(uri) > MAX_URI or _ALLOWED.fullmatch(uri) is None or scheme is None:
        raise Invalid(field, f"This is an absolute URI of {MAX_URI} ASCII characters at most, without wildcards.")
    return scheme[1]


def _check_web(field: str, uri: str) -> None:
    refusal = Invalid(field, "This is an https URI with a host and without a user; http is for this machine alone.")
    try:
        parts = urlsplit(uri)
        host = parts.hostname
    except ValueError:
        raise refusal from None
    is_local = parts.scheme == "http" and host in _LOOPBACK_HOSTS
    if not (parts.scheme == "https" or is_local) or not host or "@" in parts.netloc or not _has_valid_port(uri):
        raise refusal


def _has_valid_port(uri: str) -> bool:
    try:
        return urlsplit(uri).port != 0
    except ValueError:
        return False
