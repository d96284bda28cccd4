"""Access tokens (RFC 9068): the typed value, and the one reader that server and services share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType

from gatepost.jws import read_jws, token_digest
from gatepost.keys import KeySet, VerificationKey
from gatepost.principal import Kind, Principal, Scheme
from gatepost.refusals import TokenRefused, UnknownKey
from gatepost.scopes import ScopeSyntaxError, parse_scope

__all__ = [
    "AccessToken",
    "KeySet",
    "TokenReader",
    "TokenRefused",
    "UnknownKey",
    "VerificationKey",
    "read_jws",
    "token_digest",
]

ACCESS_TOKEN_TYPE = "at+jwt"
DEFAULT_LEEWAY = timedelta(seconds=10)
MAX_LEEWAY = timedelta(seconds=30)
MAX_NAME_LENGTH = 255
_LAST_NUMERIC_DATE = 253_402_300_799  # the end of the year 9999: what a datetime can still hold
_MAX_EPOCH = 2**53 - 1


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a verified access token says. Times are NumericDate, whole seconds; `claims` are all of them, read-only.

    `epoch` and `client_epoch` are the owner's and the client's revocation epochs when the token was issued.
    """

    issuer: str
    subject: str
    audience: tuple[str, ...]
    client_id: str
    jti: str
    kid: str
    issued_at: int
    expires_at: int
    scopes: frozenset[str]
    session_id: str | None
    epoch: int
    client_epoch: int
    auth_time: int | None
    acr: str | None
    amr: tuple[str, ...]
    claims: Mapping[str, object] = field(repr=False)

    @property
    def kind(self) -> Kind:
        """A client speaks for itself when it is its own subject (RFC 9068 §2.2) and nobody signed in: a person's token
        has `auth_time`, so that an id which both have makes neither the other (RFC 9068 §5)."""
        return "client" if self.subject == self.client_id and self.auth_time is None else "user"

    def principal(self, scheme: Scheme = "bearer") -> Principal:
        """The caller that this token stands for."""
        return Principal(
            subject=self.subject,
            kind=self.kind,
            scheme=scheme,
            scopes=self.scopes,
            client_id=self.client_id,
            session_id=self.session_id,
            credential_id=self.jti,
            auth_time=None if self.auth_time is None else datetime.fromtimestamp(self.auth_time, UTC),
            acr=self.acr,
            claims=self.claims,
        )


class TokenReader:
    """Reads access tokens of one issuer for one audience; holds no keys and no clock, and may be shared by all tasks.

    `leeway` forgives an issuer's clock that runs ahead of ours: `iat` and `nbf` may lie that far in the future.
    Expiry is exact: a token is dead from the second `exp` on, here and at every other verifier.
    """

    __slots__ = ("_audience", "_issuer", "_leeway")

    def __init__(self, issuer: str, audience: str, leeway: timedelta = DEFAULT_LEEWAY) -> None:
        if not issuer or not audience:
            raise ValueError("a reader needs an issuer and an audience")
        if not timedelta(0) <= leeway <= MAX_LEEWAY:
            raise ValueError("leeway is between 0 and 30 seconds")
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway.total_seconds()

    def read(self, token: str, keys: KeySet, *, now: datetime) -> AccessToken:
        """Verify signature, type, issuer, audience and times (RFC 9068 §4, RFC 8725 §3).

        Revocation is not judged here. Raises `UnknownKey` when `kid` is not in `keys`, else `TokenRefused`.
        """
        found = self.read_for_any_audience(token, keys, now=now)
        if self._audience not in found.audience:
            raise TokenRefused("another audience")
        return found

    def read_for_any_audience(self, token: str, keys: KeySet, *, now: datetime) -> AccessToken:
        """The same without the audience: for an issuer that answers questions about its tokens (RFC 7662), never for a
        service that is called with one. Raises as `read` does."""
        moment = _timestamp(now)
        header, claims = read_jws(token, keys, typ=ACCESS_TOKEN_TYPE)
        if claims.get("iss") != self._issuer:
            raise TokenRefused("another issuer")
        audience = _audience(claims.get("aud"))
        expires_at = _number(claims, "exp")
        if moment >= expires_at:
            raise TokenRefused("expired")
        issued_at = _number(claims, "iat")
        not_before = _number(claims, "nbf") if "nbf" in claims else issued_at
        if max(issued_at, not_before) > moment + self._leeway:
            raise TokenRefused("not yet valid")
        return AccessToken(
            issuer=self._issuer,
            subject=_text(claims, "sub"),
            audience=audience,
            client_id=_text(claims, "client_id"),
            jti=_text(claims, "jti"),
            kid=str(header["kid"]),
            issued_at=issued_at,
            expires_at=expires_at,
            scopes=_scopes(claims.get("scope", "")),
            session_id=_text(claims, "sid") if "sid" in claims else None,
            epoch=_number(claims, "epoch", _MAX_EPOCH) if "epoch" in claims else 0,
            client_epoch=_number(claims, "client_epoch", _MAX_EPOCH) if "client_epoch" in claims else 0,
            auth_time=_number(claims, "auth_time") if "auth_time" in claims else None,
            acr=_text(claims, "acr") if "acr" in claims else None,
            amr=_texts(claims["amr"], "amr") if "amr" in claims else (),
            claims=MappingProxyType(claims),
        )


def _timestamp(now: datetime) -> float:
    if now.tzinfo is None:
        raise ValueError("now has no time zone")
    return now.timestamp()


def _number(claims: Mapping[str, object], name: str, largest: int = _LAST_NUMERIC_DATE) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 <= value <= largest:  # a bool is an int to isinstance
        raise TokenRefused(f"{name} is not a whole number in range")
    return value


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_LENGTH:
        raise TokenRefused(f"{name} is not a string of 1 to {MAX_NAME_LENGTH} characters")
    if not value.isprintable() or value != value.strip():
        raise TokenRefused(f"{name} has control characters or outer blanks")
    return value


def _texts(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TokenRefused(f"{name} is not a list of strings")
    return tuple(value)


def _audience(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else _texts(value, "aud")


def _scopes(value: object) -> frozenset[str]:
    if not isinstance(value, str):
        raise TokenRefused("scope is not a string")
    try:
        return _parse_scopes(value)
    except ScopeSyntaxError:
        raise TokenRefused("scope is malformed") from None


@lru_cache(256)
def _parse_scopes(text: str) -> frozenset[str]:
    """One set for all tokens that say the same, so that remembering many of them costs little."""
    return frozenset(parse_scope(text))
