"""Config plan: the discovery document and the keys that it names."""

import re
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.conformance.conftest import PROFILE

pytestmark = pytest.mark.anyio
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
SECRET_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


@pytest.mark.spec("OIDC Discovery §3")
@pytest.mark.spec("OIDC Discovery §4.3")
@pytest.mark.spec("RFC 8414 §2")
async def test_oidcc_discovery_endpoint_verification(line: httpx2.AsyncClient) -> None:
    answer = await line.get("/.well-known/openid-configuration")
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == "application/json"
    found = answer.json()
    assert str(answer.url) == found["issuer"] + "/.well-known/openid-configuration"
    issuer = urlsplit(found["issuer"])
    assert (issuer.scheme, issuer.query, issuer.fragment) == ("https", "", "")

    addresses = {name: found[name] for name in found if name.endswith(("_endpoint", "_uri"))}
    assert addresses.keys() >= set(ENDPOINTS)
    assert all(address.startswith("https://op.example/") for address in addresses.values())
    assert "registration_endpoint" not in found

    assert found["response_types_supported"] == ["code"]
    assert found["subject_types_supported"] == ["public"]
    assert "RS256" in found["id_token_signing_alg_values_supported"]
    assert "none" not in found["id_token_signing_alg_values_supported"]
    assert {"authorization_code", "refresh_token"} <= set(found["grant_types_supported"])
    assert {"client_secret_basic", "client_secret_post"} <= set(found["token_endpoint_auth_methods_supported"])
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["claims_parameter_supported"] is True
    assert (found["request_parameter_supported"], found["request_uri_parameter_supported"]) == (False, False)
    assert {"sub", "iss", "auth_time", "email", "email_verified", *PROFILE} <= set(found["claims_supported"])
    assert {"openid", "profile", "email", "address", "phone", "offline_access"} <= set(found["scopes_supported"])
    assert all(SCOPE.fullmatch(scope) for scope in found["scopes_supported"])
    assert set(found["ui_locales_supported"]) == {"en", "ar"}


@pytest.mark.spec("OIDC Core §10.1")
@pytest.mark.spec("RFC 7517 §4")
async def test_the_published_keys_serve_every_algorithm_and_hold_nothing_secret(line: httpx2.AsyncClient) -> None:
    """The part of the module that reads `jwks_uri`."""
    found = (await line.get("/.well-known/openid-configuration")).json()
    keys = (await line.get(found["jwks_uri"])).json()["keys"]
    assert {key["kty"] for key in keys} == {"RSA", "EC"}
    assert {key["alg"] for key in keys} == set(found["id_token_signing_alg_values_supported"])
    assert len({key["kid"] for key in keys}) == len(keys)
    assert all(key["use"] == "sig" and not key.keys() & SECRET_MEMBERS for key in keys)
    for endpoint in ENDPOINTS:
        assert (await line.get(found[endpoint])).status_code != 404, endpoint
