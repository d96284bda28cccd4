"""The kit: check Gatepost's credentials in another service, and know who is calling, without a round trip per request.

It owns the typed `Principal`, the strict reading of tokens (one shell around python-jose, which the server uses too),
the issuer's keys and the revocation feed, and the dependencies for FastAPI. It refuses to know how tokens are issued,
where anything is stored, and what the server is made of. Read `principal.py` first, then `verify.py`; a service author
needs only `fastapi.py` and, for tests, `testing.py`, which are imported by their own names.
"""

from typing import TYPE_CHECKING

from gatepost.keys import KeySet, VerificationKey
from gatepost.principal import Principal
from gatepost.refusals import (
    AccessRefused,
    CannotDecide,
    KeysUnknown,
    RevocationsUnknown,
    ScopesMissing,
    TokenRefused,
    UnknownKey,
)
from gatepost.revocation import Revocation, RevocationKind, RevocationSet
from gatepost.tokens import AccessToken, TokenReader
from gatepost.verify import Verifier, check_scopes

if TYPE_CHECKING:
    from gatepost.feed import RevocationFeed
    from gatepost.jwks import JwksCache

__all__ = [
    "AccessRefused",
    "AccessToken",
    "CannotDecide",
    "JwksCache",
    "KeySet",
    "KeysUnknown",
    "Principal",
    "Revocation",
    "RevocationFeed",
    "RevocationKind",
    "RevocationSet",
    "RevocationsUnknown",
    "ScopesMissing",
    "TokenReader",
    "TokenRefused",
    "UnknownKey",
    "VerificationKey",
    "Verifier",
    "check_scopes",
]


def __getattr__(name: str) -> object:
    """What asks Gatepost over HTTP is loaded when it is asked for: who only checks tokens needs no HTTP client."""
    match name:
        case "JwksCache":
            from gatepost.jwks import JwksCache

            return JwksCache
        case "RevocationFeed":
            from gatepost.feed import RevocationFeed

            return RevocationFeed
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
