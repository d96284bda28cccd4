"""Back-Channel Logout plan."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from tests.conformance.conftest import Play, registered
from tests.conformance.relying_party import AFTER_LOGOUT, RelyingParty
from tests.servers.receiver import Receiver, receiving
from tests.web.running import Web

pytestmark = pytest.mark.anyio


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """The application's own server."""
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def told(web: Web, rp: RelyingParty, receiver: Receiver) -> RelyingParty:
    """An application that wants to be told."""
    return await registered(web, rp.http, "Told", backchannel_logout_uri=receiver.url)


@pytest.mark.spec("OIDC Back-Channel Logout §2.1")
async def test_oidcc_backchannel_logout_discovery_endpoint_verification(line: httpx2.AsyncClient) -> None:
    found = (await line.get("/.well-known/openid-configuration")).json()
    assert found["backchannel_logout_supported"] is True
    assert found["backchannel_logout_session_supported"] is True
    assert found["end_session_endpoint"].startswith("https://")


@pytest.mark.spec("OIDC Back-Channel Logout §2.4")
@pytest.mark.spec("OIDC Back-Channel Logout §2.5")
@pytest.mark.spec("LOG-06")
async def test_oidcc_backchannel_rp_initiated_logout(play: Play, told: RelyingParty, receiver: Receiver) -> None:
    play.rp = told
    tokens = await play.tokens()
    answer = await play.surfer.client.get(
        told.metadata["end_session_endpoint"],
        params={
            "id_token_hint": tokens.answer["id_token"],
            "post_logout_redirect_uri": AFTER_LOGOUT,
            "state": "s" * 128,
        },
    )
    assert answer.headers["location"].partition("?")[0] == AFTER_LOGOUT
    assert dict(parse_qsl(urlsplit(answer.headers["location"]).query)) == {"state": "s" * 128}

    heard, *_ = await receiver.hear()
    assert heard.line == "POST /backchannel_logout HTTP/1.1"
    assert heard.fields["content-type"] == "application/x-www-form-urlencoded"
    assert not {"cookie", "authorization", "referer"} & heard.fields.keys()
    assert heard.form.keys() == {"logout_token"}
    claims = await told.logged_out(heard.form["logout_token"])
    assert (claims["sub"], claims["sid"]) == (tokens.claims["sub"], tokens.claims["sid"])

    assert await play.silently() == "login_required"
