"""Which keys may verify a signature, and that all others are passed over without a word about their secrets."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jose import jwk

from gatepost.keys import KeySet, UnusableKeyError, VerificationKey
from tests.sdk import forge

EC = forge.public_jwk("es")
RSA = forge.public_jwk("rs")


def small_rsa() -> dict:
    key = rsa.generate_private_key(65537, 1024)
    return {**jwk.construct(key, "RS256").public_key().to_dict(), "kid": "small"}


UNUSABLE = {
    "no kid": {**EC, "kid": None},
    "empty kid": {**EC, "kid": ""},
    "kid is a number": {**EC, "kid": 7},
    "no alg": {name: value for name, value in EC.items() if name != "alg"},
    "alg is a list": {**EC, "alg": ["ES256"]},
    "alg of another curve": {**EC, "alg": "ES384"},
    "alg of another type": {**EC, "alg": "RS256"},
    "alg none": {**EC, "alg": "none"},
    "HS256 on an EC key": {**EC, "alg": "HS256"},
    "use enc": {**EC, "use": "enc"},
    "use null": {**EC, "use": None},
    "key_ops encrypt": {**EC, "key_ops": ["encrypt"]},
    "key_ops is a string": {**EC, "key_ops": "verify"},
    "key_ops is a number": {**EC, "key_ops": 7},
    "key_ops holds no strings": {**EC, "key_ops": [[], {}, None]},
    "curve secp256k1": {**EC, "crv": "secp256k1"},
    "curve P-384 under ES256": {**EC, "crv": "P-384"},
    "no y": {name: value for name, value in EC.items() if name != "y"},
    "x is a number": {**EC, "x": 7},
    "x is short": {**EC, "x": "AAAA"},
    "x is padded": {**EC, "x": f"{EC['x']}="},
    "x is not ASCII": {**EC, "x": "é" * 43},
    "a point that is not on the curve": {**EC, "y": EC["x"]},
    "RSA of 1024 bits": small_rsa(),
    "RSA modulus with leading zeros only": {**RSA, "n": "AAAA" * 100},
    "RSA of 9000 bits": {**RSA, "n": "_" * 1500},
    "RSA without e": {name: value for name, value in RSA.items() if name != "e"},
    "RSA e of 1": {**RSA, "e": "AQ"},
    "RSA e even": {**RSA, "e": "Ag"},
    "RSA e of 9 bytes": {**RSA, "e": "AQAAAAAAAAAB"},
    "RSA-PSS": {**RSA, "alg": "PS256"},
    "oct": {"kty": "oct", "kid": "o", "alg": "HS256", "k": "A" * 64},
    "OKP": {"kty": "OKP", "kid": "o", "alg": "EdDSA", "crv": "Ed25519", "x": "A" * 43},
    "an unknown type": {"kty": "AKP", "kid": "a", "alg": "ML-DSA-44", "pub": "AAAA"},
    "nothing": {},
}


@pytest.mark.spec("RFC 7517 §4, RFC 8725 §3.1")
@pytest.mark.parametrize("document", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_key_that_must_not_verify_is_refused(document: dict) -> None:
    with pytest.raises(UnusableKeyError):
        VerificationKey.from_jwk(document)


@pytest.mark.parametrize(
    ("curve", "alg"), [(ec.SECP256R1(), "ES256"), (ec.SECP384R1(), "ES384"), (ec.SECP521R1(), "ES512")]
)
def test_each_curve_verifies_with_its_own_algorithm(curve: ec.EllipticCurve, alg: str) -> None:
    private = jwk.construct(ec.generate_private_key(curve), alg)
    key = VerificationKey.from_jwk({**private.public_key().to_dict(), "kid": "k"})
    assert (key.kid, key.alg) == ("k", alg)
    assert key.verify(b"signed", private.sign(b"signed"))
    assert not key.verify(b"other", private.sign(b"signed"))


@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512"])
def test_one_rsa_key_verifies_only_with_the_algorithm_that_it_names(alg: str) -> None:
    key = VerificationKey.from_jwk({**RSA, "alg": alg})
    signatures = {name: jwk.construct(forge.rsa_key("issuer"), name).sign(b"x") for name in ("RS256", "RS384", "RS512")}
    assert [name for name, signature in signatures.items() if key.verify(b"x", signature)] == [alg]


def test_private_members_are_left_behind() -> None:
    private = jwk.construct(forge.ec_key("issuer"), "ES256")
    document = {**private.to_dict(), "kid": "k"}
    key = VerificationKey.from_jwk(document)
    assert document["d"] not in repr(key)
    assert "d" not in key.key.to_dict()  # type: ignore[attr-defined]  # python-jose's key, looked at on purpose
    assert key.verify(b"signed", private.sign(b"signed"))


@pytest.mark.spec("RFC 7518 §3.2")
@pytest.mark.parametrize(("length", "good"), [(0, False), (31, False), (32, True), (33, True)])
def test_a_shared_secret_has_at_least_32_bytes(length: int, good: bool) -> None:
    if good:
        assert VerificationKey.symmetric("s", b"x" * length).alg == "HS256"
    else:
        with pytest.raises(UnusableKeyError, match="32 bytes"):
            VerificationKey.symmetric("s", b"x" * length)


def test_a_shared_secret_never_shows_in_repr_or_refusals() -> None:
    assert "hunter2" not in repr(VerificationKey.symmetric("s", b"hunter2" * 5))
    pem = b"-----BEGIN PUBLIC KEY-----\nhunter2hunter2hunter2\n-----END PUBLIC KEY-----\n"
    with pytest.raises(UnusableKeyError) as refused:
        VerificationKey.symmetric("s", pem)
    assert "hunter2" not in str(refused.value)


def test_a_shared_secret_needs_a_kid() -> None:
    with pytest.raises(UnusableKeyError, match="kid"):
        VerificationKey.symmetric("", b"x" * 32)


def test_a_mixed_set_gives_up_only_what_cannot_be_used() -> None:
    keys = KeySet.from_jwks({"keys": [*UNUSABLE.values(), "text", None, 7, [], EC, RSA]})
    assert [key.kid for key in keys] == ["es", "rs"]
    assert len(keys) == 2
    assert keys.find("o") is None


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": None}, {"keys": {"0": EC}}])
def test_what_is_not_a_key_set_is_refused(document: object) -> None:
    with pytest.raises(UnusableKeyError, match="JWK Set"):
        KeySet.from_jwks(document)


def test_an_encryption_key_does_not_hide_a_signing_key_of_the_same_kid() -> None:
    keys = KeySet.from_jwks({"keys": [{**RSA, "kid": "es", "use": "enc"}, EC]})
    assert keys.find("es").alg == "ES256"


def test_the_first_of_two_keys_with_one_kid_counts() -> None:
    keys = KeySet.from_jwks({"keys": [EC, {**RSA, "kid": "es"}]})
    assert keys.find("es").alg == "ES256"
    assert len(keys) == 1


def test_a_kid_is_compared_exactly() -> None:
    assert forge.issuer_keys().find("ES") is None
    assert forge.issuer_keys().find("es").kid == "es"
