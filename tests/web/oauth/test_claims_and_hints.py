"""What an application asks for beside scopes: single claims, ways of proof, and somebody in particular."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from gatepost.encoding import encode_segment
from gatepost.jws import parse_jws
from gatepost.testing import TestIssuer
from service import clock
from service.accounts.account import User
from service.accounts.directory import UserChange
from service.sessions.pairs import Device
from tests.rooms import HERE
from tests.servers.gatepost import PASSWORD
from tests.web.credentials import signed_anew
from tests.web.oauth.asking import USERINFO, App, given, register
from tests.web.oauth.browsing import Surfer, hidden, returned, surfing
from tests.web.reading import read_page
from tests.web.running import Web, bearer

pytestmark = pytest.mark.anyio
CLAIMS = json.dumps(
    {"userinfo": {"email": None}, "id_token": {"preferred_username": {"essential": True}, "nothing": None}}
)


@pytest.fixture(scope="module")
async def eve(web: Web) -> User:
    """A person with an address."""
    user = await web.add_user("eve", roles=("clerk",))
    return await web.rooms.directory.change(user.id, UserChange(email="eve@private.example"), now=clock.now())


@pytest.fixture(scope="module")
async def trusted(web: Web) -> App:
    """An application that does not ask for consent."""
    return await register(web, "Intranet")


def segment(document: dict[str, str]) -> str:
    """One part of a request object."""
    return encode_segment(json.dumps(document).encode()).decode()


def claims_in(token: str) -> dict[str, Any]:
    """The payload of a token."""
    document: dict[str, Any] = json.loads(parse_jws(token).payload)
    return document


@pytest.mark.spec("OIDC Core §5.5")
@pytest.mark.spec("SCOPE-05")
async def test_single_claims_are_told_only_after_the_person_was_shown_them(web: Web, surfer: Surfer, eve: User) -> None:
    app = await register(web, "Curious", skips_consent=False)
    await surfer.signed_in("eve")
    page = await surfer.authorize(app.client, scope="openid")
    assert scopes_shown(page.text) == set()
    plain = given(await app.redeem(returned(await surfer.allow(page))["code"]))
    assert given(await web.client.get(USERINFO, headers=bearer(plain["access_token"]))) == {"sub": eve.id}
    # The yes to `openid` is no yes to more, asked for in another parameter.
    assert returned(await surfer.authorize(app.client, scope="openid", claims=CLAIMS, prompt="none"))["error"] == (
        "consent_required"
    )
    asked = await surfer.authorize(app.client, scope="openid", claims=CLAIMS)
    assert {"email", "profile"} == scopes_shown(asked.text)
    refused = await surfer.submit(asked, choice="allow", csrf=read_page(page.text).inputs["csrf"]["value"])
    assert refused.status_code == 403
    told = given(await app.redeem(returned(await surfer.allow(asked))["code"]))
    known = given(await web.client.get(USERINFO, headers=bearer(told["access_token"])))
    assert known == {"sub": eve.id, "email": "eve@private.example"}
    assert claims_in(told["id_token"])["preferred_username"] == "eve"
    assert "email" not in claims_in(told["id_token"])
    assert told["scope"] == "openid"
    again = returned(await surfer.authorize(app.client, scope="openid", claims=CLAIMS, prompt="none"))
    assert "code" in again


def scopes_shown(html: str) -> set[str]:
    """The scopes whose words are on a consent page."""
    words = {"profile": "See your name", "email": "See your e-mail address"}
    return {scope for scope, text in words.items() if text in html}


@pytest.mark.spec("OIDC Core §5.5.1.1")
async def test_an_insisted_way_of_proof_that_cannot_be_had_gives_no_code_and_a_wish_is_only_a_wish(
    surfer: Surfer, trusted: App, eve: User
) -> None:
    await surfer.signed_in("eve")
    strong = {"essential": True, "values": ["urn:mace:incommon:iap:silver"]}
    for asked in (strong, {"essential": True, "value": "phr"}):
        claims = json.dumps({"id_token": {"acr": asked}})
        for prompt in (None, "none", "login"):
            answer = await surfer.authorize(trusted.client, claims=claims, prompt=prompt)
            if answer.status_code == 200:
                assert prompt == "login"
                answer = await surfer.sign_in(answer, "eve")
            assert returned(answer)["error"] == "unmet_authentication_requirements"
    wish = json.dumps({"id_token": {"acr": {**strong, "essential": False}}})
    told = await trusted.tokens(surfer, claims=wish, acr_values="phr phrh")
    assert "acr" not in claims_in(told["id_token"])


@pytest.mark.spec("OIDC Core §3.1.2.1")
@pytest.mark.spec("JWT-49")
async def test_a_hint_is_an_id_token_of_ours_or_the_request_is_refused(
    web: Web, surfer: Surfer, trusted: App, eve: User
) -> None:
    await surfer.signed_in("eve")
    told = await trusted.tokens(surfer)
    good = told["id_token"]
    stranger = TestIssuer(web.settings.issuer, web.settings.audience)
    for what, hint in {
        "access token": told["access_token"],
        "refresh token": told["refresh_token"],
        "logout token": signed_anew(web, good, typ="logout+jwt"),
        "another issuer's": signed_anew(web, good, typ="JWT", iss="https://elsewhere.example"),
        "a stranger's key": stranger.sign({"alg": "ES256", "typ": "JWT", "kid": stranger.kid}, claims_in(good)),
        "unsigned": f"{good.rpartition('.')[0]}.",
        "changed": f"{good[:-2]}AA",
        "of nobody": signed_anew(web, good, typ="JWT", sub=None),
        "long": "x" * 4_000,
    }.items():
        fields = returned(await surfer.authorize(trusted.client, id_token_hint=hint, prompt="none"))
        assert fields["error"] == "invalid_request", what
        assert "code" not in fields
    old = signed_anew(web, good, typ="JWT", exp=1, iat=1)
    for hint in (good, old):
        assert "code" in returned(await surfer.authorize(trusted.client, id_token_hint=hint, prompt="none"))


@pytest.mark.spec("OIDC Core §3.1.2.2")
async def test_an_answer_is_never_about_somebody_else_than_was_asked_for(
    web: Web, surfer: Surfer, other_surfer: Surfer, trusted: App, eve: User, bob: User
) -> None:
    await surfer.signed_in("eve")
    hint = (await trusted.tokens(surfer))["id_token"]
    await other_surfer.signed_in("bob")
    named = json.dumps({"id_token": {"sub": {"value": eve.id}}})
    for asked in ({"id_token_hint": hint}, {"claims": named}, {"id_token_hint": hint, "claims": named}):
        fields = returned(await other_surfer.authorize(trusted.client, prompt="none", **asked))
        assert fields["error"] == "login_required"
        page = await other_surfer.authorize(trusted.client, **asked)
        assert page.request.url.path == "/sign-in"
        answer = await other_surfer.sign_in(page, "bob")
        assert returned(answer)["error"] == "login_required"
        assert "code" in returned(await surfer.authorize(trusted.client, prompt="none", **asked))
    both = json.dumps({"id_token": {"sub": {"value": bob.id}}})
    fields = returned(await surfer.authorize(trusted.client, id_token_hint=hint, claims=both))
    assert fields["error"] == "invalid_request"


@pytest.mark.spec("SESS-06")
@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_signing_in_again_takes_the_password_and_moves_the_time_of_it(web: Web, trusted: App, eve: User) -> None:
    user = await web.rooms.sign_in.check("eve", PASSWORD, source=HERE)
    before = clock.now() - timedelta(minutes=10)
    cookie = await web.rooms.browser_sessions.open(user, amr=("pwd",), device=Device(), before=None, now=before)
    async with surfing(web) as surfer:
        surfer.client.cookies.set("gp_session", cookie, domain="localhost.local")
        then = claims_in((await trusted.tokens(surfer, max_age="3600"))["id_token"])["auth_time"]
        assert then == int(before.timestamp())
        for asked in ({"prompt": "login"}, {"max_age": "60"}, {"max_age": "0"}):
            page = await surfer.authorize(trusted.client, **asked)
            assert page.request.url.path == "/sign-in"
            carried = hidden(page)["request"]
            skipped = await surfer.follow(await surfer.get("/oauth2/resume", request=carried))
            assert skipped.request.url.path == "/sign-in"
            for proof in ({}, {"username": "eve", "password": ""}, {"username": "eve", "password": "wrong"}):
                answer = await surfer.submit(page, **proof)
                assert answer.status_code == 422
            answer = await surfer.submit(page, choice="continue")
            assert "location" not in answer.headers or "code=" not in answer.headers["location"]
        answer = await surfer.sign_in(page, "eve")
        tokens = given(await trusted.redeem(returned(answer)["code"]))
        assert claims_in(tokens["id_token"])["auth_time"] > then


@pytest.mark.spec("REQ-01")
@pytest.mark.spec("REQ-02")
@pytest.mark.spec("SSRF-01")
@pytest.mark.spec("OIDC Core §6")
async def test_a_request_object_is_neither_believed_nor_fetched(surfer: Surfer, trusted: App, eve: User) -> None:
    await surfer.signed_in("eve")
    evil = segment({"redirect_uri": "https://evil.example", "client_id": trusted.client.id})
    came: list[object] = []
    listener = await asyncio.start_server(lambda *connection: came.append(connection), "127.0.0.1", 0)
    async with listener:
        address = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/request.jwt"
        for asked, error in (
            ({"request": f"{segment({'alg': 'none'})}.{evil}."}, "request_not_supported"),
            ({"request": f"{segment({'alg': 'HS256'})}.{evil}.AAAA"}, "request_not_supported"),
            ({"request": "x", "request_uri": address}, "request_not_supported"),
            ({"request_uri": address}, "request_uri_not_supported"),
            ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "request_uri_not_supported"),
            ({"request_uri": "file:///etc/passwd"}, "request_uri_not_supported"),
        ):
            for prompt in (None, "none"):
                fields = returned(await surfer.authorize(trusted.client, prompt=prompt, **asked))
                assert fields["error"] == error
        page = await surfer.authorize(trusted.client, redirect_uri=None, request_uri=address)
        assert (page.status_code, "location" in page.headers) == (400, False)
    assert came == []
