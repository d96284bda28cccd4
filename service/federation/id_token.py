"""Reading a provider's id_token: every check of OpenID Connect Core §3.1.3.7, and each of them fails closed."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from gatepost.encoding import encode_segment
from gatepost.jws import Jws, check_header, claims_under, parse_jws
from gatepost.keys import KeySet, VerificationKey
from gatepost.refusals import TokenRefused
from service.federation.refusals import ProviderFailed

LEEWAY = timedelta(seconds=60)
"""How far a provider's clock may be off."""
LONGEST_SUBJECT = 255
_HASHES = {"ES256": sha256, "RS256": sha256}
_LAST = 253_402_300_799  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token has to say, and the access token that came with it."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str = field(repr=False)


def parse_id_token(token: object) -> Jws:
    """A well-formed token that nobody has checked yet. Raises `ProviderFailed`."""
    if not isinstance(token, str):
        raise ProviderFailed(detail="no id_token")
    try:
        parsed = parse_jws(token)
        check_header(parsed, typ="JWT", typ_optional=True)
    except TokenRefused as refused:
        raise ProviderFailed(detail=f"id_token: {refused}") from None
    return parsed


def kid_of(parsed: Jws) -> str | None:
    """Which key it names; None when it names none."""
    kid = parsed.header.get("kid")
    return kid if isinstance(kid, str) else None


def check_id_token(parsed: Jws, keys: KeySet, expected: Expected, *, now: datetime) -> Mapping[str, object]:
    """The claims, `sub` among them, when all is right. Raises `ProviderFailed`, which names what is not."""
    try:
        claims = claims_under(parsed, _key_for(parsed, keys))
        _check_about(claims, expected)
        _check_times(claims, now)
        _check_access_token(claims, parsed, expected)
    except TokenRefused as refused:
        raise ProviderFailed(detail=f"id_token: {refused}") from None
    return claims


def auth_time_of(claims: Mapping[str, object]) -> datetime | None:
    """When the person signed in there, if it is told."""
    told = claims.get("auth_time")
    return None if told is None else datetime.fromtimestamp(_number(claims, "auth_time"), UTC)


def _key_for(parsed: Jws, keys: KeySet) -> VerificationKey:
    kid, known = kid_of(parsed), list(keys)
    if kid is None and "kid" not in parsed.header and len(known) == 1:
        return known[0]
    key = None if kid is None else keys.find(kid)
    if key is None:
        raise TokenRefused("unknown kid")
    return key


def _check_about(claims: Mapping[str, object], expected: Expected) -> None:
    audience = claims.get("aud")
    several = audience if isinstance(audience, list) else [audience]
    authorized = claims.get("azp")
    if claims.get("iss") != expected.issuer:
        raise TokenRefused("another issuer")
    if expected.client_id not in several:
        raise TokenRefused("another audience")
    if (len(several) > 1 and authorized is None) or authorized not in (None, expected.client_id):
        raise TokenRefused("azp is not this client")
    nonce, subject = claims.get("nonce"), claims.get("sub")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode("utf-8", "replace"), expected.nonce.encode()):
        raise TokenRefused("no nonce, or another")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise TokenRefused("no usable sub")


def _check_times(claims: Mapping[str, object], now: datetime) -> None:
    moment, leeway = now.timestamp(), LEEWAY.total_seconds()
    if moment >= _number(claims, "exp") + leeway:
        raise TokenRefused("expired")
    if _number(claims, "iat") > moment + leeway or ("nbf" in claims and _number(claims, "nbf") > moment + leeway):
        raise TokenRefused("not yet valid")
    if "auth_time" in claims and _number(claims, "auth_time") > moment + leeway:
        raise TokenRefused("auth_time lies ahead")


def _check_access_token(claims: Mapping[str, object], parsed: Jws, expected: Expected) -> None:
    """`at_hash` (§3.1.3.8): one that came must be right, also when its algorithm's hash is not known here."""
    if "at_hash" not in claims:
        return
    told, digest = claims["at_hash"], _HASHES.get(str(parsed.header.get("alg")))
    if digest is None or not isinstance(told, str):
        raise TokenRefused("at_hash cannot be checked")
    whole = digest(expected.access_token.encode()).digest()
    if not hmac.compare_digest(told.encode("utf-8", "replace"), encode_segment(whole[: len(whole) // 2])):
        raise TokenRefused("at_hash is another token's")


def _number(claims: Mapping[str, object], name: str) -> int:
    """Whole seconds; a provider may write them with a fraction (RFC 7519 §2)."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST:
        raise TokenRefused(f"{name} is not a time")
    return int(value)
