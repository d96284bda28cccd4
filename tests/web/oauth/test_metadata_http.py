"""The well-known documents: whole, true of what is really served, and deaf to whatever a request says."""

import json
from typing import Any

import pytest

from gatepost import KeySet
from service.grants.endpoint import TokenEndpoint
from service.settings import SettingsRefused, load_settings
from tests.servers.gatepost import settings_for
from tests.web.oauth.browsing import CHALLENGE
from tests.web.running import Web, running_web

pytestmark = pytest.mark.anyio
OURS = "https://app.example"
SERVER = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]
RESOURCE, JWKS = "/.well-known/oauth-protected-resource", "/.well-known/jwks.json"
EVERY = [*SERVER, RESOURCE, JWKS]


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    """One origin may read the API."""
    return {"SERVER__CORS_ORIGINS": OURS}


@pytest.fixture
async def document(web: Web) -> dict[str, Any]:
    """The provider's."""
    found: dict[str, Any] = (await web.client.get(SERVER[0])).json()
    return found


@pytest.mark.spec("MIX-01")
@pytest.mark.spec("RFC 8414 §3.3")
@pytest.mark.spec("OIDC Discovery §4.3")
async def test_both_documents_are_one_and_name_the_issuer_that_they_are_fetched_from(web: Web) -> None:
    one, other = [(await web.client.get(path)).json() for path in SERVER]
    assert one == other
    assert one["issuer"] == web.settings.issuer == str(web.client.base_url)
    tokens = await web.add_user("ada") and await web.sign_in("ada")
    claims = json.loads(_payload(tokens["access_token"]))
    assert claims["iss"] == one["issuer"]


def _payload(token: str) -> bytes:
    from gatepost.jws import parse_jws

    return parse_jws(token).payload


@pytest.mark.spec("RFC 8414 §2")
@pytest.mark.spec("OIDC Discovery §3")
@pytest.mark.spec("PKCE-01")
@pytest.mark.spec("RFC 9207 §3")
async def test_it_has_every_member_that_is_required_and_promises_nothing_that_is_not_there(
    web: Web, document: dict[str, Any]
) -> None:
    required = {
        *("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported"),
        *("subject_types_supported", "id_token_signing_alg_values_supported", "scopes_supported", "claims_supported"),
    }
    assert required <= document.keys()
    assert document["response_types_supported"] == ["code"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert set(document["grant_types_supported"]) == set(tokens_of(web).grant_types)
    assert not {"password", "implicit"} & set(document["grant_types_supported"])
    assert "RS256" in document["id_token_signing_alg_values_supported"]
    assert not {"none", "HS256"} & set(document["id_token_signing_alg_values_supported"])
    assert document["authorization_response_iss_parameter_supported"] is True
    # What is left out of the document has a default: these two are true, or are understood as supported.
    assert (document["request_parameter_supported"], document["request_uri_parameter_supported"]) == (False, False)
    assert "registration_endpoint" not in document
    assert "pushed_authorization_request_endpoint" not in document
    assert not [name for name, value in document.items() if value in (None, [], "")]


def tokens_of(web: Web) -> TokenEndpoint:
    """The registry of grants."""
    return web.rooms.tokens


async def test_every_address_in_it_is_ours_and_answers(web: Web, document: dict[str, Any]) -> None:
    named = {name: value for name, value in document.items() if name.endswith(("_endpoint", "_uri"))}
    assert len(named) >= 8
    for name, address in named.items():
        assert address.startswith(f"{web.settings.public_url}/"), name
        answer = await web.client.get(address)
        assert answer.status_code in (200, 303, 400, 401, 405), name


async def test_every_grant_and_method_in_it_is_known_at_the_token_endpoint(web: Web, document: dict[str, Any]) -> None:
    for kind in document["grant_types_supported"]:
        answer = await web.client.post(document["token_endpoint"], data={"grant_type": kind})
        assert answer.json()["error"] == "invalid_client"
    assert document["token_endpoint_auth_methods_supported"] == ["none", "client_secret_basic", "client_secret_post"]
    assert "none" not in document["introspection_endpoint_auth_methods_supported"]
    for mode in document["response_modes_supported"]:
        query = {"response_mode": mode, "client_id": "gatepost-docs", "response_type": "code", "prompt": "none"}
        query |= {"redirect_uri": f"{web.settings.public_url}/docs/oauth2-redirect", "code_challenge": CHALLENGE}
        answer = await web.client.get("/oauth2/authorize", params={**query, "code_challenge_method": "S256"})
        assert "login_required" in (answer.headers.get("location") or answer.text)


@pytest.mark.spec("OIDC Discovery §3")
async def test_the_keys_at_its_address_are_those_that_sign(web: Web, document: dict[str, Any]) -> None:
    jwks = (await web.client.get(document["jwks_uri"])).json()
    assert {key["alg"] for key in jwks["keys"]} >= set(document["id_token_signing_alg_values_supported"])
    for key in jwks["keys"]:
        assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}
        assert key["use"] == "sig"
        assert key["kid"]
    assert len(list(KeySet.from_jwks(jwks))) == len(jwks["keys"])


@pytest.mark.spec("RFC 9728 §2")
@pytest.mark.spec("RFC 9728 §3.3")
async def test_the_resource_names_itself_and_its_server_and_every_challenge_leads_to_it(
    web: Web, document: dict[str, Any]
) -> None:
    found = (await web.client.get(RESOURCE)).json()
    assert found["resource"] == web.settings.public_url
    assert found["authorization_servers"] == [document["issuer"]]
    assert found["jwks_uri"] == document["jwks_uri"]
    assert found["bearer_methods_supported"] == ["header"]
    for path in ("/users/me", "/userinfo", "/auth/verify"):
        challenge = (await web.client.get(path)).headers["www-authenticate"]
        assert f'resource_metadata="{web.settings.public_url}{RESOURCE}"' in challenge


@pytest.mark.spec("HDR-01")
@pytest.mark.spec("HDR-02")
@pytest.mark.parametrize("path", EVERY)
async def test_no_field_of_a_request_changes_a_word(web: Web, path: str) -> None:
    plain = await web.client.get(path)
    for fields in (
        {"Host": "evil.example"},
        {"Host": "localhost:8000@evil.example"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/evil"},
        {"Forwarded": "host=evil.example;proto=https"},
        {"X-Original-URL": "/evil", "X-Rewrite-URL": "/evil"},
        {"Origin": "https://evil.example", "Referer": "https://evil.example"},
    ):
        answer = await web.client.get(path, headers=fields)
        assert (answer.status_code, answer.content) == (200, plain.content)
        assert "evil" not in answer.text
    assert (await web.client.get(path, params={"issuer": "https://evil.example"})).content == plain.content


@pytest.mark.spec("HTTP-02")
@pytest.mark.spec("RFC 8414 §3.1")
@pytest.mark.parametrize("path", EVERY)
async def test_anybody_may_read_it_from_anywhere_without_credentials(web: Web, path: str) -> None:
    for origin in (OURS, "https://evil.example", "null", None):
        answer = await web.client.get(path, headers={"Origin": origin} if origin else {})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        shared = answer.headers.get_list("access-control-allow-origin")
        assert shared == ([OURS] if origin == OURS else ["*"])
        assert "max-age" in answer.headers["cache-control"]
        assert "set-cookie" not in answer.headers
    for method in ("POST", "PUT", "DELETE"):
        assert (await web.client.request(method, path)).status_code == 405


@pytest.mark.spec("RFC 8414 §3.1")
@pytest.mark.parametrize("issuer", ["https://id.example/tenant", "https://id.example/", "https://id.example?x=1"])
def test_an_issuer_with_a_path_is_refused_at_the_start_so_that_its_documents_cannot_be_at_a_wrong_place(
    issuer: str,
) -> None:
    for name in ("ISSUER", "PUBLIC_URL"):
        with pytest.raises(SettingsRefused, match=name):
            load_settings(settings_for("sqlite+aiosqlite:///x", "redis://localhost:1", **{name: issuer}))


@pytest.mark.spec("KEY-06")
async def test_documents_and_keys_are_read_while_the_stores_are_away(sqlite_url: str, own_valkey: Any) -> None:
    async with running_web(sqlite_url, own_valkey.url) as web:
        before = [(await web.client.get(path)).content for path in EVERY]
        assert b'"kid"' in before[-1]
        own_valkey.kill()
        assert [(await web.client.get(path)).content for path in EVERY] == before
