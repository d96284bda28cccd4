"""Who is calling: the one typed answer that every credential is turned into."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal

Kind = Literal["user", "client"]
Scheme = Literal["api_key", "basic", "bearer", "cookie"]

_NO_CLAIMS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose credential has been checked: subject, kind, and what the credential may do.

    `subject` is a user id or a client id; `kind` says which, so that the one is never taken for the other
    (RFC 9068 §5). `scopes` are what this credential grants now, not everything that its owner could have.
    `credential_id` names what was presented (a `jti`, an API key's id, a user's or client's id for Basic), for logs
    and usage, and is never a secret. `auth_time` is when the person proved who they are; None for machines.
    """

    subject: str
    kind: Kind
    scheme: Scheme
    scopes: frozenset[str]
    client_id: str | None = None
    session_id: str | None = None
    credential_id: str | None = None
    auth_time: datetime | None = None
    acr: str | None = None
    claims: Mapping[str, object] = field(default_factory=lambda: _NO_CLAIMS, repr=False)

    def lacks(self, needed: Iterable[str]) -> frozenset[str]:
        """The scopes of `needed` that this credential does not grant. Exact match: `read` is not `read:all`."""
        return frozenset(needed) - self.scopes
