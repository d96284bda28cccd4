"""Authlib, through each of its flows, without a special case."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.jwk import KeySet

from service.clients.metadata import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, REFRESH_TOKEN, ClientMetadata
from tests.real_clients.conftest import USERNAME, Served

REDIRECT = "http://127.0.0.1:9/callback"
SCOPE = "openid profile email offline_access orders:read"


@pytest.fixture(scope="module")
def metadata(served: Served) -> dict[str, str]:
    """What discovery says."""
    found: dict[str, str] = httpx.get(f"{served.url}/.well-known/openid-configuration", trust_env=False).json()
    return found


@pytest.fixture(params=["client_secret_basic", "client_secret_post", "none"])
def client(served: Served, request: pytest.FixtureRequest) -> Iterator[OAuth2Client]:
    """One client for each way to authenticate."""
    grants = {AUTHORIZATION_CODE, REFRESH_TOKEN} | ({CLIENT_CREDENTIALS} if request.param != "none" else set())
    client_id, secret = served.register(
        f"Authlib {request.param}",
        "orders:read",
        metadata=ClientMetadata(redirect_uris=(REDIRECT,), grant_types=frozenset(grants), auth_method=request.param),
    )
    with OAuth2Client(
        client_id,
        secret,
        scope=SCOPE,
        redirect_uri=REDIRECT,
        token_endpoint_auth_method=request.param,
        code_challenge_method="S256",
        trust_env=False,
    ) as made:
        yield made


def test_code_with_pkce_then_userinfo_refresh_and_revocation(
    served: Served, metadata: dict[str, str], client: OAuth2Client
) -> None:
    verifier, nonce = "v" * 64, "n-0S6_WzA2Mj"
    url, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
    )
    back = served.go(url, until=REDIRECT)
    assert parse_qs(urlsplit(back).query)["iss"] == [metadata["issuer"]]

    token = client.fetch_token(
        metadata["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
    )
    keys = KeySet.import_key_set(httpx.get(metadata["jwks_uri"], trust_env=False).json())
    claims = jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims
    expected = {"iss": metadata["issuer"], "aud": client.client_id, "nonce": nonce}
    jwt.JWTClaimsRegistry(**{name: {"essential": True, "value": value} for name, value in expected.items()}).validate(
        claims
    )
    told = client.get(metadata["userinfo_endpoint"]).json()
    assert told["sub"] == claims["sub"]
    assert told["preferred_username"] == USERNAME
    assert told["email"] == "ada@example.org"

    renewed = client.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
    assert renewed["access_token"] != token["access_token"]
    assert renewed["refresh_token"] != token["refresh_token"]
    gone = client.revoke_token(metadata["revocation_endpoint"], token=renewed["refresh_token"])
    assert (gone.status_code, gone.text) == (200, "")
    assert client.get(metadata["userinfo_endpoint"]).status_code == 401


def test_client_credentials_then_introspection(metadata: dict[str, str], client: OAuth2Client) -> None:
    if client.token_endpoint_auth_method == "none":
        with pytest.raises(OAuthError, match="unauthorized_client"):
            client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials", scope="orders:read")
        return
    token = client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials", scope="orders:read")
    assert "refresh_token" not in token
    told = client.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()
    assert told["active"] is True
    assert told["sub"] == client.client_id
    assert told["scope"] == "orders:read"
