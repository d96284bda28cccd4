"""ID tokens: what a client is told about a sign-in (OpenID Connect Core §2)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol

from gatepost.encoding import encode_segment
from service.accounts.account import User
from service.accounts.claims import claims_of
from service.clients.client import Client

LIFE = timedelta(minutes=10)


class Signer(Protocol):
    """The keys that sign at this moment."""

    def sign(self, claims: Mapping[str, object], *, typ: str, now: datetime, algorithm: str | None = None) -> str:
        """A compact JWS over the claims by the key of `algorithm`. Raises `StoreUnavailable` when no such key has been
        read yet."""


class IdTokens:
    """Issues ID tokens. `algorithms` are those whose keys are published; a client that is registered for another gets
    the first of them."""

    def __init__(self, signer: Signer, *, issuer: str, algorithms: Sequence[str]) -> None:
        self._signer = signer
        self._issuer = issuer
        self._algorithms = tuple(algorithms)

    def issue(
        self,
        *,
        user: User,
        client: Client,
        nonce: str | None,
        auth_time: datetime,
        amr: tuple[str, ...],
        acr: str | None,
        session_id: str,
        claims: Mapping[str, object],
        access_token: str | None,
        now: datetime,
    ) -> str:
        """A token for this client about this person, ten minutes long.

        `claims` is the request parameter of that name, already checked; only what its `id_token` names is told here,
        the rest at the UserInfo endpoint (§5.4). `sid` is that of the access token and of a logout token. Typed `JWT`,
        so no reader of access tokens takes it for one. Raises `StoreUnavailable` before a key has been read.
        """
        issued_at = int(now.timestamp())
        told: dict[str, object] = {
            **claims_of(user, (), _named(claims.get("id_token"))),
            "iss": self._issuer,
            "sub": user.id,
            "aud": client.id,
            "exp": issued_at + int(LIFE.total_seconds()),
            "iat": issued_at,
            "auth_time": int(auth_time.timestamp()),
            "sid": session_id,
        }
        if nonce is not None:
            told["nonce"] = nonce
        if acr is not None:
            told["acr"] = acr
        if amr:
            told["amr"] = list(amr)
        if access_token is not None:
            told["at_hash"] = half_hash(access_token)
        return self._signer.sign(told, typ="JWT", now=now, algorithm=self._algorithm(client))

    def _algorithm(self, client: Client) -> str:
        wanted = client.metadata.id_token_alg
        return wanted if wanted in self._algorithms else self._algorithms[0]


def half_hash(text: str) -> str:
    """The left half of a SHA-256, as `at_hash` has it (§3.1.3.6): every algorithm here is one with SHA-256."""
    return encode_segment(sha256(text.encode("ascii")).digest()[:16]).decode()


def _named(requested: object) -> Iterable[str]:
    return requested if isinstance(requested, Mapping) else ()
