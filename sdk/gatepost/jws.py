"""The strict reading shell around python-jose: compact JWS in, checked header and claims out, or a refusal.

python-jose keeps the keys and does the arithmetic. Everything that it reads too kindly is read here instead: base64url,
JSON, `alg`, `kid`, `typ` and `crit` (RFC 7515, RFC 8725). Access tokens are read by `tokens.py`, which stands on this.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from gatepost.encoding import MalformedError, decode_segment, parse_json_object
from gatepost.keys import KeySet, VerificationKey
from gatepost.refusals import TokenRefused, UnknownKey

MAX_TOKEN_LENGTH = 8192

# Each would let the sender choose the key or change what is signed (RFC 8725 §3.10, RFC 7515 §4.1.11, RFC 7797).
_FORBIDDEN_IN_HEADER = frozenset({"crit", "b64", "jku", "x5u", "x5c"})
_TEXT_IN_HEADER = ("cty", "x5t", "x5t#S256")  # not used here, but of a known type (RFC 7515 §4.1)


@dataclass(frozen=True, slots=True)
class Jws:
    """A well-formed compact JWS whose signature nobody has checked yet: trust nothing in it."""

    header: Mapping[str, object]
    signing_input: bytes = field(repr=False)
    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def token_digest(token: str) -> bytes:
    """SHA-256 of the whole token, for caches. Not for revocation: that goes by `jti`."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def parse_jws(token: str) -> Jws:
    """Split a compact JWS strictly (RFC 7515 §7.1): bounded, ASCII, three canonical base64url parts, a JSON header.

    Raises `TokenRefused` for anything else, and for header members that would steer the verification.
    """
    if len(token) > MAX_TOKEN_LENGTH:
        raise TokenRefused("longer than 8 KiB")
    try:
        parsed = _split(token)
    except Exception as problem:  # whatever hostile input makes a parser throw is a refusal, never a 500
        raise TokenRefused(f"malformed: {type(problem).__name__}") from None
    if not _FORBIDDEN_IN_HEADER.isdisjoint(parsed.header):
        raise TokenRefused("the header has a member that is not allowed")
    if not all(isinstance(parsed.header.get(name, ""), str) for name in _TEXT_IN_HEADER):
        raise TokenRefused("a member of the header has the wrong type")
    return parsed


def read_jws(
    token: str, keys: KeySet, *, typ: str, typ_optional: bool = False
) -> tuple[Mapping[str, object], dict[str, object]]:
    """Check the form, the type, the key and the signature, and only then parse the claims: `(header, claims)`.

    `typ` is compared without case and with or without `application/` (RFC 7515 §4.1.9); `typ_optional` also takes a
    token that has none. Raises `UnknownKey` for a `kid` that is not in `keys`, `TokenRefused` for all else.
    """
    parsed = parse_jws(token)
    check_header(parsed, typ=typ, typ_optional=typ_optional)
    kid = parsed.header.get("kid")
    if not isinstance(kid, str):
        raise TokenRefused("kid is not a string")
    key = keys.find(kid)
    if key is None:
        raise UnknownKey("unknown kid")
    return parsed.header, claims_under(parsed, key)


def check_header(parsed: Jws, *, typ: str, typ_optional: bool = False) -> None:
    """Raises `TokenRefused` for another type, and for a token that brings its own key. See `read_jws`."""
    if "jwk" in parsed.header:
        raise TokenRefused("the header brings its own key")
    if not (typ_optional and "typ" not in parsed.header):
        _check_typ(parsed.header.get("typ"), typ)


def claims_under(parsed: Jws, key: VerificationKey) -> dict[str, object]:
    """The claims, when algorithm and signature are this very key's. Raises `TokenRefused`; see `check_header` too."""
    if parsed.header.get("alg") != key.alg:
        raise TokenRefused("alg is not the key's")
    try:
        genuine = key.verify(parsed.signing_input, parsed.signature)
        claims = parse_json_object(parsed.payload) if genuine else {}
    except Exception as problem:  # as in parse_jws
        raise TokenRefused(f"malformed: {type(problem).__name__}") from None
    if not genuine:
        raise TokenRefused("bad signature")
    return claims


def _split(token: str) -> Jws:
    raw = token.encode("ascii")
    signing_input, _, signature = raw.rpartition(b".")
    header, _, payload = signing_input.partition(b".")
    if not (header and payload and signature):
        raise MalformedError("not three segments")
    return Jws(_parse_header(header), signing_input, decode_segment(payload), decode_segment(signature))


@lru_cache(64)
def _parse_header(segment: bytes) -> Mapping[str, object]:
    """The JOSE header, remembered: all tokens of one key have the same."""
    return MappingProxyType(parse_json_object(decode_segment(segment)))


def _check_typ(found: object, wanted: str) -> None:
    if not isinstance(found, str) or found.lower().removeprefix("application/") != wanted.lower():
        raise TokenRefused("typ is another token type")
