"""From an application to the sign-in, the consent and back, in Chromium, by keyboard, with and without scripts."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from service.clients.metadata import AUTHORIZATION_CODE, ClientMetadata
from tests.real_clients.conftest import USERNAME, Served
from tests.servers.gatepost import PASSWORD

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636 appendix B
STATE = "a state & <more>"
WAYS = {
    "query, no scripts": {"scripts": False, "mode": "query"},
    "query, scripts": {"scripts": True, "mode": "query"},
    "form_post, no scripts": {"scripts": False, "mode": "form_post"},
    "form_post, scripts": {"scripts": True, "mode": "form_post"},
    "refused": {"scripts": False, "mode": "query", "button": "[value=deny]"},
}


def authorize(issuer: Served, name: str) -> str:
    """The address of an authorization request of a new client, but for where it ends."""
    metadata = ClientMetadata(
        redirect_uris=("http://127.0.0.1/callback",), grant_types=frozenset({AUTHORIZATION_CODE}), auth_method="none"
    )
    client_id, _ = issuer.register(name, metadata=metadata)
    parameters = {
        "client_id": client_id,
        "response_type": "code",
        "scope": "openid profile",
        "state": STATE,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "ui_locales": "ar",
    }
    return f"{issuer.url}/oauth2/authorize?{urlencode(parameters)}"


@pytest.fixture(scope="module")
def arrivals(issuer: Served, node: Callable[..., Any], chromium: str) -> dict[str, Any]:
    """What came to the application, each way, in browsers that know nothing of each other."""
    each = [{"authorize": authorize(issuer, f"Harbour {name}"), **way} for name, way in WAYS.items()]
    asked = {"chromium": chromium, "username": USERNAME, "password": PASSWORD, "each": each}
    return dict(zip(WAYS, node("sign_in.mjs", asked), strict=True))


@pytest.mark.spec("OIDC Core §3.1.2")
@pytest.mark.spec("RFC 9207 §2")
@pytest.mark.parametrize("way", ["query, no scripts", "query, scripts"])
def test_a_person_signs_in_and_allows_by_keyboard_alone(issuer: Served, arrivals: dict[str, Any], way: str) -> None:
    arrived = arrivals[way]
    assert (arrived["method"], arrived["form"]) == ("GET", {})
    assert arrived["query"].pop("code").startswith("gp_ac_")
    assert arrived["query"] == {"state": STATE, "iss": issuer.url}
    assert arrived["language"] == "ar"


@pytest.mark.spec("OAuth 2.0 Form Post Response Mode §2")
@pytest.mark.parametrize("way", ["form_post, no scripts", "form_post, scripts"])
def test_an_answer_in_a_form_is_sent_by_script_or_by_button(issuer: Served, arrivals: dict[str, Any], way: str) -> None:
    arrived = arrivals[way]
    assert (arrived["method"], arrived["query"]) == ("POST", {})
    assert arrived["form"].pop("code").startswith("gp_ac_")
    assert arrived["form"] == {"state": STATE, "iss": issuer.url}


@pytest.mark.spec("RFC 6749 §4.1.2.1")
def test_a_person_may_say_no(issuer: Served, arrivals: dict[str, Any]) -> None:
    query = arrivals["refused"]["query"]
    assert "code" not in query
    assert (query["error"], query["state"], query["iss"]) == ("access_denied", STATE, issuer.url)


@pytest.mark.parametrize("way", WAYS)
def test_the_browser_complains_of_nothing_and_tells_the_application_nothing(arrivals: dict[str, Any], way: str) -> None:
    assert arrivals[way]["complaints"] == []
    assert arrivals[way]["referrer"] is None
