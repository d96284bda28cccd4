"""What a client may be registered for, and which redirect URIs are its own."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clients.metadata import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    GRANT_TYPES,
    REFRESH_TOKEN,
    ClientMetadata,
    checked_metadata,
)
from service.clients.uris import MAX_URI, checked_link, checked_redirect_uri, checked_resource, is_same_redirect
from service.protocol.errors import Invalid

SECOND = timedelta(seconds=1)
CALLBACK = "https://app.example/cb"
GOOD_REDIRECTS = [
    CALLBACK,
    "https://app.example",
    "https://app.example:8443/cb?to=1&x=%20",
    "https://[2001:db8::1]/cb",
    "https://app.example/" + "a" * (MAX_URI - 20),
    "http://127.0.0.1/cb",
    "http://127.0.0.1:3000/cb",
    "http://[::1]:3000/cb",
    "http://localhost:3000/cb",
    "com.example.app:/oauth2redirect",
    "com.example.app://callback",
]
BAD_LINKS = [
    "",
    "/cb",
    "app.example/cb",
    "https:",
    "https://",
    "https:///cb",
    "https:app.example",
    "http://app.example/cb",
    "http://127.0.0.1.evil.example/cb",
    "http://127.0.0.2/cb",
    "http://localhost.evil.example/cb",
    "https://user@app.example/cb",
    "https://user:pw@app.example/cb",
    "https://app.example@evil.example/cb",
    "https://app.example:0/cb",
    "https://app.example:65536/cb",
    "https://app.example:port/cb",
    "https://[::1/cb",
    "https://*.app.example/cb",
    "https://app.example/*",
    "https://app.example/a b",
    "https://app.example/\r\nLocation: x",
    "https://app.example/\0",
    "https://app.example\\@evil.example/cb",
    "https://äpp.example/cb",
    "https://app.example/ä",
    "HTTPS://app.example/cb",
    'https://app.example/"><script>',
    "https://app.example/" + "a" * (MAX_URI - 19),
    "javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "ftp://app.example/",
    "myapp:/cb",
]


@pytest.mark.spec("RFC 8252 §7")
@pytest.mark.parametrize("uri", GOOD_REDIRECTS)
def test_a_browser_may_be_sent_to_https_to_this_machine_and_to_an_app(uri: str) -> None:
    assert checked_redirect_uri("redirect_uris", uri) == uri
    assert ClientMetadata(redirect_uris=(uri,)).redirect_matches(uri)


@pytest.mark.spec("DCR-02")
@pytest.mark.parametrize(
    "uri", [*BAD_LINKS, CALLBACK + "#", CALLBACK + "#part", "com.example.app:", "com.example:/a#b"]
)
def test_no_other_redirect_uri_can_be_registered(uri: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_redirect_uri("redirect_uris", uri)
    assert refused.value.field == "redirect_uris"


@pytest.mark.parametrize("uri", [*BAD_LINKS, "com.example.app:/page"])
def test_a_link_is_a_page_of_the_web(uri: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_link("logo_uri", uri)
    assert refused.value.field == "logo_uri"
    assert checked_link("logo_uri", CALLBACK + "#part") == CALLBACK + "#part"


@pytest.mark.spec("RFC 8707 §2")
def test_a_resource_is_an_absolute_uri_without_a_fragment() -> None:
    for uri in ("https://api.example/", "urn:example:billing", "api:billing"):
        assert checked_resource("resources", uri) == uri
    for uri in ("", "billing", "/billing", "https://api.example/#a", "https://api.example/ä", "urn:a b", "1a:b"):
        with pytest.raises(Invalid):
            checked_resource("resources", uri)


@pytest.mark.spec("RU-01")
@pytest.mark.spec("RU-14")
@pytest.mark.spec("RU-25")
@pytest.mark.spec("RU-43")
@pytest.mark.parametrize(
    "asked",
    [
        "",
        "https://app.example/cb/",
        "https://app.example/cb?",
        "https://app.example/cb?x=1",
        "https://app.example/cb#",
        "https://app.example/CB",
        "https://APP.example/cb",
        "HTTPS://app.example/cb",
        "https://app.example:443/cb",
        "https://app.example./cb",
        "https://a.app.example/cb",
        "https://app.example.evil.example/cb",
        "https://app.example@evil.example/cb",
        "https://user@app.example/cb",
        "https://evil.example\\@app.example/cb",
        "https://app.example/./cb",
        "https://app.example/x/../cb",
        "https://app.example/%63b",
        "https://app.example/cb;x",
        "https:app.example/cb",
        "http://app.example/cb",
        " https://app.example/cb",
        "https://app.example/cb\n",
    ],
)
def test_a_redirect_uri_is_compared_character_by_character(asked: str) -> None:
    assert not ClientMetadata(redirect_uris=("https://other.example/", CALLBACK)).redirect_matches(asked)


@pytest.mark.spec("RFC 8252 §7.3")
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_the_port_of_a_loopback_address_is_free_and_nothing_else(host: str) -> None:
    metadata = ClientMetadata(redirect_uris=(f"http://{host}:3000/cb?a=1",))
    for free in ("", ":1", ":3000", ":65535"):
        assert metadata.redirect_matches(f"http://{host}{free}/cb?a=1")
    for other in (
        f"http://{host}:65536/cb?a=1",
        f"http://{host}:0/cb?a=1",
        f"http://{host}:03000/cb?a=1",
        f"http://{host}:/cb?a=1",
        f"http://{host}:3000/cb?a=2",
        f"http://{host}:3000/cb",
        f"http://{host}:3000/c",
        f"http://{host}:3000/cb?a=1\n",
        f"https://{host}:3000/cb?a=1",
        f"http://{host}:1@evil.example/cb?a=1",
        f"http://{host}:1.evil.example/cb?a=1",
        f"http://x@{host}:1/cb?a=1",
        "http://localhost:3000/cb?a=1",
        "http://127.0.0.2:3000/cb?a=1",
    ):
        assert not metadata.redirect_matches(other), other


def test_the_port_of_another_name_is_not_free() -> None:
    for registered, asked in (
        ("http://localhost:3000/cb", "http://localhost:3001/cb"),
        ("https://127.0.0.1:3000/cb", "https://127.0.0.1:3001/cb"),
        ("https://app.example/cb", "https://app.example:8443/cb"),
        ("com.example.app:/cb", "com.example.app:/cb2"),
    ):
        assert is_same_redirect(registered, registered)
        assert not is_same_redirect(registered, asked)


@given(st.text(), st.sampled_from(GOOD_REDIRECTS))
def test_nothing_added_to_a_registered_uri_is_the_same(added: str, uri: str) -> None:
    for asked in (uri + added, added + uri):
        assert is_same_redirect(uri, asked) == (asked == uri)


def web(**more: Any) -> ClientMetadata:
    """A client that people sign in through."""
    return ClientMetadata.usual({"redirect_uris": (CALLBACK,), **more}, confidential=True)


def test_what_is_not_said_is_as_usual() -> None:
    assert ClientMetadata.usual(confidential=True) == ClientMetadata()
    assert web().grant_types == {AUTHORIZATION_CODE, REFRESH_TOKEN}
    public = ClientMetadata.usual(confidential=False)
    assert (public.grant_types, public.auth_method) == (frozenset(), "none")
    said = ClientMetadata.usual({"grant_types": frozenset({DEVICE_CODE}), "auth_method": "none"}, confidential=False)
    assert (said.grant_types, said.auth_method) == ({DEVICE_CODE}, "none")
    for metadata, confidential in ((ClientMetadata(), True), (web(), True), (public, False), (said, False)):
        assert checked_metadata(metadata, confidential=confidential) is metadata


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"redirect_uris": (), "grant_types": frozenset({AUTHORIZATION_CODE})}, "redirect_uris"),
        ({"redirect_uris": (CALLBACK, "http://app.example/")}, "redirect_uris/1"),
        ({"redirect_uris": (CALLBACK,) * 51}, "redirect_uris"),
        ({"post_logout_redirect_uris": ("javascript:x",)}, "post_logout_redirect_uris/0"),
        ({"resources": ("billing",)}, "resources/0"),
        ({"grant_types": frozenset({"password"})}, "grant_types"),
        ({"grant_types": frozenset({"implicit"})}, "grant_types"),
        ({"grant_types": frozenset({REFRESH_TOKEN})}, "grant_types"),
        ({"grant_types": frozenset({CLIENT_CREDENTIALS, REFRESH_TOKEN})}, "grant_types"),
        ({"auth_method": "none"}, "token_endpoint_auth_method"),
        ({"auth_method": "client_secret_jwt"}, "token_endpoint_auth_method"),
        ({"auth_method": "CLIENT_SECRET_POST"}, "token_endpoint_auth_method"),
        ({"id_token_alg": "none"}, "id_token_signed_response_alg"),
        ({"id_token_alg": "HS256"}, "id_token_signed_response_alg"),
        ({"client_uri": "javascript:x"}, "client_uri"),
        ({"logo_uri": "data:image/png,x"}, "logo_uri"),
        ({"policy_uri": "x"}, "policy_uri"),
        ({"tos_uri": ""}, "tos_uri"),
        ({"backchannel_logout_uri": "http://app.example/"}, "backchannel_logout_uri"),
        ({"backchannel_logout_uri": "https://app.example/#x"}, "backchannel_logout_uri"),
        ({"access_life": timedelta(minutes=1) - SECOND}, "access_life"),
        ({"access_life": timedelta(days=1) + SECOND}, "access_life"),
        ({"refresh_idle": timedelta(minutes=1) - SECOND}, "refresh_idle"),
        ({"refresh_idle": timedelta(days=365) + SECOND}, "refresh_idle"),
    ],
)
def test_what_does_not_go_together_is_refused_by_its_name(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_metadata(web(**wrong), confidential=True)
    assert refused.value.field == field


def test_the_longest_and_the_shortest_lives_are_taken() -> None:
    for lives in ((timedelta(minutes=1),) * 2, (timedelta(days=1), timedelta(days=365))):
        metadata = web(access_life=lives[0], refresh_idle=lives[1])
        assert checked_metadata(metadata, confidential=True) is metadata


@pytest.mark.spec("RFC 6749 §4.4")
@pytest.mark.spec("DCR-03")
def test_a_public_client_has_no_secret_and_no_credentials_of_its_own() -> None:
    for wrong, field in (
        ({"auth_method": "client_secret_basic"}, "token_endpoint_auth_method"),
        ({"auth_method": "client_secret_post"}, "token_endpoint_auth_method"),
        ({"grant_types": frozenset({CLIENT_CREDENTIALS})}, "grant_types"),
    ):
        with pytest.raises(Invalid) as refused:
            checked_metadata(ClientMetadata.usual(wrong, confidential=False), confidential=False)
        assert refused.value.field == field


@pytest.mark.spec("RFC 8252 §8.6")
def test_a_client_that_any_program_can_pose_as_asks_for_consent() -> None:
    def checked(uri: str, *, confidential: bool) -> ClientMetadata:
        said = {"redirect_uris": (CALLBACK, uri), "skips_consent": True}
        return checked_metadata(ClientMetadata.usual(said, confidential=confidential), confidential=confidential)

    assert checked(CALLBACK, confidential=False).skips_consent
    for uri in ("http://127.0.0.1/cb", "com.example.app:/cb"):
        assert checked(uri, confidential=True).skips_consent
        with pytest.raises(Invalid) as refused:
            checked(uri, confidential=False)
        assert refused.value.field == "skips_consent"


def test_there_is_no_grant_by_password_and_no_implicit_one() -> None:
    assert set(GRANT_TYPES) == {AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS, DEVICE_CODE}
