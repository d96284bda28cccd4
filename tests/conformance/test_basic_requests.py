"""Basic plan: what an authorization request may say, and what it may not."""

import base64
import json

import httpx2
import pytest

from tests.conformance.conftest import Play
from tests.conformance.relying_party import REDIRECT, Asked
from tests.web.reading import read_page

pytestmark = pytest.mark.anyio


def assert_error_page(answer: httpx2.Response) -> None:
    """A page that says what is wrong; the browser goes nowhere, and nobody is asked for a password."""
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert answer.headers["content-type"].partition(";")[0] == "text/html"
    assert read_page(answer.text).inputs == {}


def unsigned(asked: Asked, **changed: str) -> str:
    """The request as a request object with `alg` `none` (OpenID Connect Core §6.1)."""
    parts = ({"alg": "none"}, {**asked.parameters, "iss": asked.parameters["client_id"], **changed})
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return ".".join((*encoded, ""))


@pytest.mark.spec("OIDC Core §3.1.2.6")
@pytest.mark.spec("RFC 6749 §3.1.1")
async def test_oidcc_response_type_missing(play: Play) -> None:
    asked = play.rp.ask(response_type=None)
    assert play.rp.error(await play.begin(asked), asked) == "invalid_request"


@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(play: Play) -> None:
    assert "nonce" not in (await play.tokens(nonce=None)).claims


@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_oidcc_display_page(play: Play) -> None:
    assert await play.tokens(display="page")


@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_oidcc_display_popup(play: Play) -> None:
    assert await play.tokens(display="popup")


@pytest.mark.spec("RFC 6749 §3.1")
async def test_oidcc_ensure_request_with_unknown_parameter_succeeds(play: Play) -> None:
    assert await play.tokens(extra="foobar")


@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_oidcc_login_hint(play: Play) -> None:
    page = await play.begin(play.rp.ask(login_hint="ada@people.example"))
    assert read_page(page.text).inputs["username"]["value"] == "ada@people.example"
    assert await play.tokens(login_hint="nobody@nowhere.example")


@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_oidcc_ui_locales(play: Play) -> None:
    """The suite asks for Swedish, which is not there: no mistake. The first that is there is taken."""
    page = await play.begin(play.rp.ask(ui_locales="se ar en"))
    assert '<html lang="ar" dir="rtl">' in page.text
    assert await play.tokens(ui_locales="se")


@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_oidcc_ensure_request_with_acr_values_succeeds(play: Play) -> None:
    """A wish: it is granted without, and no `acr` is claimed that was not reached."""
    assert (await play.tokens(acr_values="1 2")).claims.get("acr") is None


@pytest.mark.spec("RFC 9700 §2.1")
@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_oidcc_ensure_registered_redirect_uri(play: Play) -> None:
    assert_error_page(await play.begin(play.rp.ask(redirect_uri=f"{REDIRECT}/not/registered")))


@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_oidcc_ensure_post_request_succeeds(play: Play) -> None:
    asked = play.rp.ask()
    sent = await play.surfer.client.post(play.rp.metadata["authorization_endpoint"], data=asked.parameters)
    answer, shown = await play.through(await play.surfer.follow(sent))
    assert shown[0] == "/sign-in"
    assert await play.rp.redeem(play.rp.code(answer, asked), asked)


@pytest.mark.spec("OIDC Core §6.2")
async def test_oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(play: Play) -> None:
    """Refused, and discovery says so."""
    assert play.rp.metadata["request_uri_parameter_supported"] is False
    asked = play.rp.ask(request_uri="https://rp.example/request.jwt")
    assert play.rp.error(await play.begin(asked), asked) == "request_uri_not_supported"


@pytest.mark.spec("OIDC Core §6.1")
async def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(play: Play) -> None:
    """Refused, and discovery says so; never read in part, never passed over."""
    assert play.rp.metadata["request_parameter_supported"] is False
    assert "request_object_signing_alg_values_supported" not in play.rp.metadata
    asked = play.rp.ask()
    with_object = play.rp.ask(request=unsigned(asked))
    assert play.rp.error(await play.begin(with_object), with_object) == "request_not_supported"


@pytest.mark.spec("OIDC Core §6.1")
@pytest.mark.spec("RU-01")
async def test_oidcc_ensure_request_object_with_redirect_uri(play: Play) -> None:
    """Neither the wrong address outside is gone to, nor the one in an object that nobody read."""
    outside = play.rp.ask(redirect_uri="https://rp.example/invalid")
    wrong = Asked(outside.parameters | {"request": unsigned(outside, redirect_uri=REDIRECT)}, outside.verifier)
    assert_error_page(await play.begin(wrong))
    missing = {name: value for name, value in wrong.parameters.items() if name != "redirect_uri"}
    assert_error_page(await play.begin(Asked(missing, wrong.verifier)))


@pytest.mark.spec("RFC 7636 §4.6")
async def test_oidcc_ensure_request_with_valid_pkce_succeeds(play: Play) -> None:
    assert await play.tokens()
    asked = play.rp.ask()
    answer, _ = await play.authorize(asked)
    refused = await play.rp.send_code(play.rp.code(answer, asked), Asked(asked.parameters, "wrong" * 10))
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
