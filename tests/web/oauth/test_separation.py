"""What was given for one thing is good for no other: each kind of text at each door, each API, each application."""

from dataclasses import dataclass

import httpx2
import pytest

from gatepost import KeySet, TokenReader, TokenRefused
from service import clock
from service.accounts.account import User
from service.accounts.change import UserChange
from service.clients.registry import ClientChange
from service.tokens.issue import AccessTokenIssuer
from tests.web.credentials import signed_anew
from tests.web.oauth.asking import (
    INTROSPECT,
    REVOKE,
    SERVICE,
    TOKEN,
    USERINFO,
    App,
    assert_oauth_error,
    given,
    register,
)
from tests.web.oauth.browsing import Surfer, surfing
from tests.web.running import Web, assert_problem, bearer

pytestmark = pytest.mark.anyio
API_A, API_B = "https://a.example", "https://b.example"


@dataclass(frozen=True)
class Held:
    """Every text that somebody may hold, by what it is."""

    app: App
    texts: dict[str, str]


@pytest.fixture(scope="module")
async def held(web: Web, ada: User) -> Held:
    """One of each kind, all genuine and alive."""
    app = await register(web, "Holder", "orders:read", "account:read", resources=(API_A, API_B))
    robot = await register(web, "Robot", "orders:read", "account:read", grants=SERVICE)
    async with surfing(web) as browser:
        await browser.signed_in("ada")
        tokens = await app.tokens(browser)
        own = await web.sign_in("ada")
        texts = {
            "access": tokens["access_token"],
            "refresh": tokens["refresh_token"],
            "id": tokens["id_token"],
            "logout": signed_anew(web, tokens["access_token"], typ="logout+jwt", aud=app.client.id),
            "code": await app.code(browser),
            "own access": own["access_token"],
            "own refresh": own["refresh_token"],
            "client": given(await robot.as_itself())["access_token"],
            "elsewhere": (await app.tokens(browser, resource=API_A))["access_token"],
            "session": browser.client.cookies["gp_session"],
            "browser": browser.client.cookies["gp_browser"],
            "secret": app.secret,
        }
    return Held(app, texts)


@pytest.mark.spec("JWT-49")
@pytest.mark.spec("TOK-03")
@pytest.mark.spec("RFC 8725 §3.12")
@pytest.mark.parametrize(
    "kind", ["refresh", "id", "logout", "code", "own refresh", "client", "elsewhere", "session", "browser", "secret"]
)
async def test_userinfo_opens_to_a_persons_access_token_for_this_service_alone(web: Web, held: Held, kind: str) -> None:
    given(await web.client.get(USERINFO, headers=bearer(held.texts["access"])))
    for answer in (
        await web.client.get(USERINFO, headers=bearer(held.texts[kind])),
        await web.client.post(USERINFO, headers=bearer(held.texts[kind])),
    ):
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert "sub" not in answer.json()


@pytest.mark.spec("JWT-49")
@pytest.mark.spec("TOK-10")
@pytest.mark.spec("RFC 9068 §4")
@pytest.mark.parametrize(
    "kind", ["refresh", "id", "logout", "code", "own refresh", "elsewhere", "session", "browser", "secret"]
)
async def test_the_api_opens_to_none_of_the_other_texts(web: Web, held: Held, kind: str) -> None:
    text = held.texts[kind]
    for path in ("/users/me", "/users/me/sessions", "/auth/verify"):
        assert_problem(await web.client.get(path, headers=bearer(text)), 401, "invalid_token")
        assert_problem(await web.client.get(path, headers={"X-API-Key": text}), 401, "invalid_token")
        cookie = {"Cookie": f"gp_access={text}", "X-Gatepost-CSRF": "1"}
        assert_problem(await web.client.get(path, headers=cookie), 401, "invalid_token")


@pytest.mark.spec("RFC 6749 §6")
@pytest.mark.parametrize(
    "kind", ["access", "id", "logout", "code", "own access", "own refresh", "client", "elsewhere", "session", "secret"]
)
async def test_only_the_clients_own_refresh_token_refreshes_and_only_a_code_is_a_code(
    web: Web, held: Held, kind: str
) -> None:
    text = held.texts[kind]
    assert_oauth_error(await held.app.refresh(text), 400, "invalid_grant")
    if kind != "code":
        assert_oauth_error(await held.app.redeem(text), 400, "invalid_grant")
    if kind != "own refresh":
        answer = await web.client.post("/auth/refresh", json={"refresh_token": text})
        assert_problem(answer, 401, "invalid_grant")


@pytest.mark.spec("INT-08")
@pytest.mark.parametrize("kind", ["id", "logout", "code", "own access", "own refresh", "client", "session", "secret"])
async def test_introspection_calls_good_only_the_clients_own_tokens(held: Held, kind: str) -> None:
    assert await held.app.is_active(held.texts["access"])
    assert await held.app.is_active(held.texts["refresh"])
    assert not await held.app.is_active(held.texts[kind])


async def test_the_refresh_token_of_an_application_is_no_use_at_our_own_sign_in(web: Web, held: Held) -> None:
    answer = await web.client.post("/auth/refresh", json={"refresh_token": held.texts["refresh"]})
    assert_problem(answer, 401, "invalid_grant")
    assert await held.app.is_active(held.texts["refresh"])


@pytest.mark.spec("JWT-46")
@pytest.mark.spec("RFC 9068 §4")
@pytest.mark.spec("RFC 8707 §2")
async def test_a_token_for_one_api_is_refused_by_another_with_the_kit(web: Web, held: Held) -> None:
    keys = KeySet.from_jwks((await web.client.get("/.well-known/jwks.json")).json())
    issuer, now = web.settings.issuer, clock.now()
    readers = {audience: TokenReader(issuer, audience) for audience in (API_A, API_B, issuer)}
    for kind, audience in (("elsewhere", API_A), ("access", issuer), ("client", issuer)):
        for name, reader in readers.items():
            if name == audience:
                assert reader.read(held.texts[kind], keys, now=now).audience == (audience,)
            else:
                with pytest.raises(TokenRefused, match="audience"):
                    reader.read(held.texts[kind], keys, now=now)
    for kind in ("id", "logout"):
        with pytest.raises(TokenRefused):
            TokenReader(issuer, held.app.client.id).read(held.texts[kind], keys, now=now)


@pytest.mark.spec("CC-05")
@pytest.mark.spec("CC-06")
@pytest.mark.spec("RFC 9700 §4.15")
async def test_the_token_of_a_client_never_passes_for_a_persons(web: Web, held: Held, ada: User) -> None:
    token = held.texts["client"]
    me = (await web.client.get("/users/me", headers=bearer(token))).json()
    assert me["kind"] == "client"
    assert not me.keys() & {"username", "email", "roles", "session_id", "auth_time"}
    for method, path in (("GET", "/users/me/sessions"), ("POST", "/auth/logout-all"), ("GET", "/users/me/api-keys")):
        assert_problem(await web.client.request(method, path, headers=bearer(token)), 403, "credential_not_allowed")
    # A client that was given a person's id for its own, by whatever mistake, is still no person.
    issuer = AccessTokenIssuer(
        web.rooms.keyring,
        issuer=web.settings.issuer,
        audience=web.settings.audience,
        life=web.settings.tokens.access_life,
    )
    draft = issuer.draft(
        subject=ada.id, client_id=ada.id, scopes=frozenset({"openid", "account:read"}), epoch=ada.epoch
    )
    posing = issuer.issue(draft, now=clock.now()).token
    me = (await web.client.get("/users/me", headers=bearer(posing))).json()
    assert (me["kind"], me.get("username")) == ("client", None)
    assert (await web.client.get(USERINFO, headers=bearer(posing))).status_code == 401
    assert (await web.client.get("/users/me/sessions", headers=bearer(posing))).status_code == 403


@pytest.mark.spec("SCOPE-01")
@pytest.mark.spec("OIDC Core §5.4")
async def test_an_application_learns_of_the_person_no_more_than_was_allowed(web: Web, surfer: Surfer) -> None:
    user = await web.add_user("eve", roles=("clerk",))
    await web.rooms.directory.change(user.id, UserChange(email="eve@private.example"), now=clock.now())
    await surfer.signed_in("eve")
    app = await register(web, "Curious", "orders:read", "account:read")
    for scope, told in (
        ("orders:read", {}),
        ("openid orders:read", {}),
        ("openid profile", {"username": "eve"}),
        ("email", {"email": "eve@private.example"}),
        ("account:read", {"roles": ["clerk"]}),
    ):
        token = (await app.tokens(surfer, scope=scope))["access_token"]
        me = (await web.client.get("/users/me", headers=bearer(token))).json()
        assert (me["sub"], me["client_id"]) == (user.id, app.client.id)
        assert {name: me[name] for name in ("username", "email", "roles") if name in me} == told, scope
    own = (await web.client.get("/users/me", headers=await web.token("eve"))).json()
    assert (own["username"], own["email"], own["roles"]) == ("eve", "eve@private.example", ["clerk"])


async def test_an_application_cannot_sign_a_person_out_everywhere_unless_it_was_allowed_to(
    web: Web, surfer: Surfer
) -> None:
    await web.add_user("mallet")
    await surfer.signed_in("mallet")
    own = await web.token("mallet")
    app = await register(web, "Vandal", "orders:read", "account:write")
    weak, strong = [
        bearer((await app.tokens(surfer, scope=scope))["access_token"]) for scope in ("openid", "openid account:write")
    ]
    answer = await web.client.post("/auth/logout-all", headers=weak)
    assert_problem(answer, 403, "insufficient_scope")
    assert answer.json()["scope"] == "account:write"
    assert (await web.client.get("/users/me", headers=own)).status_code == 200
    assert (await web.client.post("/auth/logout-all", headers=strong)).status_code == 204
    for fields in (own, weak, strong):
        assert (await web.client.get("/users/me", headers=fields)).status_code == 401


async def ended(web: Web, token: str) -> bool:
    answer: httpx2.Response = await web.client.get("/users/me", headers=bearer(token))
    return answer.status_code == 401


@pytest.mark.spec("REV-05")
@pytest.mark.spec("LIFE-03")
async def test_what_happens_to_one_client_does_not_touch_its_neighbour(web: Web, surfer: Surfer, ada: User) -> None:
    await surfer.signed_in("ada")
    one, other = [await register(web, name) for name in ("One", "Other")]
    mine, theirs = await one.tokens(surfer), await other.tokens(surfer)
    for path in (REVOKE, INTROSPECT):
        for kind in ("access_token", "refresh_token"):
            await one.ask(path, token=theirs[kind])
    assert_oauth_error(await one.refresh(theirs["refresh_token"]), 400, "invalid_grant")
    assert not await ended(web, theirs["access_token"])
    theirs = given(await other.refresh(theirs["refresh_token"]))
    await web.rooms.clients.change(one.client.id, ClientChange(disabled=True), now=clock.now())
    assert await ended(web, mine["access_token"])
    assert not await ended(web, theirs["access_token"])
    for path in (TOKEN, REVOKE, INTROSPECT):
        form = {"grant_type": "refresh_token", "refresh_token": mine["refresh_token"], "token": mine["refresh_token"]}
        assert_oauth_error(await one.ask(path, **form), 401, "invalid_client")
    given(await other.refresh(theirs["refresh_token"]))


@pytest.mark.spec("OUT-01")
@pytest.mark.spec("OUT-02")
@pytest.mark.spec("REV-06")
async def test_our_own_logout_ends_what_is_the_callers_own_and_no_grant_of_an_application(
    web: Web, surfer: Surfer, ada: User, bob: User
) -> None:
    mine, theirs = await web.sign_in("ada"), await web.sign_in("bob")
    stolen = {"refresh_token": theirs["refresh_token"]}
    answer = await web.client.post("/auth/logout", json=stolen, headers=bearer(mine["access_token"]))
    assert answer.status_code == 204
    assert not await ended(web, theirs["access_token"])
    assert not await ended(web, mine["access_token"])
    app = await register(web, "Granted")
    await surfer.signed_in("ada")
    granted = await app.tokens(surfer)
    for fields in ({}, bearer(mine["access_token"])):
        body = {"refresh_token": granted["refresh_token"]}
        assert_problem(await web.client.post("/auth/logout", json=body, headers=fields), 401, "invalid_grant")
    assert not await ended(web, granted["access_token"])
    given(await app.refresh(granted["refresh_token"]))
    for one, fields in ((theirs, {}), (mine, bearer("of.long.ago"))):
        body = {"refresh_token": one["refresh_token"]}
        assert (await web.client.post("/auth/logout", json=body, headers=fields)).status_code == 204
        assert await ended(web, one["access_token"])
        assert_problem(await web.client.post("/auth/refresh", json=body), 401, "invalid_grant")
