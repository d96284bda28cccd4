"""Signing: making keys and compact JWS. With the kit's reading shell the only import of jose.

Key objects are built once: python-jose parses a PEM text on each call otherwise, 31 ms for RSA.
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwk
from jose.backends.base import Key
from jose.exceptions import JWKError
from pydantic_core import to_json

from gatepost.encoding import encode_segment
from gatepost.keys import KeySet, UnusableKeyError, VerificationKey
from service.crypto.sealing import Sealer, Unsealable
from service.keys.signing_key import SigningKey

ALGORITHMS = ("ES256", "RS256", "HS256")
_RSA_BITS = 2048
_COORDINATE = 32  # bytes of r, and of s


class JoseForge:
    """Makes ES256, RS256 and HS256 keys, seals their private parts, and prepares them for use."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def make(self, algorithm: str, *, now: datetime) -> SigningKey:
        """A new key. `kid` is the RFC 7638 thumbprint of a public key, random for a symmetric one."""
        if algorithm == "HS256":
            private, public, kid = secrets.token_bytes(32), {}, secrets.token_urlsafe(32)
        else:
            private = _private_pem(algorithm)
            public = _public_jwk(jwk.construct(private.decode(), algorithm))
            kid = _thumbprint(public)
            public = {**public, "kid": kid, "alg": algorithm, "use": "sig"}
        return SigningKey(
            kid=kid,
            algorithm=algorithm,
            public_jwk=public,
            sealed=self._sealer.seal(private, place=_place(kid)),
            created_at=now,
            signs_from=now,
        )

    def signing(self, key: SigningKey) -> "JoseSigner":
        """Raises `ValueError` when the private part cannot be opened under the configured secrets."""
        try:
            private = self._sealer.open(key.sealed, place=_place(key.kid))
            material = private if key.algorithm == "HS256" else private.decode()
            return JoseSigner(key.kid, key.algorithm, jwk.construct(material, key.algorithm))
        except (Unsealable, JWKError) as problem:
            raise ValueError(f"signing key {key.kid}: {problem}") from None

    def verifying(self, keys: Sequence[SigningKey]) -> KeySet:
        """Keys that cannot be opened or read are left out: their tokens are refused as unknown."""
        return KeySet(found for key in keys if (found := self._verifying(key)) is not None)

    def _verifying(self, key: SigningKey) -> VerificationKey | None:
        try:
            if key.algorithm != "HS256":
                return VerificationKey.from_jwk(key.public_jwk)
            return VerificationKey.symmetric(key.kid, self._sealer.open(key.sealed, place=_place(key.kid)))
        except (Unsealable, UnusableKeyError):
            return None


class JoseSigner:
    """One private key, ready to sign."""

    def __init__(self, kid: str, algorithm: str, key: Key) -> None:
        self._sign = _es256(key.prepared_key) if algorithm == "ES256" else key.sign
        self._kid = kid
        self._algorithm = algorithm
        self._headers: dict[str, bytes] = {}

    def sign(self, claims: Mapping[str, object], *, typ: str) -> str:
        """A compact JWS over the claims (RFC 7515 §7.1), `typ` in its header (RFC 8725 §3.11)."""
        return self.sign_payload(encode_segment(to_json(claims)), typ=typ)

    def sign_payload(self, payload: bytes, *, typ: str) -> str:
        """The same over claims that are base64url already."""
        header = self._headers.get(typ)
        if header is None:
            known = {"alg": self._algorithm, "kid": self._kid, "typ": typ}
            header = self._headers[typ] = encode_segment(to_json(known)) + b"."
        signed = header + payload
        return (signed + b"." + encode_segment(self._sign(signed))).decode()


def _es256(key: ec.EllipticCurvePrivateKey) -> Callable[[bytes], bytes]:
    """Signatures as RFC 7518 §3.4 has them."""
    algorithm = ec.ECDSA(Prehashed(hashes.SHA256()))

    def sign(signed: bytes) -> bytes:
        return fixed_length(key.sign(sha256(signed).digest(), algorithm))

    return sign


def fixed_length(der: bytes) -> bytes:
    """An ECDSA signature over P-256 as r and s of 32 bytes each, out of DER as OpenSSL makes it: two INTEGERs in a
    SEQUENCE, none of them long. To go by numbers, as jose does, costs ten times as much."""
    end = 4 + der[3]
    return _coordinate(der[4:end]) + _coordinate(der[end + 2 :])


def _coordinate(integer: bytes) -> bytes:
    """In its full length: an INTEGER has no zeros in front but one where the number would be negative."""
    return integer[-_COORDINATE:].rjust(_COORDINATE, b"\0")


def _private_pem(algorithm: str) -> bytes:
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if algorithm == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    elif algorithm == "RS256":
        private = rsa.generate_private_key(65537, _RSA_BITS)
    else:
        raise ValueError(f"no such signing algorithm: {algorithm}")
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public_jwk(key: Key) -> dict[str, str]:
    found = key.public_key().to_dict()
    return {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in found.items()
        if name in {"kty", "crv", "x", "y", "n", "e"}
    }


def _thumbprint(public: Mapping[str, str]) -> str:
    canonical = json.dumps(dict(sorted(public.items())), separators=(",", ":")).encode()
    return encode_segment(sha256(canonical).digest()).decode()


def _place(kid: str) -> str:
    return f"signing_keys/{kid}/sealed"
