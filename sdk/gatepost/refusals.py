"""Every way in which the kit says no, in one tree.

AccessRefused
├── TokenRefused          401: the token is not good here
│   └── UnknownKey             its `kid` is not in the key set
├── ScopesMissing         403: the caller is known, and may not
└── CannotDecide          503: neither yes nor no can be said
    ├── KeysUnknown            the issuer's keys were never seen, or too long ago
    └── RevocationsUnknown     the revocation feed is too old
"""


class AccessRefused(Exception):  # a refusal is an outcome, not an error
    """The request may not go on. `reason` is for the log alone, and never holds any text of a credential."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenRefused(AccessRefused):
    """The token is malformed, forged, expired, revoked, or meant for someone else. The caller is told only that."""


class UnknownKey(TokenRefused):
    """The header names a `kid` that is not in the key set: worth one look for newer keys."""


class ScopesMissing(AccessRefused):
    """The credential is good, but does not grant all of `needed` (RFC 6750 §3.1 `insufficient_scope`)."""

    def __init__(self, needed: frozenset[str]) -> None:
        super().__init__("insufficient scope")
        self.needed = needed


class CannotDecide(AccessRefused):
    """What is needed to judge the token is not at hand; the same request may succeed in a few seconds."""


class KeysUnknown(CannotDecide):
    """No key set of the issuer that is young enough to be trusted."""


class RevocationsUnknown(CannotDecide):
    """The revocation feed was last heard too long ago to say that a token is not revoked."""
