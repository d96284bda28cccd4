"""Issuing access tokens (RFC 9068 §2)."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from pydantic_core import to_json

from gatepost.encoding import encode_segment
from gatepost.scopes import format_scope


class Signer(Protocol):
    """The key that signs at this moment."""

    def sign_text(self, claims: str, *, typ: str, now: datetime) -> str:
        """A compact JWS over claims in JSON, with the `kid` and `alg` of the present key of access tokens. Raises
        `StoreUnavailable` when none has been read yet."""


class IssuedToken(NamedTuple):
    """A new access token and what its holder is told about it."""

    token: str
    jti: str
    scopes: frozenset[str]
    expires_in: timedelta

    def __repr__(self) -> str:
        return f"IssuedToken(jti={self.jti!r})"


@dataclass(frozen=True, slots=True)
class AccessTokenDraft:
    """All that an access token says but for its id and its times: what many of one kind have in common.

    `claims` is JSON without its last brace; `life` is how long one lives that nothing else ends sooner.
    """

    claims: str
    scopes: frozenset[str]
    life: timedelta


class AccessTokenIssuer:
    """Puts together the claims of an access token and has them signed.

    `audience` is for whom one is, and `life` how long it lives, when the grant does not say otherwise.
    """

    def __init__(self, signer: Signer, *, issuer: str, audience: str, life: timedelta) -> None:
        self._signer = signer
        self._issuer = issuer
        self._audience = audience
        self._life = life

    def draft(
        self,
        *,
        subject: str,
        client_id: str,
        scopes: frozenset[str],
        session_id: str | None = None,
        epoch: int = 0,
        client_epoch: int = 0,
        auth_time: datetime | None = None,
        amr: tuple[str, ...] = (),
        acr: str | None = None,
        audience: tuple[str, ...] = (),
        life: timedelta | None = None,
        userinfo: Iterable[str] = (),
    ) -> AccessTokenDraft:
        """What tokens for `subject` say. `aud` is text when there is one of them (RFC 9068 §3). `userinfo` are the
        claims that the UserInfo endpoint tells the holder beside those of the scopes."""
        claims: dict[str, object] = {
            "iss": self._issuer,
            "sub": subject,
            "aud": list(audience) if len(audience) > 1 else next(iter(audience), self._audience),
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
        return AccessTokenDraft(to_json(claims)[:-1].decode(), frozenset(scopes), self._life if life is None else life)

    def issue(self, draft: AccessTokenDraft, *, now: datetime, not_after: datetime | None = None) -> IssuedToken:
        """A new token, which never outlives `not_after`, the end of its session. Raises `StoreUnavailable` before a
        signing key is known."""
        issued_at = int(now.timestamp())
        life = draft.life if not_after is None else min(draft.life, not_after - now)
        seconds = int(life.total_seconds())
        jti = encode_segment(secrets.token_bytes(16)).decode()
        claims = f'{draft.claims},"iat":{issued_at},"exp":{issued_at + seconds},"jti":"{jti}"}}'
        token = self._signer.sign_text(claims, typ="at+jwt", now=now)
        return IssuedToken(token, jti, draft.scopes, timedelta(seconds=seconds))
