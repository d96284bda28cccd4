"""A provider, and a Gatepost that knows it."""

import json
from collections.abc import Iterator

import pytest

from service.clients.client import Client
from tests.servers.openid_provider import ADA, OpenIdProvider
from tests.servers.upstream import standing
from tests.web.oauth.browsing import add_application
from tests.web.running import Web

KEPT = ["openid", "email", "profile", "offline_access"]
PATIENCE = "2s"
"""For a provider that is silent; none of the others makes anybody wait."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[OpenIdProvider]:
    """The provider."""
    with standing(OpenIdProvider()) as upstream:
        yield upstream


@pytest.fixture(autouse=True)
def well(upstream: OpenIdProvider) -> Iterator[None]:
    """It is well again before the next test."""
    yield
    upstream.fault, upstream.claims, upstream.metadata = None, ADA, {}
    upstream.troubles.clear()
    upstream.asked.clear()


@pytest.fixture(scope="module")
def registration() -> str:
    """Who may register."""
    return "open"


@pytest.fixture(scope="module")
def web_settings(upstream: OpenIdProvider, registration: str) -> dict[str, str]:
    """Two providers of the same service: `acme`, and `keeper`, whose tokens are kept."""
    acme = {"client_id": upstream.client_id, "client_secret": upstream.client_secret, "issuer": upstream.url}
    providers = {"acme": {**acme, "label": "Acme"}, "keeper": {**acme, "keep_tokens": True, "scopes": KEPT}}
    return {
        "FEDERATION__PROVIDERS": json.dumps(providers),
        "FEDERATION__REDIRECT_URIS": "https://app.example/back,com.example.app:/back",
        "FEDERATION__PATIENCE": PATIENCE,
        "ACCOUNTS__REGISTRATION": registration,
        "ACCOUNTS__REGISTRATION_ROLES": "clerk",
    }


@pytest.fixture(scope="module")
async def trusted(web: Web) -> Client:
    """A client of the house's own, which asks for no consent."""
    return await add_application(web, "Intranet", skips_consent=True)
