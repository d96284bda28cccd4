"""The kit: check Gatepost's credentials in another service, and know who is calling, without a round trip per request.

It owns the typed `Principal`, the strict reading of tokens (one shell around python-jose, which the server uses too),
the issuer's keys and the revocation feed, and the dependencies for FastAPI. It refuses to know how tokens are issued,
where anything is stored, and what the server is made of. Read `principal.py` first, then `verify.py`; a service author
needs only `fastapi.py` and, for tests, `testing.py`, which are imported by their own names.
"""

from gatepost.feed import RevocationFeed
from gatepost.jwks import JwksCache
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
