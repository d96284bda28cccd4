"""Keys and signatures, judged by two other libraries."""

from datetime import UTC, datetime
from secrets import token_bytes

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jwk
from joserfc import jwt as other_jwt

from gatepost.jws import parse_jws
from gatepost.keys import KeySet
from service.crypto.jose import ALGORITHMS, JoseForge, fixed_length
from service.crypto.sealing import Sealer
from service.crypto.secret import RootSecret

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = RootSecret(token_bytes(32))
FORGE = JoseForge(Sealer([SECRET]))
CLAIMS = {"sub": "alice", "name": "Zoë 密", "n": 1}


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_another_library_reads_what_we_sign_with_the_key_that_we_publish(algorithm: str) -> None:
    key = FORGE.make(algorithm, now=NOW)
    token = FORGE.signing(key).sign(CLAIMS, typ="at+jwt")
    read = jwt.decode_complete(token, jwt.PyJWK(dict(key.public_jwk)), algorithms=[algorithm])
    assert read["payload"] == CLAIMS
    assert read["header"] == {"alg": algorithm, "kid": key.kid, "typ": "at+jwt"}
    judged = other_jwt.decode(token, jwk.import_key(dict(key.public_jwk)), algorithms=[algorithm])
    assert judged.claims == CLAIMS


def test_a_symmetric_key_signs_and_publishes_nothing() -> None:
    key = FORGE.make("HS256", now=NOW)
    token = FORGE.signing(key).sign(CLAIMS, typ="at+jwt")
    assert key.public_jwk == {}
    [shared] = FORGE.verifying([key])
    parsed = parse_jws(token)
    assert shared.verify(parsed.signing_input, parsed.signature)
    secret = Sealer([SECRET]).open(key.sealed, place=f"signing_keys/{key.kid}/sealed")
    assert len(secret) == 32
    assert jwt.decode(token, secret, algorithms=["HS256"]) == CLAIMS


@pytest.mark.spec("RFC 7518 §3.4")
@pytest.mark.parametrize("r", [1, 2**128, 2**248 - 1, 2**255 - 1, 2**255, 2**256 - 1])
@pytest.mark.parametrize("s", [1, 2**247, 2**255 - 1, 2**255])
def test_a_signature_has_one_length_however_short_its_numbers_are(r: int, s: int) -> None:
    assert fixed_length(encode_dss_signature(r, s)) == r.to_bytes(32) + s.to_bytes(32)


def test_no_signature_is_spoilt_on_its_way_out_of_der() -> None:
    key = FORGE.make("ES256", now=NOW)
    signer, public = FORGE.signing(key), jwt.PyJWK(dict(key.public_jwk))
    for number in range(600):  # of r and s one in 256 begins with a zero byte, every other one gets one in front
        assert jwt.decode(signer.sign({"n": number}, typ="at+jwt"), public, algorithms=["ES256"]) == {"n": number}


@pytest.mark.spec("RFC 7638 §3.1")
@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_the_kid_of_a_public_key_is_its_thumbprint(algorithm: str) -> None:
    for _ in range(3 if algorithm == "RS256" else 60):  # some coordinates begin with a zero byte
        key = FORGE.make(algorithm, now=NOW)
        assert jwk.import_key(dict(key.public_jwk)).thumbprint() == key.kid
        assert len(KeySet.from_jwks({"keys": [key.public_jwk]})) == 1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_nothing_private_is_in_clear(algorithm: str) -> None:
    key = FORGE.make(algorithm, now=NOW)
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & key.public_jwk.keys()
    assert b"PRIVATE" not in key.sealed
    assert "sealed" not in repr(key)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_sealed_under_another_secret_neither_signs_nor_lets_a_token_of_its_own_be_forged(algorithm: str) -> None:
    key = FORGE.make(algorithm, now=NOW)
    stranger = JoseForge(Sealer([RootSecret(token_bytes(32))]))
    with pytest.raises(ValueError, match=key.kid):
        stranger.signing(key)
    assert len(stranger.verifying([key])) == (0 if algorithm == "HS256" else 1)
    heir = JoseForge(Sealer([RootSecret(token_bytes(32)), SECRET]))
    assert heir.signing(key).sign(CLAIMS, typ="at+jwt")
    assert len(heir.verifying([key])) == 1


@pytest.mark.parametrize("algorithm", ["none", "HS384", "RS512", "EdDSA", "", "es256"])
def test_no_other_algorithm_is_made(algorithm: str) -> None:
    with pytest.raises(ValueError, match="no such signing algorithm"):
        FORGE.make(algorithm, now=NOW)
