"""The loopback provider signs in as a good one does, and each of its faults is one that another's library refuses."""

import hashlib
import time
from collections.abc import Iterator
from typing import get_args
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.servers.id_tokens import TokenFault, unpadded
from tests.servers.openid_provider import ADA, OpenIdProvider
from tests.servers.upstream import standing

CALLBACK = "https://auth.example/callback"
VERIFIER = "v" * 43


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProvider]:
    with standing(OpenIdProvider()) as provider:
        yield provider


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client() as client:
        yield client


def authorized(provider: OpenIdProvider, client: httpx2.Client) -> dict[str, list[str]]:
    """What comes back to the callback."""
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": CALLBACK,
        "scope": "openid email offline_access",
        "state": "s",
        "nonce": "n",
        "code_challenge": unpadded(hashlib.sha256(VERIFIER.encode()).digest()),
        "code_challenge_method": "S256",
    }
    answer = client.get(f"{provider.url}/authorize", params=asked)
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.headers["Location"]).query)


def redeem(provider: OpenIdProvider, client: httpx2.Client, code: str, **more: str) -> httpx2.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
    }
    return client.post(f"{provider.url}/token", data=form | more)


def read(provider: OpenIdProvider, client: httpx2.Client, token: str, access_token: str) -> dict[str, object]:
    """By joserfc, with every rule of OIDC Core §3.1.3.7 that it leaves to us. Raises `JoseError` or `ValueError`."""
    keys = KeySet.import_key_set(client.get(f"{provider.url}/jwks").json())
    claims = jwt.decode(token, keys, algorithms=["RS256"]).claims
    one = {"essential": True}
    wanted = {"iss": provider.url, "aud": provider.client_id, "nonce": "n"}
    must = {"sub": one, "exp": one, "iat": one} | {name: one | {"value": value} for name, value in wanted.items()}
    jwt.JWTClaimsRegistry(now=int(time.time()), leeway=0, **must).validate(claims)  # type: ignore[arg-type]
    if isinstance(claims["aud"], list) and claims.get("azp") != provider.client_id:
        raise ValueError("azp")
    if claims["at_hash"] != unpadded(hashlib.sha256(access_token.encode()).digest()[:16]):
        raise ValueError("at_hash")
    return claims


def test_a_good_sign_in_is_read_by_another_library(provider: OpenIdProvider, client: httpx2.Client) -> None:
    provider.fault = None
    back = authorized(provider, client)
    assert (back["state"], back["iss"]) == (["s"], [provider.url])
    assert redeem(provider, client, back["code"][0], code_verifier="w" * 43).json()["error"] == "invalid_grant"
    assert redeem(provider, client, back["code"][0], client_secret="another").json()["error"] == "invalid_client"
    tokens = redeem(provider, client, back["code"][0]).json()
    assert redeem(provider, client, back["code"][0]).json()["error"] == "invalid_grant"
    claims = read(provider, client, tokens["id_token"], tokens["access_token"])
    assert {name: claims[name] for name in ADA} == ADA
    as_bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert client.get(f"{provider.url}/userinfo", headers=as_bearer).json() == ADA
    assert client.get(f"{provider.url}/userinfo").status_code == 401
    renewal = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert redeem(provider, client, "", **renewal).json()["access_token"] != tokens["access_token"]


@pytest.mark.parametrize("fault", get_args(TokenFault))
def test_each_fault_is_one_that_another_library_refuses(
    provider: OpenIdProvider, client: httpx2.Client, fault: TokenFault
) -> None:
    provider.fault = fault
    tokens = redeem(provider, client, authorized(provider, client)["code"][0]).json()
    with pytest.raises((JoseError, ValueError)):
        read(provider, client, tokens["id_token"], tokens["access_token"])


def test_a_new_key_takes_the_place_of_the_old_one(provider: OpenIdProvider, client: httpx2.Client) -> None:
    provider.fault = None
    tokens = redeem(provider, client, authorized(provider, client)["code"][0]).json()
    provider.rotate()
    with pytest.raises((JoseError, ValueError)):
        read(provider, client, tokens["id_token"], tokens["access_token"])
    tokens = redeem(provider, client, authorized(provider, client)["code"][0]).json()
    read(provider, client, tokens["id_token"], tokens["access_token"])
    assert jws.extract_compact(tokens["id_token"].encode()).headers()["kid"] == provider.kid


def test_who_is_in_trouble_errs_and_is_asked_all_the_same(provider: OpenIdProvider, client: httpx2.Client) -> None:
    provider.asked.clear()
    provider.troubles["/jwks"] = "500"
    assert client.get(f"{provider.url}/jwks").status_code == 500
    provider.troubles["/jwks"] = "redirect"
    assert client.get(f"{provider.url}/jwks").headers["Location"] == f"{provider.url}/elsewhere"
    provider.troubles["/jwks"] = "gzip bomb"
    with client.stream("GET", f"{provider.url}/jwks") as answer:
        assert int(answer.headers["Content-Length"]) < 100_000
        assert len(answer.read()) > 60_000_000
    for trouble in ("silent", "dribbles"):
        provider.troubles["/jwks"] = trouble  # type: ignore[assignment]  # each is one
        with pytest.raises(httpx2.ReadTimeout):
            client.get(f"{provider.url}/jwks", timeout=0.1).read()
    provider.troubles.clear()
    assert client.get(f"{provider.url}/jwks").status_code == 200
    assert len(provider.asked_at("/jwks")) == 6
