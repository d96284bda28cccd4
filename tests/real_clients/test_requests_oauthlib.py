"""requests-oauthlib, the flows that it has."""

from collections.abc import Mapping

import httpx
import pytest
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session

from service.clients.metadata import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, REFRESH_TOKEN, ClientMetadata
from tests.real_clients.conftest import Served

REDIRECT = "http://127.0.0.1:9/callback"


@pytest.fixture(autouse=True)
def over_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library insists on https otherwise; loopback has none."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture(scope="module")
def metadata(served: Served) -> Mapping[str, str]:
    """What discovery says."""
    found: dict[str, str] = httpx.get(f"{served.url}/.well-known/openid-configuration", trust_env=False).json()
    return found


def test_code_with_pkce_then_a_refresh(served: Served, metadata: Mapping[str, str]) -> None:
    grants = frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN})
    client_id, secret = served.register(
        "requests", metadata=ClientMetadata(redirect_uris=(REDIRECT,), grant_types=grants)
    )
    session = OAuth2Session(client_id, redirect_uri=REDIRECT, scope=["openid", "email", "offline_access"], pkce="S256")
    session.trust_env = False
    url, _ = session.authorization_url(metadata["authorization_endpoint"])
    back = served.go(url, until=REDIRECT)
    token = session.fetch_token(metadata["token_endpoint"], authorization_response=back, client_secret=secret)
    assert session.get(metadata["userinfo_endpoint"]).json()["email"] == "ada@example.org"

    renewed = session.refresh_token(
        metadata["token_endpoint"], refresh_token=token["refresh_token"], auth=(client_id, secret)
    )
    assert renewed["access_token"] != token["access_token"]
    assert session.get(metadata["userinfo_endpoint"]).status_code == 200


def test_client_credentials(served: Served, metadata: Mapping[str, str]) -> None:
    client_id, secret = served.register(
        "requests itself", "orders:read", metadata=ClientMetadata(grant_types=frozenset({CLIENT_CREDENTIALS}))
    )
    session = OAuth2Session(client=BackendApplicationClient(client_id=client_id, scope=["orders:read"]))
    session.trust_env = False
    token = session.fetch_token(metadata["token_endpoint"], client_id=client_id, client_secret=secret)
    assert token["scope"] == ["orders:read"]
    assert "refresh_token" not in token
    assert session.get(metadata["userinfo_endpoint"]).status_code in {401, 403}
