"""The Authorization field: which scheme, and what it carries (RFC 9110 §11.4, RFC 6750 §2.1, RFC 7617 §2)."""

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass, field

from service.protocol.errors import InvalidLogin, InvalidToken, NotAuthenticated

MAX_CREDENTIAL = 8 * 1024
_B64TOKEN = re.compile(rb"[A-Za-z0-9\-._~+/]+=*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""RFC 7617 §2: neither part may hold one."""


@dataclass(frozen=True, slots=True)
class BasicPair:
    """User id and password of RFC 7617, decoded as UTF-8."""

    user_id: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BearerText:
    """A bearer credential as it was sent; nothing but its alphabet and length has been checked."""

    text: str = field(repr=False)


def parse_authorization(value: bytes) -> BasicPair | BearerText:
    """Read one field value.

    Raises `NotAuthenticated` for a scheme that is not ours, `InvalidToken` for a malformed Bearer, `InvalidLogin` for a
    malformed Basic.
    """
    scheme, _, credential = value.partition(b" ")
    name = scheme.lower()
    if name == b"bearer":
        if len(credential) > MAX_CREDENTIAL or not _B64TOKEN.fullmatch(credential):
            raise InvalidToken(detail="malformed token in Authorization")
        return BearerText(credential.decode())
    if name == b"basic":
        return _parse_basic(credential)
    raise NotAuthenticated(detail="unknown authentication scheme")


def _parse_basic(credential: bytes) -> BasicPair:
    if len(credential) > MAX_CREDENTIAL:
        raise InvalidLogin(detail="user name and password are too long")
    try:
        text = b64decode(credential, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidLogin(detail="user name and password are not base64 of UTF-8") from None
    user_id, colon, password = text.partition(":")
    if not colon or not user_id or not password or _CONTROL.search(text):
        raise InvalidLogin(detail="not of the form user-id:password")
    return BasicPair(user_id, password)
