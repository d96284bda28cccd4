"""Basic plan: what is told about a person, at the UserInfo endpoint and in id_tokens."""

import json
from typing import Any

import pytest

from tests.conformance.conftest import PROFILE, Play
from tests.conformance.relying_party import Tokens

pytestmark = pytest.mark.anyio
BY_SCOPE = {
    "profile": PROFILE.keys() - {"address", "phone_number", "phone_number_verified"},
    "email": {"email", "email_verified"},
    "address": {"address"},
    "phone": {"phone_number", "phone_number_verified"},
}
KNOWN = PROFILE | {"email": "ada@people.example", "email_verified": True}
IN_EVERY_ID_TOKEN = {"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "amr"}


async def told(play: Play, tokens: Tokens) -> dict[str, Any]:
    """What UserInfo says, about the person of the id_token (OpenID Connect Core §5.3.2)."""
    claims = await play.rp.userinfo(tokens.access)
    assert claims.pop("sub") == tokens.claims["sub"]
    return claims


async def check_scopes(play: Play, *names: str, text: str = "") -> None:
    """These scopes tell exactly their claims, with the values and the types that the account has."""
    tokens = await play.tokens(scope=text or " ".join(("openid", *names)))
    assert set(tokens.answer["scope"].split()) == {"openid", *names}
    wanted = {name for scope in names for name in BY_SCOPE[scope]}
    assert await told(play, tokens) == {name: KNOWN[name] for name in wanted}
    assert tokens.claims.keys() == IN_EVERY_ID_TOKEN, "claims of scopes come by UserInfo where there is an access token"


@pytest.mark.spec("OIDC Core §5.3.1")
async def test_oidcc_userinfo_get(play: Play) -> None:
    assert await told(play, await play.tokens()) == {}


@pytest.mark.spec("OIDC Core §5.3.1")
async def test_oidcc_userinfo_post_header(play: Play) -> None:
    tokens = await play.tokens()
    url = play.rp.metadata["userinfo_endpoint"]
    answer = await play.rp.http.post(url, headers=play.rp.bearer(tokens.access))
    assert play.rp.read_userinfo(answer) == {"sub": tokens.claims["sub"]}


@pytest.mark.spec("OIDC Core §5.3.1")
@pytest.mark.spec("OAuth 2.1 §5.2.2")
async def test_oidcc_userinfo_post_body(play: Play) -> None:
    """The suite lets a provider refuse it, and says so. We do: any page can send a form."""
    tokens = await play.tokens()
    answer = await play.rp.http.post(play.rp.metadata["userinfo_endpoint"], data={"access_token": tokens.access})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert tokens.claims["sub"] not in answer.text


@pytest.mark.spec("OIDC Core §5.4")
async def test_oidcc_scope_profile(play: Play) -> None:
    await check_scopes(play, "profile")


@pytest.mark.spec("OIDC Core §5.4")
async def test_oidcc_scope_email(play: Play) -> None:
    await check_scopes(play, "email")


@pytest.mark.spec("OIDC Core §5.4")
@pytest.mark.spec("OIDC Core §5.1.1")
async def test_oidcc_scope_address(play: Play) -> None:
    await check_scopes(play, "address")


@pytest.mark.spec("OIDC Core §5.4")
async def test_oidcc_scope_phone(play: Play) -> None:
    await check_scopes(play, "phone")


@pytest.mark.spec("OIDC Core §5.4")
async def test_oidcc_scope_all(play: Play) -> None:
    await check_scopes(play, "profile", "email", "address", "phone")


@pytest.mark.spec("RFC 6749 §3.3")
async def test_oidcc_ensure_other_scope_order_succeeds(play: Play) -> None:
    await check_scopes(play, "email", text="email openid")


@pytest.mark.spec("RFC 6749 §3.3")
async def test_oidcc_alternate_happy_flow(play: Play) -> None:
    """Scopes and parameters the other way round."""
    asked = play.rp.ask(scope="email openid")
    backwards = dict(reversed(asked.parameters.items()))
    assert list(backwards) != list(asked.parameters)
    answer, _ = await play.authorize(type(asked)(backwards, asked.verifier))
    tokens = await play.rp.redeem(play.rp.code(answer, asked), asked)
    assert await told(play, tokens) == {name: KNOWN[name] for name in BY_SCOPE["email"]}


@pytest.mark.spec("OIDC Core §5.5")
async def test_oidcc_claims_essential(play: Play) -> None:
    """`name` comes by UserInfo, where it was asked for, and not in the id_token; and the other way round."""
    at_userinfo = await play.tokens(claims=json.dumps({"userinfo": {"name": {"essential": True}}}))
    assert await told(play, at_userinfo) == {"name": KNOWN["name"]}
    assert "name" not in at_userinfo.claims
    in_id_token = await play.tokens(claims=json.dumps({"id_token": {"name": {"essential": True}}}))
    assert in_id_token.claims["name"] == KNOWN["name"]
    assert await told(play, in_id_token) == {}


@pytest.mark.spec("OIDC Core §5.2")
async def test_oidcc_claims_locales(play: Play) -> None:
    tokens = await play.tokens(claims_locales="se", claims=json.dumps({"userinfo": {"name": None}}))
    assert await told(play, tokens) == {"name": KNOWN["name"]}
