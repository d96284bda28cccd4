"""Every forged or malformed token is refused, and each of them is one step away from a good one."""

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path

import pytest

from gatepost.jws import parse_jws, read_jws
from gatepost.refusals import TokenRefused
from gatepost.tokens import TokenReader
from tests.sdk import forge

VECTORS = Path(__file__).parent.parent / "vectors" / "jwt_forgeries.json"
CASES: list[dict] = json.loads(VECTORS.read_text())
READER = TokenReader(forge.ISSUER, forge.AUDIENCE)


def build(case: dict) -> str:
    header = json.dumps(forge.changed(forge.usual_header(), case.get("header", {})))
    claims = forge.changed(forge.usual_claims(), case.get("claims", {}))
    raw = case.get("claims_text", {})
    members = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in claims.items() if name not in raw]
    members += [f"{json.dumps(name)}: {text}" for name, text in raw.items()]
    payload = case.get("payload_text", "{" + ", ".join(members) + "}")
    return forge.compact(case.get("header_text", header).encode(), payload.encode(), case.get("signer", "es"))


@pytest.mark.spec("RFC 8725 §3")
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_forged_token_is_refused(case: dict) -> None:
    token = build(case)
    with pytest.raises(TokenRefused) as refused:
        READER.read(token, forge.issuer_keys(), now=forge.NOW)
    assert token not in str(refused.value)
    assert not any(part in refused.value.reason for part in token.split(".") if part)


def test_the_ids_of_the_forgeries_are_unique() -> None:
    ids = [case["id"] for case in CASES]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("kid", "alg"), [("es", "ES256"), ("rs", "RS256"), ("hs", "HS256")])
def test_the_token_that_the_forgeries_start_from_is_good(kid: str, alg: str) -> None:
    good = forge.token({"kid": kid, "alg": alg}, signer=kid)
    assert READER.read(good, forge.issuer_keys(), now=forge.NOW).kid == kid


def parts() -> tuple[str, str, str]:
    header, payload, signature = forge.token().split(".")
    return header, payload, signature


def flipped(text: str, position: int) -> str:
    other = "B" if text[position] == "A" else "A"
    return text[:position] + other + text[position + 1 :]


def dangling_bits(text: str) -> str:
    """The same bytes in another spelling: the last character carries bits that a lax decoder drops."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) | 1]


def in_the_standard_alphabet() -> str:
    """A genuine token whose signature has a `_`, spelt as `/`."""
    token = next(token for token in iter(forge.token, None) if "_" in token.rpartition(".")[2])
    head, _, signature = token.rpartition(".")
    return f"{head}.{signature.replace('_', '/')}"


def one_byte_less(signature: str) -> str:
    return forge.segment(urlsafe_b64decode(signature + "==")[:-1]).decode()


def deep(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


SHAPES: dict[str, Callable[[], str]] = {
    "JWT-08 two segments": lambda: ".".join(parts()[:2]),
    "JWT-08 no dot": lambda: "".join(parts()),
    "JWT-09 signature cut away": lambda: ".".join((*parts()[:2], "")),
    "JWT-09 empty header": lambda: ".".join(("", *parts()[1:])),
    "JWT-09 empty payload": lambda: ".".join((parts()[0], "", parts()[2])),
    "JWT-10 payload changed": lambda: ".".join(
        (parts()[0], forge.segment(json.dumps({**forge.usual_claims(), "sub": "root"}).encode()).decode(), parts()[2])
    ),
    "JWT-11 signature's first character": lambda: ".".join((*parts()[:2], flipped(parts()[2], 0))),
    "JWT-11 signature's middle character": lambda: ".".join((*parts()[:2], flipped(parts()[2], 40))),
    "JWT-12 signature shortened by one byte": lambda: ".".join((*parts()[:2], one_byte_less(parts()[2]))),
    "JWT-12 signature cut in half": lambda: ".".join((*parts()[:2], parts()[2][:43])),
    "JWT-12 signature of zeros": lambda: ".".join((*parts()[:2], forge.segment(b"\x00" * 64).decode())),
    "JWT-12 signature longer": lambda: ".".join((*parts()[:2], parts()[2] + "AAAA")),
    "JWT-27 JSON serialization": lambda: json.dumps(
        dict(zip(("protected", "payload", "signature"), parts(), strict=True))
    ),
    "JWT-28 five segments": lambda: ".".join((*parts(), "AAAA", "AAAA")),
    "JWT-28 four segments": lambda: ".".join((*parts(), "AAAA")),
    "JWT-31 header nested deep": lambda: forge.compact(deep(900), b"{}"),
    "JWT-31 payload nested deep": lambda: forge.compact(json.dumps(forge.usual_header()).encode(), deep(900)),
    "JWT-31 payload nested 20,000 deep": lambda: forge.compact(
        json.dumps(forge.usual_header()).encode(), b"[" * 20_000 + b"]" * 20_000
    ),
    "JWT-31 claim nested 16 deep": lambda: forge.token(claims={"deep": json.loads(deep(16))}),
    "JWT-33 blank inside the header": lambda: " ".join((parts()[0][:9], parts()[0][9:])) + "." + ".".join(parts()[1:]),
    "JWT-33 newline inside the payload": lambda: (
        parts()[0] + "." + parts()[1][:8] + "\n" + parts()[1][8:] + "." + parts()[2]
    ),
    "JWT-33 blank inside the signature": lambda: ".".join((*parts()[:2], parts()[2][:8] + " " + parts()[2][8:])),
    "JWT-33 leading blank": lambda: " " + forge.token(),
    "JWT-33 trailing newline": lambda: forge.token() + "\n",
    "JWT-33 padding": lambda: ".".join((*parts()[:2], parts()[2] + "==")),
    "JWT-33 another last character": lambda: ".".join((*parts()[:2], dangling_bits(parts()[2]))),
    "JWT-33 standard alphabet": in_the_standard_alphabet,
    "JWT-33 a character outside ASCII": lambda: forge.token() + "é",
    "JWT-33 half a character": lambda: forge.token() + "\ud800",
    "JWT-33 digits of another script": lambda: forge.token().replace("1", "\N{FULLWIDTH DIGIT ONE}"),
    "JWT-63 longer than 8 KiB": lambda: forge.token(claims={"note": "x" * 8192}),
    "JWT-63 header is not UTF-8": lambda: forge.compact(b'{"alg":"\xff"}', b"{}"),
    "JWT-63 header has a byte order mark": lambda: forge.compact(
        b"\xef\xbb\xbf" + json.dumps(forge.usual_header()).encode(), json.dumps(forge.usual_claims()).encode()
    ),
    "JWT-63 header is UTF-16": lambda: forge.compact(
        json.dumps(forge.usual_header()).encode("utf-16"), json.dumps(forge.usual_claims()).encode()
    ),
    "JWT-63 empty": lambda: "",
    "JWT-63 two dots": lambda: "..",
}


@pytest.mark.spec("RFC 7515 §7.1")
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_token_of_another_shape_is_refused_quickly(shape: Callable[[], str]) -> None:
    token = shape()
    begun = time.perf_counter()
    with pytest.raises(TokenRefused):
        READER.read(token, forge.issuer_keys(), now=forge.NOW)
    assert time.perf_counter() - begun < 1


def test_a_claim_nested_fifteen_deep_is_read() -> None:
    token = forge.token(claims={"deep": json.loads(deep(15))})
    assert READER.read(token, forge.issuer_keys(), now=forge.NOW).claims["deep"] == json.loads(deep(15))


def test_many_brackets_inside_a_string_are_not_depth() -> None:
    token = forge.token(claims={"note": "[{" * 40})
    assert READER.read(token, forge.issuer_keys(), now=forge.NOW).claims["note"] == "[{" * 40


def test_a_token_of_exactly_8_kib_is_read_and_one_character_more_is_not() -> None:
    fill = 8192 - len(forge.token(claims={"note": ""}))
    sized = [(len(t), t) for t in (forge.token(claims={"note": "x" * (fill * 3 // 4 + d)}) for d in range(-4, 5))]
    longest_good = max(entry for entry in sized if entry[0] <= 8192)
    shortest_bad = min(entry for entry in sized if entry[0] > 8192)
    assert READER.read(longest_good[1], forge.issuer_keys(), now=forge.NOW).subject == "alice"
    with pytest.raises(TokenRefused, match="8 KiB"):
        READER.read(shortest_bad[1], forge.issuer_keys(), now=forge.NOW)


def test_claims_are_not_parsed_before_the_signature_is_good() -> None:
    signing_input = forge.segment(json.dumps(forge.usual_header()).encode()) + b"." + forge.segment(b"not JSON")
    forged = (signing_input + b"." + forge.segment(b"\x01" * 64)).decode()
    with pytest.raises(TokenRefused, match="bad signature"):
        READER.read(forged, forge.issuer_keys(), now=forge.NOW)


@pytest.mark.spec("RFC 7515 §4.1.9")
@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"])
def test_the_type_is_compared_without_case_and_prefix(typ: str) -> None:
    assert READER.read(forge.token({"typ": typ}), forge.issuer_keys(), now=forge.NOW).jti == "token-1"


def test_another_token_type_is_read_when_it_is_asked_for() -> None:
    logout = forge.token({"typ": "logout+jwt"})
    header, claims = read_jws(logout, forge.issuer_keys(), typ="logout+jwt")
    assert header["typ"] == "logout+jwt"
    assert claims["sub"] == "alice"
    with pytest.raises(TokenRefused, match="type"):
        read_jws(logout, forge.issuer_keys(), typ="at+jwt")


def test_a_missing_type_is_read_only_where_it_is_optional() -> None:
    untyped = forge.token({"typ": forge.ABSENT})
    assert read_jws(untyped, forge.issuer_keys(), typ="JWT", typ_optional=True)[1]["sub"] == "alice"
    with pytest.raises(TokenRefused, match="type"):
        read_jws(untyped, forge.issuer_keys(), typ="JWT")
    with pytest.raises(TokenRefused, match="type"):
        read_jws(forge.token({"typ": "at+jwt"}), forge.issuer_keys(), typ="JWT", typ_optional=True)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_an_empty_segment_is_no_segment_even_before_any_key_is_chosen(missing: int) -> None:
    segments = list(parts())
    segments[missing] = ""
    with pytest.raises(TokenRefused, match="malformed"):
        parse_jws(".".join(segments))


@pytest.mark.spec("RFC 7515 §4.1.11")
@pytest.mark.parametrize("member", ["crit", "b64", "jku", "x5u", "x5c"])
def test_a_header_member_that_steers_verification_is_refused_before_any_key_is_chosen(member: str) -> None:
    with pytest.raises(TokenRefused, match="not allowed"):
        parse_jws(forge.token({member: None}))
