"""Verification keys: one key, one `kid`, one algorithm, fixed when the key is loaded (RFC 8725 §3.1)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

from jose import jwk

from gatepost.encoding import decode_segment

MIN_SECRET_LENGTH = 32
MAX_RSA_BITS = 8192
MAX_RSA_EXPONENT_LENGTH = 8

_CURVES = {"ES256": ("P-256", 32), "ES384": ("P-384", 48), "ES512": ("P-521", 66)}
_RSA = frozenset({"RS256", "RS384", "RS512"})


class UnusableKeyError(ValueError):
    """The key must not, or cannot, verify a signature here."""


class _Verifies(Protocol):
    def verify(self, msg: bytes, sig: bytes) -> bool: ...


@dataclass(frozen=True, slots=True, eq=False)
class VerificationKey:
    """One public key (or shared secret), its `kid`, and the only algorithm that it may be used with."""

    kid: str
    alg: str
    key: _Verifies = field(repr=False)

    @classmethod
    def from_jwk(cls, document: Mapping[str, object]) -> Self:
        """Load one public key from its JWK (RFC 7517). Private members are left behind.

        Raises `UnusableKeyError` for what must not verify a signature: no `kid` or `alg`, an algorithm that is
        not of this key's type and curve, `use` or `key_ops` for something else, RSA under 2048 bits, and `oct`.
        """
        kid, alg, kty = document.get("kid"), document.get("alg"), document.get("kty")
        if not isinstance(kid, str) or not kid or not isinstance(alg, str):
            raise UnusableKeyError("a key needs kid and alg")
        if document.get("use", "sig") != "sig":
            raise UnusableKeyError("the key is not for signatures")
        operations = document.get("key_ops", ["verify"])
        if not isinstance(operations, list) or not any(name in operations for name in ("verify", "sign")):
            raise UnusableKeyError("the key is not for verification")
        if kty == "EC" and alg in _CURVES:
            return cls(kid, alg, _load_ec(document, alg))
        if kty == "RSA" and alg in _RSA:
            return cls(kid, alg, _load_rsa(document, alg))
        raise UnusableKeyError("no signature algorithm for this type of key")

    @classmethod
    def symmetric(cls, kid: str, secret: bytes) -> Self:
        """A shared HS256 secret of at least 32 bytes; for an issuer that alone reads its own tokens."""
        if not kid:
            raise UnusableKeyError("a key needs a kid")
        if len(secret) < MIN_SECRET_LENGTH:
            raise UnusableKeyError(f"an HS256 secret has at least {MIN_SECRET_LENGTH} bytes")
        return cls(kid, "HS256", _construct(secret, "HS256"))

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `signing_input`."""
        return self.key.verify(signing_input, signature)


class KeySet:
    """An immutable set of verification keys by `kid`. A key that came twice counts the first time."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Iterable[VerificationKey] = ()) -> None:
        self._keys: dict[str, VerificationKey] = {}
        for key in keys:
            self._keys.setdefault(key.kid, key)

    @classmethod
    def from_jwks(cls, document: object) -> Self:
        """Take from a JWK Set (RFC 7517 §5) what can verify here; other types, uses and broken keys are passed over.

        Raises `UnusableKeyError` when the document is not a JWK Set at all.
        """
        listed = document.get("keys") if isinstance(document, Mapping) else None
        if not isinstance(listed, list):
            raise UnusableKeyError("not a JWK Set")
        return cls(_usable(listed))

    def find(self, kid: str) -> VerificationKey | None:
        """The key of this `kid`, or None."""
        return self._keys.get(kid)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[VerificationKey]:
        return iter(self._keys.values())


def _usable(listed: list[object]) -> Iterator[VerificationKey]:
    for item in listed:
        if isinstance(item, Mapping):
            try:
                yield VerificationKey.from_jwk(item)
            except UnusableKeyError:
                continue


def _member(document: Mapping[str, object], name: str) -> bytes:
    value = document.get(name)
    if not isinstance(value, str):
        raise UnusableKeyError(f"the key has no {name}")
    try:
        return decode_segment(value.encode("ascii"))
    except ValueError:
        raise UnusableKeyError(f"{name} is not base64url") from None


def _load_ec(document: Mapping[str, object], alg: str) -> _Verifies:
    curve, size = _CURVES[alg]
    if document.get("crv") != curve:
        raise UnusableKeyError("the curve is not the algorithm's")
    if len(_member(document, "x")) != size or len(_member(document, "y")) != size:
        raise UnusableKeyError("a coordinate has the wrong length")
    return _construct({"kty": "EC", "crv": curve, "x": document["x"], "y": document["y"]}, alg)


def _load_rsa(document: Mapping[str, object], alg: str) -> _Verifies:
    modulus, exponent = _member(document, "n"), _member(document, "e")
    if not 2048 <= int.from_bytes(modulus, "big").bit_length() <= MAX_RSA_BITS:
        raise UnusableKeyError("an RSA key has 2048 to 8192 bits")
    if len(exponent) > MAX_RSA_EXPONENT_LENGTH:
        raise UnusableKeyError("the exponent is too long")
    return _construct({"kty": "RSA", "n": document["n"], "e": document["e"]}, alg)


def _construct(material: object, alg: str) -> _Verifies:
    try:
        key: _Verifies = jwk.construct(material, alg)
    except Exception as problem:  # python-jose lets KeyError, TypeError and its backend's through
        raise UnusableKeyError(f"the key cannot be used: {type(problem).__name__}") from None
    return key
