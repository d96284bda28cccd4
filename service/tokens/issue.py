"""Issuing access tokens (RFC 9068 §2)."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from gatepost.scopes import format_scope


class Signer(Protocol):
    """The key that signs at this moment."""

    def sign(self, claims: Mapping[str, object], *, typ: str, now: datetime, algorithm: str | None = None) -> str:
        """A compact JWS over the claims with the present key's `kid` and `alg`: that of `algorithm`, else of access
        tokens. Raises `StoreUnavailable` when no such key has been read yet."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new access token and what its holder is told about it."""

    token: str = field(repr=False)
    jti: str
    scopes: frozenset[str]
    expires_in: timedelta


class AccessTokenIssuer:
    """Puts together the claims of an access token and has them signed.

    `audience` is for whom one is, and `life` how long it lives, when the grant does not say otherwise.
    """

    def __init__(self, signer: Signer, *, issuer: str, audience: str, life: timedelta) -> None:
        self._signer = signer
        self._issuer = issuer
        self._audience = audience
        self._life = life

    def issue(
        self,
        *,
        subject: str,
        client_id: str,
        scopes: frozenset[str],
        now: datetime,
        session_id: str | None = None,
        epoch: int = 0,
        client_epoch: int = 0,
        auth_time: datetime | None = None,
        amr: tuple[str, ...] = (),
        acr: str | None = None,
        not_after: datetime | None = None,
        audience: tuple[str, ...] = (),
        life: timedelta | None = None,
        userinfo: Iterable[str] = (),
    ) -> IssuedToken:
        """A token for `subject`; it never outlives `not_after`, the end of its session. `aud` is text when there is
        one of them (RFC 9068 §3). `userinfo` are the claims that the UserInfo endpoint tells its holder beside those of
        the scopes."""
        issued_at = int(now.timestamp())
        life = self._life if life is None else life
        life = life if not_after is None else min(life, not_after - now)
        jti = secrets.token_urlsafe(16)
        claims: dict[str, object] = {
            "iss": self._issuer,
            "sub": subject,
            "aud": list(audience) if len(audience) > 1 else next(iter(audience), self._audience),
            "exp": issued_at + int(life.total_seconds()),
            "iat": issued_at,
            "jti": jti,
            "client_id": client_id,
            "scope": format_scope(scopes),
            "epoch": epoch,
            "client_epoch": client_epoch,
        }
        if session_id is not None:
            claims["sid"] = session_id
        if auth_time is not None:
            claims["auth_time"] = int(auth_time.timestamp())
        if amr:
            claims["amr"] = list(amr)
        if acr is not None:
            claims["acr"] = acr
        asked = sorted(userinfo)
        if asked:
            claims["userinfo_claims"] = asked
        return IssuedToken(
            token=self._signer.sign(claims, typ="at+jwt", now=now),
            jti=jti,
            scopes=scopes,
            expires_in=timedelta(seconds=int(life.total_seconds())),
        )
