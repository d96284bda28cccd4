"""Basic plan: codes, tokens, and how a client proves itself."""

import httpx2
import pytest

from service.accounts.account import User
from service.clients.metadata import SECRET_POST
from service.protocol.errors import Invalid
from tests.conformance.conftest import Play, registered
from tests.conformance.relying_party import RelyingParty, Tokens
from tests.servers.valkey import ValkeyServer
from tests.web.running import Web

pytestmark = pytest.mark.anyio


def assert_refused(answer: httpx2.Response, code: str) -> None:
    """An error of the token endpoint (RFC 6749 §5.2)."""
    assert (answer.status_code, answer.json()["error"]) == (401 if code == "invalid_client" else 400, code)
    assert answer.headers["content-type"].partition(";")[0] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert "access_token" not in answer.text


@pytest.mark.spec("OIDC Core §3.1.3.3")
@pytest.mark.spec("OIDC Core §3.1.3.7")
@pytest.mark.spec("RFC 9207 §2")
async def test_oidcc_server(play: Play) -> None:
    """A whole flow, in which the person signs in and agrees. Without PKCE there is none."""
    asked = play.rp.ask()
    answer, shown = await play.authorize(asked)
    assert shown[0] == "/sign-in"
    tokens = await play.rp.redeem(play.rp.code(answer, asked), asked)
    assert tokens.claims["nonce"] == asked.parameters["nonce"]
    bare = play.rp.ask(code_challenge=None, code_challenge_method=None)
    assert play.rp.error(await play.begin(bare), bare) == "invalid_request"


@pytest.mark.spec("OIDC Core §2")
@pytest.mark.spec("OIDC Core §10.1")
async def test_oidcc_idtoken_signature(web: Web, play: Play, line: httpx2.AsyncClient) -> None:
    """RS256 by default, ES256 on wish; the header names the key, where several are published."""
    assert (await play.tokens()).header.keys() >= {"alg", "kid"}
    play.rp = await registered(web, line, "ES256", id_token_alg="ES256")
    assert (await play.tokens()).header["alg"] == "ES256"


@pytest.mark.spec("OIDC Core §2")
@pytest.mark.spec("RFC 8725 §3.1")
async def test_oidcc_idtoken_unsigned(web: Web, rp: RelyingParty) -> None:
    """A provider need not offer `none`: it is not on the list, and no client can be registered for it."""
    assert "none" not in rp.metadata["id_token_signing_alg_values_supported"]
    with pytest.raises(Invalid):
        await registered(web, rp.http, "Unsigned", id_token_alg="none")


@pytest.mark.spec("RFC 6749 §4.1.2")
@pytest.mark.spec("COD-01")
async def test_oidcc_codereuse(play: Play) -> None:
    asked = play.rp.ask()
    answer, _ = await play.authorize(asked)
    code = play.rp.code(answer, asked)
    await play.rp.redeem(code, asked)
    assert_refused(await play.rp.send_code(code, asked), "invalid_grant")


@pytest.mark.spec("RFC 6749 §4.1.2")
@pytest.mark.spec("OAuth 2.1 §4.1.3")
async def test_oidcc_codereuse_30seconds(play: Play, valkey_server: ValkeyServer) -> None:
    """The half minute passes in the store alone. Then the tokens of the first use are worth nothing any more."""
    asked = play.rp.ask(scope="openid offline_access", prompt="consent")
    answer, _ = await play.authorize(asked)
    code = play.rp.code(answer, asked)
    tokens = await play.rp.redeem(code, asked)
    let_pass(valkey_server, seconds=30)
    assert await play.rp.userinfo(tokens.access)
    assert_refused(await play.rp.send_code(code, asked), "invalid_grant")
    url = play.rp.metadata["userinfo_endpoint"]
    assert (await play.rp.http.get(url, headers=play.rp.bearer(tokens.access))).status_code == 401
    refused = await play.rp.token(grant_type="refresh_token", refresh_token=tokens.answer["refresh_token"])
    assert_refused(refused, "invalid_grant")


@pytest.mark.spec("RFC 6749 §2.3.1")
@pytest.mark.spec("OIDC Core §9")
async def test_oidcc_server_client_secret_post(web: Web, play: Play, line: httpx2.AsyncClient) -> None:
    """In the form, by a client that is registered for it, and by no other."""
    by_header, play.rp = play.rp, await registered(web, line, "Post", auth_method=SECRET_POST)
    assert await play.tokens()
    asked = play.rp.ask()
    answer, _ = await play.authorize(asked)
    code = play.rp.code(answer, asked)
    play.rp.auth_method = by_header.auth_method
    assert_refused(await play.rp.send_code(code, asked), "invalid_client")


@pytest.mark.spec("OIDC Core §12.2")
@pytest.mark.spec("RFC 6749 §6")
async def test_oidcc_refresh_token(web: Web, play: Play, line: httpx2.AsyncClient, ada: User) -> None:
    """A refresh gives an id_token of the same sign-in; a refresh token serves the client that it was issued to."""
    assert "refresh_token" in play.rp.metadata["grant_types_supported"]
    first = await play.tokens(scope="openid offline_access", prompt="consent")
    second = await refreshed(play.rp, first)
    for name in ("iss", "sub", "aud", "auth_time", "sid"):
        assert second.claims[name] == first.claims[name]
    assert second.claims["iat"] >= first.claims["iat"]
    assert await play.rp.userinfo(second.access) == {"sub": ada.id}

    one, play.rp = play.rp, await registered(web, line, "Suite's second")
    others = await play.tokens(scope="openid offline_access", prompt="consent")
    assert_refused(
        await one.token(grant_type="refresh_token", refresh_token=others.answer["refresh_token"]), "invalid_grant"
    )
    assert await refreshed(play.rp, others)


async def refreshed(rp: RelyingParty, tokens: Tokens) -> Tokens:
    """What a refresh gives; no nonce, as nobody asked anew."""
    answer = await rp.token(grant_type="refresh_token", refresh_token=tokens.answer["refresh_token"])
    return await rp.read(answer, nonce=None)


def let_pass(valkey_server: ValkeyServer, *, seconds: int) -> None:
    """What is kept for a time is that much nearer to its end."""
    with valkey_server.client() as client:
        for key in client.scan_iter():
            left = client.pttl(key)
            if left >= 0:
                client.pexpire(key, left - 1_000 * seconds)
