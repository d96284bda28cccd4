"""Two other libraries judge ours: on thousands of altered tokens, nothing is accepted here that either refuses."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import joserfc.jwt
import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from gatepost.jws import MAX_TOKEN_LENGTH
from gatepost.refusals import TokenRefused
from gatepost.tokens import TokenReader
from tests.sdk import forge

LEEWAY = timedelta(seconds=10)
READER = TokenReader(forge.ISSUER, forge.AUDIENCE, LEEWAY)
REQUIRED = ["iss", "aud", "exp", "iat", "sub", "jti"]
ALGORITHMS = {"es": "ES256", "rs": "RS256", "hs": "HS256"}
BEGUN = int(datetime.now(UTC).timestamp())


def pem(kid: str) -> bytes:
    private = forge.ec_key("issuer") if kid == "es" else forge.rsa_key("issuer")
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


PYJWT_KEYS = {"es": pem("es"), "rs": pem("rs"), "hs": forge.SECRET}
JOSERFC_KEYS = {
    "es": ECKey.import_key(pem("es")),
    "rs": RSAKey.import_key(pem("rs")),
    "hs": OctKey.import_key(forge.SECRET),
}
# Its defaults refuse header members that no RFC defines, which RFC 7515 §4 says to ignore, and headers over 512 bytes.
JOSERFC_REGISTRY = JWSRegistry(algorithms=list(ALGORITHMS.values()), strict_check_header=False)
JOSERFC_REGISTRY.max_header_length = MAX_TOKEN_LENGTH


def ours(token: str) -> Mapping[str, object] | None:
    try:
        return READER.read(token, forge.issuer_keys(), now=datetime.now(UTC)).claims
    except TokenRefused:
        return None


def pyjwt_takes(token: str) -> Mapping[str, object]:
    kid = pyjwt.get_unverified_header(token)["kid"]
    return pyjwt.decode(
        token,
        PYJWT_KEYS[kid],
        algorithms=[ALGORITHMS[kid]],
        audience=forge.AUDIENCE,
        issuer=forge.ISSUER,
        leeway=LEEWAY,
        options={"require": REQUIRED},
    )


def joserfc_takes(token: str) -> Mapping[str, object]:
    kid = pyjwt.get_unverified_header(token)["kid"]
    read = joserfc.jwt.decode(token, JOSERFC_KEYS[kid], algorithms=[ALGORITHMS[kid]], registry=JOSERFC_REGISTRY)
    registry = joserfc.jwt.JWTClaimsRegistry(
        leeway=10,
        iss={"essential": True, "value": forge.ISSUER},
        aud={"essential": True, "value": forge.AUDIENCE},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
        jti={"essential": True},
    )
    registry.validate(read.claims)
    return read.claims


def judged(token: str) -> bool:
    """Whether we take the token. When we do, both judges must too, and read the same claims."""
    claims = ours(token)
    if claims is None:
        return False
    assert pyjwt_takes(token) == claims
    assert joserfc_takes(token) == claims
    return True


def good(kid: str, header: Mapping[str, object] = {}, claims: Mapping[str, object] = {}) -> str:
    usual = forge.usual_claims(BEGUN) | {"exp": BEGUN + 3600}
    return forge.compact(
        json.dumps(forge.changed(forge.usual_header(kid, ALGORITHMS[kid]), header)).encode(),
        json.dumps(forge.changed(usual, claims)).encode(),
        kid,
    )


KIDS = st.sampled_from(sorted(ALGORITHMS))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(BEGUN - 100, BEGUN + 4000)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["ES256", "RS256", "HS256", "none", "at+jwt", "JWT", "es", "rs", "hs", forge.ISSUER, forge.AUDIENCE]
    )
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=5), SCALARS, max_size=3)
KNOWN_HEADER = ["alg", "kid", "typ", "cty", "crit", "b64", "jku", "jwk", "x5c", "x5t", "x5t#S256", "zip"]
HEADER_NAMES = st.sampled_from(KNOWN_HEADER) | st.text(max_size=8)
KNOWN_CLAIMS = [*REQUIRED, "client_id", "nbf", "scope", "sid", "epoch", "amr"]
CLAIM_NAMES = st.sampled_from(KNOWN_CLAIMS) | st.text(max_size=8)


@pytest.mark.parametrize("kid", ALGORITHMS)
def test_all_three_take_the_token_that_the_others_are_made_of(kid: str) -> None:
    assert judged(good(kid))


@settings(max_examples=300, deadline=None)
@given(kid=KIDS, data=st.data())
def test_a_token_with_one_changed_bit_is_never_taken(kid: str, data: st.DataObject) -> None:
    raw = bytearray(good(kid).encode())
    place = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[place // 8] ^= 1 << (place % 8)
    assert not judged(raw.decode("latin-1"))


@settings(max_examples=300, deadline=None)
@given(kid=KIDS, data=st.data())
def test_an_edited_string_is_never_taken(kid: str, data: st.DataObject) -> None:
    token = good(kid)
    start = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(start, min(len(token), start + 10)))
    put = data.draw(st.text(max_size=4) | st.text("ABab01-_=.+/ \n", max_size=4))
    edited = token[:start] + put + token[end:]
    assert judged(edited) == (edited == token)


@settings(max_examples=200, deadline=None)
@given(first=KIDS, second=KIDS, order=st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_segments_of_two_tokens_are_never_taken_as_a_third(first: str, second: str, order: list[int]) -> None:
    tokens = [good(first), good(second, claims={"sub": "bob"})]
    segments = [part for token in tokens for part in token.split(".")]
    mixed = ".".join(segments[place] for place in order)
    assert judged(mixed) == (mixed in tokens)


@settings(max_examples=400, deadline=None)
@given(kid=KIDS, header=st.dictionaries(HEADER_NAMES, VALUES, max_size=2))
def test_a_resigned_header_is_taken_only_when_the_judges_take_it(kid: str, header: dict[str, object]) -> None:
    judged(good(kid, header=header))


@settings(max_examples=400, deadline=None)
@given(kid=KIDS, claims=st.dictionaries(CLAIM_NAMES, VALUES, max_size=2))
def test_resigned_claims_are_taken_only_when_the_judges_take_them(kid: str, claims: dict[str, object]) -> None:
    judged(good(kid, claims=claims))


@settings(max_examples=200, deadline=None)
@given(kid=KIDS, dropped=st.sampled_from([*REQUIRED, "client_id"]))
def test_a_token_without_a_required_claim_is_never_taken(kid: str, dropped: str) -> None:
    assert not judged(good(kid, claims={dropped: forge.ABSENT}))


@settings(max_examples=200, deadline=None)
@given(token=st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}"))
def test_any_text_at_all_is_refused_and_never_an_error(token: str) -> None:
    assert ours(token) is None


@settings(max_examples=300, deadline=None)
@given(payload=st.binary(max_size=80))
def test_any_signed_bytes_at_all_are_refused_and_never_an_error(payload: bytes) -> None:
    assert ours(forge.compact(json.dumps(forge.usual_header()).encode(), payload)) is None


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({"cty": "x"}, {}),
        ({"x5t": "abc"}, {}),
        ({}, {"aud": [forge.AUDIENCE, "https://other.test"]}),
        ({}, {"nbf": BEGUN - 5}),
        ({}, {"iat": BEGUN + 5}),
        ({}, {"scope": ""}),
        ({}, {"weight": 1.5, "address": {"city": "Ålesund"}}),
    ],
)
def test_harmless_additions_are_taken_by_all_three(header: dict, claims: dict) -> None:
    assert judged(good("es", header, claims))
