"""A forger with the issuer's real keys, and strangers' keys: any header, any payload, any signature."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jose import jwk

from gatepost.keys import KeySet, VerificationKey

ISSUER = "https://issuer.test"
AUDIENCE = "https://api.test"
NOW = datetime(2027, 1, 15, 8, 0, 0, tzinfo=UTC)
NOW_NUMBER = 1_800_000_000
ABSENT = "(absent)"
SECRET = b"a shared secret of more than thirty-two bytes"


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    """One P-256 key per name, for the whole run."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """One RSA-2048 key per name, for the whole run."""
    return rsa.generate_private_key(65537, 2048)


@cache
def _signers() -> dict[str, object]:
    return {
        "es": jwk.construct(ec_key("issuer"), "ES256"),
        "rs": jwk.construct(rsa_key("issuer"), "RS256"),
        "stranger-ec": jwk.construct(ec_key("stranger"), "ES256"),
        "stranger-rsa": jwk.construct(rsa_key("stranger"), "RS256"),
    }


def public_jwk(name: str) -> dict[str, object]:
    """The public JWK of the issuer's `es` or `rs` key."""
    return {**_signers()[name].public_key().to_dict(), "kid": name, "use": "sig"}


@cache
def issuer_keys() -> KeySet:
    """What the issuer publishes, and its own HS256 key beside it: the hardest set to tell apart."""
    published = KeySet.from_jwks({"keys": [public_jwk("es"), public_jwk("rs")]})
    return KeySet([*published, VerificationKey.symmetric("hs", SECRET)])


def segment(raw: bytes) -> bytes:
    """Unpadded base64url, by the standard library alone."""
    return urlsafe_b64encode(raw).rstrip(b"=")


def sign(signing_input: bytes, signer: str) -> bytes:
    """A signature by the named signer."""
    kind, _, secret = signer.partition(":")
    if kind == "nobody":
        return b""
    if kind == "secret":
        return hmac.digest(secret.encode(), signing_input, hashlib.sha256)
    if kind == "hs":
        return hmac.digest(SECRET, signing_input, hashlib.sha256)
    if kind == "public-key":
        key = ec_key("issuer").public_key()
        return hmac.digest(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), signing_input, "sha256")
    if kind == "public-key-rsa":
        public = rsa_key("issuer").public_key()
        return hmac.digest(
            public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), signing_input, "sha256"
        )
    return _signers()[kind].sign(signing_input)


def compact(header: bytes, payload: bytes, signer: str = "es") -> str:
    """A compact JWS over exactly these bytes."""
    signing_input = segment(header) + b"." + segment(payload)
    return (signing_input + b"." + segment(sign(signing_input, signer))).decode("ascii")


def usual_claims(now: int = NOW_NUMBER) -> dict[str, object]:
    """The claims of a good access token, issued ten seconds ago for five minutes."""
    return {
        "iss": ISSUER,
        "sub": "alice",
        "aud": AUDIENCE,
        "exp": now + 300,
        "iat": now - 10,
        "jti": "token-1",
        "client_id": "web",
        "scope": "orders:read orders:write",
    }


def usual_header(kid: str = "es", alg: str = "ES256") -> dict[str, object]:
    """The header of a good access token."""
    return {"typ": "at+jwt", "alg": alg, "kid": kid}


def changed(members: dict[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """The members with the changes made; `ABSENT` takes one away."""
    return {name: value for name, value in {**members, **changes}.items() if value != ABSENT}


def token(header: Mapping[str, object] = {}, claims: Mapping[str, object] = {}, signer: str = "es") -> str:
    """A good token with changes to its header and claims."""
    return compact(
        json.dumps(changed(usual_header(), header)).encode(),
        json.dumps(changed(usual_claims(), claims)).encode(),
        signer,
    )
