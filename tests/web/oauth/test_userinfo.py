"""`/userinfo` as HTTP: a person's access token with `openid`, in the Authorization field, and nothing else."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from service import clock
from service.accounts.account import User
from service.accounts.directory import UserChange
from tests.web.oauth.asking import FORM, SERVICE, USERINFO, App, given, register
from tests.web.oauth.browsing import Surfer, surfing
from tests.web.running import Web, basic, bearer

pytestmark = pytest.mark.anyio
OURS = "https://app.example"
METADATA = ', resource_metadata="http://localhost:8000/.well-known/oauth-protected-resource"'
BARE = f'Bearer realm="gatepost"{METADATA}'


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    """One origin may read answers."""
    return {"SERVER__CORS_ORIGINS": OURS}


@pytest.fixture(scope="module")
async def app(web: Web) -> App:
    """An application."""
    return await register(web, "Orders")


@pytest.fixture(scope="module")
async def browser(web: Web, ada: User) -> AsyncIterator[Surfer]:
    """Ada's browser, signed in."""
    await web.rooms.directory.change(ada.id, UserChange(email="ada@example.org"), now=clock.now())
    async with surfing(web) as surfer:
        yield await surfer.signed_in("ada")


@pytest.fixture(scope="module")
async def token(app: App, browser: Surfer) -> str:
    """A token with `openid`."""
    found: str = (await app.tokens(browser, scope="openid"))["access_token"]
    return found


@pytest.mark.spec("OIDC Core §5.3.1")
@pytest.mark.spec("OIDC Core §5.3.2")
async def test_get_and_post_tell_the_same_and_sub_is_that_of_the_id_token(
    web: Web, app: App, browser: Surfer, token: str, ada: User
) -> None:
    gotten, posted = [await web.client.request(method, USERINFO, headers=bearer(token)) for method in ("GET", "POST")]
    assert given(gotten) == given(posted) == {"sub": ada.id}
    empty_form = await web.client.post(USERINFO, headers={**bearer(token), **FORM}, content=b"")
    lower = await web.client.get(USERINFO, headers={"Authorization": f"bearer {token}"})
    assert given(empty_form) == given(lower) == {"sub": ada.id}
    whole = await app.tokens(browser, scope="openid profile email address phone")
    assert given(await web.client.get(USERINFO, headers=bearer(whole["access_token"]))) == {
        "sub": ada.id,
        "preferred_username": "ada",
        "email": "ada@example.org",
        "email_verified": False,
    }


@pytest.mark.spec("TOK-01")
@pytest.mark.spec("TOK-02")
@pytest.mark.spec("RFC 6750 §2")
async def test_a_token_in_an_address_or_a_form_or_two_of_them_are_refused(web: Web, token: str) -> None:
    field, other = bearer(token), bearer("x")
    form = {"access_token": token}
    twice = [*field.items(), *field.items()]
    for what, request in {
        "in the address": {"params": form},
        "in the address and the field": {"params": form, "headers": field},
        "empty, in the address": {"params": {"access_token": ""}, "headers": field},
        "in a form": {"method": "POST", "data": form},
        "in a form and the field": {"method": "POST", "data": form, "headers": field},
        "another in a form": {"method": "POST", "data": {"access_token": "x"}, "headers": field},
        "the same field twice": {"headers": twice},
        "BEA-04": {"headers": [*other.items(), *field.items()]},
        "good, then bad": {"headers": [*field.items(), *other.items()]},
        "with Basic": {"headers": [*field.items(), *basic("ada", "x").items()]},
    }.items():
        answer = await web.client.request(**{"method": "GET", "url": USERINFO, **request})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), what
        assert "sub" not in answer.json()


@pytest.mark.spec("BEA-01")
@pytest.mark.spec("RFC 6750 §3.1")
async def test_without_a_bearer_token_there_is_a_bare_challenge(web: Web, token: str) -> None:
    cookie = {"Cookie": f"gp_access={token}", "X-Gatepost-CSRF": "1"}
    for fields in (
        {},
        basic("ada", "x"),
        {"Authorization": "Digest x"},
        {"X-API-Key": token},
        cookie,
        {"X-User": "ada"},
    ):
        for method in ("GET", "POST", "HEAD"):
            answer = await web.client.request(method, USERINFO, headers=fields)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, BARE)


@pytest.mark.spec("BEA-02")
@pytest.mark.spec("BEA-03")
async def test_a_malformed_or_unknown_token_is_an_invalid_one(web: Web, token: str) -> None:
    for text in (
        *("Bearer", "Bearer ", "Bearer x", f"Bearer  {token}", f"Bearer {token} {token}", f"Bearer {token},{token}"),
        *(
            f"Bearer\t{token}x",
            f"Bearer {token}=",
            f'Bearer "{token}"',
            "Bearer " + "a" * 20_000,
            f"Bearer {token[:-1]}",
        ),
    ):
        answer = await web.client.get(USERINFO, headers={"Authorization": text})
        assert answer.status_code == 401, text
        assert answer.json()["error"] == "invalid_token"
        challenge = answer.headers["www-authenticate"]
        assert challenge == BARE or 'error="invalid_token"' in challenge
    raw = [(b"authorization", b"Bearer " + "é".encode())]
    assert (await web.client.get(USERINFO, headers=raw)).status_code == 401


@pytest.mark.spec("BEA-11")
@pytest.mark.spec("RFC 6750 §3.1")
async def test_a_token_without_openid_lacks_the_scope_and_a_clients_is_nobodys(
    web: Web, app: App, browser: Surfer
) -> None:
    for scope in ("orders:read", "profile email", "offline_access"):
        plain = (await app.tokens(browser, scope=scope))["access_token"]
        answer = await web.client.get(USERINFO, headers=bearer(plain))
        assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
        assert answer.headers["www-authenticate"] == (
            f'Bearer realm="gatepost", error="insufficient_scope", scope="openid"{METADATA}'
        )
    robot = await register(web, "Robot", "openid", "orders:read", grants=SERVICE)
    token = given(await robot.as_itself())["access_token"]
    answer = await web.client.get(USERINFO, headers=bearer(token))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


async def test_a_token_dies_with_its_session_and_with_its_owner(web: Web, app: App, surfer: Surfer) -> None:
    user = await web.add_user("shortlived", roles=("clerk",))
    await surfer.signed_in("shortlived")
    revoked, disabled = [(await app.tokens(surfer))["access_token"] for _ in range(2)]
    assert (await app.ask("/oauth2/revoke", token=revoked)).status_code == 200
    assert (await web.client.get(USERINFO, headers=bearer(revoked))).status_code == 401
    assert (await web.client.get(USERINFO, headers=bearer(disabled))).status_code == 200
    await web.rooms.directory.change(user.id, UserChange(disabled=True), now=clock.now())
    assert (await web.client.get(USERINFO, headers=bearer(disabled))).status_code == 401


@pytest.mark.spec("OIDC Core §5.3")
@pytest.mark.spec("CORS-01")
async def test_a_configured_origin_may_read_it_and_no_other(web: Web, token: str) -> None:
    for origin, allowed in ((OURS, OURS), ("https://evil.example", None), ("null", None)):
        for fields in (bearer(token), {}):
            answer = await web.client.get(USERINFO, headers={**fields, "Origin": origin})
            assert answer.headers.get("access-control-allow-origin") == allowed


async def test_other_methods_are_told_which_there_are(web: Web, token: str) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = await web.client.request(method, USERINFO, headers=bearer(token))
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    head = await web.client.head(USERINFO, headers=bearer(token))
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.spec("HTTP-12")
async def test_nobody_keeps_the_answer(web: Web, token: str) -> None:
    answers: list[Any] = [await web.client.get(USERINFO, headers=fields) for fields in (bearer(token), {})]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
