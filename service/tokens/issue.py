"""Issuing access tokens (RFC 9068 §2)."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from pydantic_core import to_json

from gatepost.encoding import encode_segment
from gatepost.scopes import format_scope

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Signer(Protocol):
    """The key that signs at this moment."""

    def sign_payload(self, payload: bytes, *, typ: str, now: datetime) -> str:
        """A compact JWS over claims in base64url, with the `kid` and `alg` of the present key of access tokens. Raises
        `StoreUnavailable` when none has been read yet."""


class IssuedToken(NamedTuple):
    """A new access token and what its holder is told about it; `expires_in` counts seconds."""

    token: str
    jti: str
    scopes: frozenset[str]
    expires_in: int

    def __repr__(self) -> str:
        return f"IssuedToken(jti={self.jti!r})"


@dataclass(frozen=True, slots=True)
class AccessTokenDraft:
    """All that an access token says but for its id and its times: what many of one kind have in common.

    `payload` is its JSON as far as that is known, in base64url, and `rest` what is left when three bytes each have
    become four; `life` is how long one lives that nothing else ends sooner.
    """

    payload: bytes
    rest: bytes
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
        text = to_json(claims)[:-1]
        whole = len(text) // 3 * 3
        payload, life = encode_segment(text[:whole]), self._life if life is None else life
        return AccessTokenDraft(payload, text[whole:], frozenset(scopes), life)

    def issue(self, draft: AccessTokenDraft, *, now: datetime, not_after: datetime | None = None) -> IssuedToken:
        """A new token, which never outlives `not_after`, the end of its session. Raises `StoreUnavailable` before a
        signing key is known."""
        issued_at, life = _seconds(now - _EPOCH), draft.life
        if not_after is not None and now + life > not_after:
            life = not_after - now
        seconds = max(_seconds(life), 0)
        jti = encode_segment(secrets.token_bytes(16))
        more = b'%b,"iat":%d,"exp":%d,"jti":"%b"}' % (draft.rest, issued_at, issued_at + seconds, jti)
        token = self._signer.sign_payload(draft.payload + encode_segment(more), typ="at+jwt", now=now)
        return IssuedToken(token, jti.decode(), draft.scopes, seconds)


def _seconds(span: timedelta) -> int:
    """Whole ones."""
    return span.days * 86_400 + span.seconds
