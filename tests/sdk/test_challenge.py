"""`WWW-Authenticate` values that every parser reads alike."""

import pytest
from werkzeug.datastructures import WWWAuthenticate

from gatepost.challenge import api_key_challenge, basic_challenge, bearer_challenge


@pytest.mark.spec("RFC 6750 §3")
def test_a_bare_bearer_challenge_has_no_error() -> None:
    assert bearer_challenge("api") == 'Bearer realm="api"'


@pytest.mark.spec("RFC 6750 §3, RFC 9728 §5.1")
def test_a_full_bearer_challenge_names_everything_in_order() -> None:
    challenge = bearer_challenge(
        "api",
        error="insufficient_scope",
        error_description="More is needed.",
        scope=["orders:write", "orders:read"],
        resource_metadata="https://api.test/.well-known/oauth-protected-resource",
    )
    assert challenge == (
        'Bearer realm="api", error="insufficient_scope", error_description="More is needed.", '
        'scope="orders:read orders:write", '
        'resource_metadata="https://api.test/.well-known/oauth-protected-resource"'
    )


@pytest.mark.spec("RFC 7617 §2.1")
def test_the_basic_challenge_says_utf_8() -> None:
    assert basic_challenge("api") == 'Basic realm="api", charset="UTF-8"'


def test_the_api_key_challenge_has_a_realm() -> None:
    assert api_key_challenge("api") == 'ApiKey realm="api"'


@pytest.mark.spec("RFC 9110 §5.6.4")
@pytest.mark.parametrize(
    "realm", ["plain", 'with "quotes"', "back\\slash", "comma, semi; equals=", "", '\\"', " outer "]
)
def test_a_realm_is_read_back_as_it_was_given(realm: str) -> None:
    for challenge in (bearer_challenge(realm), basic_challenge(realm), api_key_challenge(realm)):
        parsed = WWWAuthenticate.from_header(challenge)
        assert parsed is not None
        assert parsed.parameters["realm"] == realm


@pytest.mark.parametrize("realm", ["line\nbreak", "carriage\rreturn", "nul\x00", "tab\t", "\x7f", "ümlaut"])
def test_a_realm_that_a_header_cannot_hold_is_refused(realm: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        bearer_challenge(realm)


@pytest.mark.spec("RFC 6749 §5.2")
@pytest.mark.parametrize("text", ['a "quote"', "back\\slash", "line\n", "ümlaut", ""])
def test_an_error_outside_the_character_set_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"error_description leaves"):
        bearer_challenge("api", error="invalid_token", error_description=text)
    with pytest.raises(ValueError, match=r"error leaves"):
        bearer_challenge("api", error=text)


@pytest.mark.parametrize("scope", [["a b"], [""], ['a"b'], ["a\nb"], ["ok", "ü"]])
def test_a_malformed_scope_is_refused(scope: list[str]) -> None:
    with pytest.raises(ValueError, match="scope"):
        bearer_challenge("api", scope=scope)


def test_metadata_that_a_header_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="ASCII"):
        bearer_challenge("api", resource_metadata="https://api.test/\r\nX-Evil: 1")
