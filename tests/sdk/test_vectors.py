"""The examples that the RFCs print are read and verified as they stand."""

import json
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest

from gatepost.encoding import parse_json_object
from gatepost.jws import parse_jws
from gatepost.keys import VerificationKey

VECTORS = Path(__file__).parent.parent / "vectors" / "jws_rfc.json"
EXAMPLES: list[dict] = json.loads(VECTORS.read_text())


def load(key: dict) -> VerificationKey:
    if key["kty"] == "oct":
        return VerificationKey.symmetric("example", urlsafe_b64decode(key["k"] + "=="))
    return VerificationKey.from_jwk({**key, "kid": "example"})


@pytest.mark.spec("RFC 7515 §A, RFC 7520 §4")
@pytest.mark.parametrize("example", EXAMPLES, ids=[example["section"] for example in EXAMPLES])
def test_a_published_example_is_verified(example: dict) -> None:
    key, parsed = load(example["key"]), parse_jws(example["token"])
    assert parsed.header["alg"] == key.alg
    assert key.verify(parsed.signing_input, parsed.signature)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["section"] for example in EXAMPLES])
def test_a_published_example_with_one_changed_bit_is_not(example: dict) -> None:
    key, parsed = load(example["key"]), parse_jws(example["token"])
    changed = bytes([parsed.signature[0] ^ 1]) + parsed.signature[1:]
    assert not key.verify(parsed.signing_input, changed)
    assert not key.verify(parsed.signing_input + b"A", parsed.signature)


@pytest.mark.spec("RFC 7515 §A.1.1")
def test_the_claims_of_the_first_example_are_read_with_their_line_breaks() -> None:
    assert parse_json_object(parse_jws(EXAMPLES[0]["token"]).payload) == {
        "iss": "joe",
        "exp": 1300819380,
        "http://example.com/is_root": True,
    }
