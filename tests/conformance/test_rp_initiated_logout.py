"""RP-Initiated Logout plan. In all of it the state is 128 characters long, and must come back as it was."""

import base64
import json
import secrets
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from tests.conformance.conftest import Play
from tests.conformance.relying_party import AFTER_LOGOUT, Tokens
from tests.web.reading import read_page

pytestmark = pytest.mark.anyio
STATE = secrets.token_urlsafe(96)


async def sign_out(play: Play, **params: str) -> httpx2.Response:
    """Send the browser to the end_session_endpoint: the first page, or the way out."""
    url = play.rp.metadata["end_session_endpoint"]
    return await play.surfer.follow(await play.surfer.client.get(url, params=params or None))


def hinted(tokens: Tokens, **more: str) -> dict[str, str]:
    """The suite's whole request."""
    return {
        "id_token_hint": tokens.answer["id_token"],
        "post_logout_redirect_uri": AFTER_LOGOUT,
        "state": STATE,
        **more,
    }


def sent_back(answer: httpx2.Response) -> dict[str, str]:
    """The fields that come to the post_logout_redirect_uri."""
    assert answer.status_code == 303, answer.text
    address, _, query = answer.headers["location"].partition("?")
    assert address == AFTER_LOGOUT
    return dict(parse_qsl(query, strict_parsing=True)) if query else {}


async def assert_signed_out(play: Play) -> None:
    assert await play.silently() == "login_required"


async def assert_still_signed_in(play: Play) -> None:
    assert isinstance(await play.silently(), Tokens)


async def assert_refused(play: Play, answer: httpx2.Response) -> None:
    """An error page; the browser goes nowhere, and nobody has been signed out."""
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert AFTER_LOGOUT not in answer.text
    assert read_page(answer.text).inputs == {}
    await assert_still_signed_in(play)


async def assert_asked_then_signed_out(play: Play, page: httpx2.Response, *, to: str) -> None:
    """Nothing happens until the person says so, then they stand on our own page or are sent back."""
    assert (page.status_code, urlsplit(str(page.url)).path) == (200, "/oauth2/logout")
    await assert_still_signed_in(play)
    answer = await play.surfer.follow(await play.surfer.submit(page, choice="sign_out"))
    assert (answer.headers.get("location", "") or urlsplit(str(answer.url)).path).partition("?")[0] == to
    await assert_signed_out(play)


@pytest.mark.spec("OIDC RP-Initiated Logout §2.1")
async def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(line: httpx2.AsyncClient) -> None:
    found = (await line.get("/.well-known/openid-configuration")).json()
    assert found["end_session_endpoint"].startswith("https://")
    assert urlsplit(found["end_session_endpoint"]).fragment == ""
    assert (await line.get(found["end_session_endpoint"])).status_code == 303


@pytest.mark.spec("OIDC RP-Initiated Logout §2")
@pytest.mark.spec("OIDC RP-Initiated Logout §3")
async def test_oidcc_rp_initiated_logout(play: Play) -> None:
    tokens = await play.tokens()
    assert sent_back(await sign_out(play, **hinted(tokens))) == {"state": STATE}
    await assert_signed_out(play)
    url = play.rp.metadata["userinfo_endpoint"]
    assert (await play.rp.http.get(url, headers=play.rp.bearer(tokens.access))).status_code == 401


@pytest.mark.spec("OIDC RP-Initiated Logout §3")
async def test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri(play: Play) -> None:
    wrong = hinted(await play.tokens(), post_logout_redirect_uri="https://rp.example/not_registered")
    await assert_refused(play, await sign_out(play, **wrong))


@pytest.mark.spec("OIDC RP-Initiated Logout §3")
async def test_oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri(play: Play) -> None:
    wrong = hinted(await play.tokens(), post_logout_redirect_uri=f"{AFTER_LOGOUT}?foo=bar")
    await assert_refused(play, await sign_out(play, **wrong))


@pytest.mark.spec("OIDC RP-Initiated Logout §4")
@pytest.mark.spec("RFC 8725 §3.1")
async def test_oidcc_rp_initiated_logout_modified_id_token_hint(play: Play) -> None:
    """The suite's own change, to `alg` `none`; and a payload that says a little more."""
    tokens = await play.tokens()
    header, payload, signature = tokens.answer["id_token"].split(".")
    none = base64.urlsafe_b64encode(json.dumps({**tokens.header, "alg": "none"}).encode()).rstrip(b"=").decode()
    longer = base64.urlsafe_b64encode(json.dumps({**tokens.claims, "x": 1}).encode()).rstrip(b"=").decode()
    for changed in (f"{none}.{payload}.", f"{none}.{payload}.{signature}", f"{header}.{longer}.{signature}"):
        await assert_refused(play, await sign_out(play, **hinted(tokens, id_token_hint=changed)))


@pytest.mark.spec("OIDC RP-Initiated Logout §4")
async def test_oidcc_rp_initiated_logout_bad_id_token_hint(play: Play) -> None:
    tokens = await play.tokens()
    await assert_refused(play, await sign_out(play, **hinted(tokens, id_token_hint="not.a.jwt")))
    await assert_refused(play, await sign_out(play, **hinted(tokens, id_token_hint=tokens.access)))


@pytest.mark.spec("OIDC RP-Initiated Logout §2")
@pytest.mark.spec("OIDC RP-Initiated Logout §6")
async def test_oidcc_rp_initiated_logout_no_id_token_hint(play: Play) -> None:
    """Nobody has proven whose address that is: the person is asked, and does not get there."""
    await play.tokens()
    page = await sign_out(play, post_logout_redirect_uri=AFTER_LOGOUT, state=STATE)
    assert AFTER_LOGOUT not in page.text
    await assert_asked_then_signed_out(play, page, to="/signed-out")


@pytest.mark.spec("OIDC RP-Initiated Logout §2")
async def test_oidcc_rp_initiated_logout_no_params(play: Play) -> None:
    await play.tokens()
    await assert_asked_then_signed_out(play, await sign_out(play), to="/signed-out")


@pytest.mark.spec("OIDC RP-Initiated Logout §2")
async def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(play: Play) -> None:
    tokens = await play.tokens()
    page = await sign_out(play, id_token_hint=tokens.answer["id_token"], state=STATE)
    assert (page.status_code, urlsplit(str(page.url)).path) == (200, "/signed-out")
    await assert_signed_out(play)


@pytest.mark.spec("OIDC RP-Initiated Logout §2")
async def test_oidcc_rp_initiated_logout_no_state(play: Play) -> None:
    request = hinted(await play.tokens())
    del request["state"]
    assert sent_back(await sign_out(play, **request)) == {}
    await assert_signed_out(play)


@pytest.mark.spec("OIDC RP-Initiated Logout §2")
async def test_oidcc_rp_initiated_logout_only_state(play: Play) -> None:
    await play.tokens()
    await assert_asked_then_signed_out(play, await sign_out(play, state=STATE), to="/signed-out")
