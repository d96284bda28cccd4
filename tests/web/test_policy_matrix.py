"""Who gets in where: every operation of the application, every kind of credential, every state of it.

`GUARDED` and `PUBLIC` are the policy as this suite knows it. A route that is in neither, or that asks for something
else than is written here, fails the first test; the others hold the running application to it.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx2
import pytest
from fastapi.routing import iter_route_contexts
from starlette.requests import HTTPConnection

from service.protocol.errors import CredentialNotAllowed
from service.web.security import ANY, SESSION, Door, Route
from service.web.verify import PATH as VERIFY_PATH
from tests.web.credentials import CARRIERS, CSRF, SCHEME_OF, Credentials, make_credentials, signed_anew
from tests.web.running import Web, assert_problem, basic, bearer

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Policy:
    """What an operation asks for, a request to it that changes nothing but the caller's sessions, and what a caller who
    may gets for that."""

    needed: str
    schemes: tuple[str, ...]
    status: int
    body: dict[str, object] | None = None


GUARDED = {
    ("GET", "/users/me"): Policy("", ANY, 200),
    ("GET", "/users/me/profile"): Policy("account:read", SESSION, 200),
    ("PATCH", "/users/me/profile"): Policy("account:write", SESSION, 422, {"roles": ["admin"]}),
    ("GET", "/users/me/sessions"): Policy("account:read", SESSION, 200),
    ("DELETE", "/users/me/sessions"): Policy("account:write", SESSION, 204),
    ("DELETE", "/users/me/sessions/{session_id}"): Policy("account:write", SESSION, 404),
    ("GET", "/users/me/events"): Policy("account:read", SESSION, 200),
    ("GET", "/users/me/usage"): Policy("account:read", SESSION, 200),
    ("POST", "/users/me/password"): Policy("account:write", SESSION, 422, {}),
    ("GET", "/users/me/api-keys"): Policy("account:read", SESSION, 200),
    ("POST", "/users/me/api-keys"): Policy("account:write", SESSION, 422, {}),
    ("PATCH", "/users/me/api-keys/{key_id}"): Policy("account:write", SESSION, 404, {"name": "x"}),
    ("DELETE", "/users/me/api-keys/{key_id}"): Policy("account:write", SESSION, 404),
    ("POST", "/users/me/api-keys/{key_id}/rotate"): Policy("account:write", SESSION, 404, {}),
    ("POST", "/users/me/email"): Policy("account:write", SESSION, 422, {}),
    ("POST", "/users/me/email/verify"): Policy("account:write", SESSION, 409),
    ("GET", "/users/me/consents"): Policy("account:read", SESSION, 200),
    ("DELETE", "/users/me/consents/{client_id}"): Policy("account:write", SESSION, 404),
    ("GET", "/users/me/identities"): Policy("account:read", SESSION, 200),
    ("POST", "/users/me/identities/{provider}/start"): Policy("account:write", SESSION, 422, {}),
    ("POST", "/users/me/identities/{provider}/finish"): Policy("account:write", SESSION, 422, {}),
    ("DELETE", "/users/me/identities/{identity_id}"): Policy("account:write", SESSION, 404),
    ("GET", "/users/me/identities/{identity_id}/token"): Policy("account:write", SESSION, 404),
    ("POST", "/auth/logout-all"): Policy("", SESSION, 204),
    ("GET", "/auth/revocations"): Policy("revocations:read", ANY, 200),
    ("GET", "/auth/verify"): Policy("", ANY, 200),
    ("GET", "/admin/users"): Policy("admin:users:read", ANY, 200),
    ("POST", "/admin/users"): Policy("admin:users:write", ANY, 422, {}),
    ("GET", "/admin/users/{user_id}"): Policy("admin:users:read", ANY, 404),
    ("PATCH", "/admin/users/{user_id}"): Policy("admin:users:write", ANY, 404, {}),
    ("POST", "/admin/users/{user_id}/password"): Policy("admin:users:write", ANY, 404, {"password": "x"}),
    ("GET", "/admin/users/{user_id}/sessions"): Policy("admin:users:read", ANY, 404),
    ("DELETE", "/admin/users/{user_id}/sessions"): Policy("admin:users:write", ANY, 404),
    ("DELETE", "/admin/users/{user_id}/sessions/{session_id}"): Policy("admin:users:write", ANY, 404),
    ("GET", "/admin/users/{user_id}/api-keys"): Policy("admin:users:read", ANY, 404),
    ("PATCH", "/admin/users/{user_id}/api-keys/{key_id}"): Policy("admin:users:write", ANY, 404, {"rate": "9/h"}),
    ("GET", "/admin/users/{user_id}/consents"): Policy("admin:users:read", ANY, 404),
    ("DELETE", "/admin/users/{user_id}/consents/{client_id}"): Policy("admin:users:write", ANY, 404),
    ("POST", "/admin/invitations"): Policy("admin:users:write", ANY, 422, {}),
    ("GET", "/admin/clients"): Policy("admin:clients:read", ANY, 200),
    ("POST", "/admin/clients"): Policy("admin:clients:write", ANY, 422, {}),
    ("GET", "/admin/clients/{client_id}"): Policy("admin:clients:read", ANY, 404),
    ("PATCH", "/admin/clients/{client_id}"): Policy("admin:clients:write", ANY, 404, {}),
    ("POST", "/admin/clients/{client_id}/rotate-secret"): Policy("admin:clients:write", ANY, 404, {}),
    ("GET", "/admin/identity-providers"): Policy("admin:identity-providers:read", ANY, 200),
    ("POST", "/admin/identity-providers"): Policy("admin:identity-providers:write", ANY, 422, {}),
    ("GET", "/admin/identity-providers/{name}"): Policy("admin:identity-providers:read", ANY, 404),
    ("PATCH", "/admin/identity-providers/{name}"): Policy("admin:identity-providers:write", ANY, 404, {}),
    ("DELETE", "/admin/identity-providers/{name}"): Policy("admin:identity-providers:write", ANY, 404),
    ("GET", "/admin/audit"): Policy("admin:audit:read", ANY, 200),
    ("GET", "/metrics"): Policy("admin:metrics:read", ANY, 200),
    ("GET", "/admin/usage"): Policy("admin:usage:read", ANY, 200),
    ("GET", "/admin/keys"): Policy("admin:keys:read", ANY, 200),
    ("POST", "/admin/keys/rotate"): Policy("admin:keys:write", ANY, 422, {"algorithm": "none"}),
    ("POST", "/admin/keys/{kid}/retire"): Policy("admin:keys:write", ANY, 404),
}
PUBLIC = {
    ("POST", "/auth/login"): 422,
    ("POST", "/auth/refresh"): 400,
    ("POST", "/auth/logout"): 401,
    ("GET", "/auth/federation"): 200,
    ("POST", "/auth/federation/{provider}/start"): 422,
    ("POST", "/auth/federation/{provider}/finish"): 422,
    ("POST", "/auth/register"): 422,
    ("POST", "/auth/register/complete"): 422,
    ("POST", "/auth/password/forgot"): 422,
    ("POST", "/auth/password/reset"): 422,
    ("POST", "/auth/email/confirm"): 422,
    ("GET", "/.well-known/jwks.json"): 200,
    ("GET", "/.well-known/openid-configuration"): 200,
    ("GET", "/.well-known/oauth-authorization-server"): 200,
    ("GET", "/.well-known/oauth-protected-resource"): 200,
    ("GET", "/livez"): 200,
    ("GET", "/readyz"): 200,
    ("GET", "/setup"): 410,
    ("POST", "/setup"): 415,
    ("GET", "/setup/done"): 200,
    ("GET", "/docs"): 200,
    ("GET", "/docs/oauth2-redirect"): 200,
    ("GET", "/openapi.json"): 200,
    ("GET", "/static/{name}"): 404,
    ("GET", "/oauth2/authorize"): 400,
    ("POST", "/oauth2/authorize"): 415,
    ("GET", "/oauth2/resume"): 400,
    ("GET", "/oauth2/logout"): 303,
    ("POST", "/oauth2/logout"): 415,
    ("GET", "/sign-in"): 200,
    ("POST", "/sign-in"): 415,
    ("POST", "/sign-in/with/{provider}"): 415,
    ("POST", "/sign-in/with/{provider}/link"): 415,
    ("GET", "/sign-in/with/{provider}/callback"): 400,
    ("GET", "/sign-in/link"): 400,
    ("POST", "/sign-in/link"): 415,
    ("GET", "/consent"): 400,
    ("POST", "/consent"): 415,
    ("GET", "/device"): 303,
    ("POST", "/device"): 415,
    ("GET", "/device/allowed"): 200,
    ("GET", "/device/denied"): 200,
    ("GET", "/signed-out"): 200,
    ("GET", "/forgot-password"): 200,
    ("POST", "/forgot-password"): 415,
    ("GET", "/forgot-password/sent"): 200,
    ("GET", "/register"): 404,
    ("POST", "/register"): 404,
    ("GET", "/register/sent"): 200,
    ("GET", "/register/complete"): 410,
    ("POST", "/register/complete"): 415,
    ("GET", "/register/complete/done"): 200,
    ("GET", "/reset-password"): 410,
    ("POST", "/reset-password"): 415,
    ("GET", "/reset-password/done"): 200,
    ("GET", "/confirm-email"): 410,
    ("POST", "/confirm-email"): 415,
    ("GET", "/confirm-email/done"): 200,
    ("GET", "/mailbox"): 200,
    **{
        (method, f"/account{place}"): 303
        for method in ("GET", "POST")
        for place in ("", "/password", "/email", "/linked", "/sessions", "/applications", "/api-keys", "/api-keys/new")
    },
}
OAUTH = {
    ("POST", "/oauth2/token"): (400, "invalid_request"),
    ("POST", "/oauth2/device_authorization"): (400, "invalid_client"),
    ("POST", "/oauth2/introspect"): (401, "invalid_client"),
    ("POST", "/oauth2/revoke"): (400, "invalid_client"),
    ("GET", "/userinfo"): (401, "invalid_token"),
    ("POST", "/userinfo"): (401, "invalid_token"),
}
"""What clients call, by proofs of their own: status and error for who brings none."""

OPERATIONS = sorted(GUARDED)
BEARER, BASIC, API_KEY = 'Bearer realm="gatepost"', 'Basic realm="gatepost", charset="UTF-8"', 'ApiKey realm="gatepost"'
METADATA = ', resource_metadata="http://localhost:8000/.well-known/oauth-protected-resource"'
INVALID = ', error="invalid_token", error_description="The credential is not valid."'


@pytest.fixture(scope="module")
async def held(web: Web) -> Credentials:
    """Every credential there is."""
    return await make_credentials(web)


def url_of(path: str) -> str:
    """The path with ids of nothing."""
    for name in ("user_id", "client_id", "session_id", "key_id", "kid", "name"):
        path = path.replace(f"{{{name}}}", "0192f3a0-0000-7000-8000-000000000000")
    return path


async def ask(web: Web, operation: tuple[str, str], fields: object = None, **more: object) -> httpx2.Response:
    """The answer to the operation's harmless request."""
    method, path = operation
    options: dict[str, object] = {"headers": fields, **more}
    if "content" not in options and operation in GUARDED and GUARDED[operation].body is not None:
        options["json"] = GUARDED[operation].body
    web.client.cookies.clear()
    return await web.client.request(method, url_of(path), **options)  # type: ignore[arg-type]  # by name, as given


def challenges(policy: Policy, *, error: str = "") -> list[str]:
    """The challenges of a 401: one for each kind of credential that is taken."""
    scope = f', scope="{policy.needed}"' if policy.needed else ""
    return [
        BEARER + error + scope + METADATA,
        *([BASIC] if "basic" in policy.schemes else []),
        *([API_KEY] if "api_key" in policy.schemes else []),
    ]


def assert_refused(answer: httpx2.Response, policy: Policy, code: str, error: str) -> None:
    """A whole 401: the problem, and the challenges of this very operation."""
    assert_problem(answer, 401, code)
    assert answer.headers.get_list("www-authenticate") == challenges(policy, error=error)


def operations(web: Web) -> Iterator[tuple[tuple[str, str], Route]]:
    """What the application really serves, apart from the hot endpoints."""
    for context in iter_route_contexts(web.app.routes):
        assert isinstance(context.original_route, Route), f"{context.path} is no route with a policy"
        for method in context.methods or ():
            yield (method, context.path or ""), context.original_route


async def test_every_operation_has_the_policy_that_is_written_here(web: Web) -> None:
    found = {
        operation: None if route.door is None else (" ".join(sorted(route.door.needed)), set(route.door.schemes))
        for operation, route in operations(web)
    }
    verify = {("GET", VERIFY_PATH): ("", set(ANY))}
    written = {operation: (policy.needed, set(policy.schemes)) for operation, policy in GUARDED.items()}
    hot = {(method, path): None for path, endpoint in web.hot.items() for method in endpoint.methods}
    assert found | hot | verify == written | dict.fromkeys(PUBLIC) | dict.fromkeys(OAUTH)


@pytest.mark.parametrize("operation", sorted(OAUTH))
async def test_at_the_endpoints_of_oauth_nobody_gets_in_without_a_proof(
    web: Web, held: Credentials, operation: tuple[str, str]
) -> None:
    api_key, cookie = held.lasting["api_key"], await held.right("cookie")
    for fields in ({}, api_key, cookie, {"X-User": "root"}):
        answer = await ask(web, operation, fields)
        assert (answer.status_code, answer.json()["error"]) == OAUTH[operation]
        assert answer.json().keys() == {"error", "error_description"}
        assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)


@pytest.mark.spec("RFC 6750 §3.1")
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_without_a_credential_it_is_401_with_bare_challenges(web: Web, operation: tuple[str, str]) -> None:
    assert_refused(await ask(web, operation), GUARDED[operation], "not_authenticated", "")


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_bad_credential_is_401_whatever_is_bad_about_it(
    web: Web, held: Credentials, operation: tuple[str, str], carrier: str
) -> None:
    by_name = SCHEME_OF[carrier] == "basic"
    for state, fields in held.bad[carrier].items():
        answer = await ask(web, operation, fields)
        assert answer.status_code == 401, (state, answer.text)
        code, error = ("invalid_login", "") if by_name else ("invalid_token", INVALID)
        assert_refused(answer, GUARDED[operation], code, error)


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_good_credential_without_the_scope_is_403_and_the_right_one_gets_in(
    web: Web, held: Credentials, operation: tuple[str, str], carrier: str
) -> None:
    policy = GUARDED[operation]
    if SCHEME_OF[carrier] not in policy.schemes:
        for fields in (held.narrow[carrier], await held.right(carrier)):
            answer = await ask(web, operation, fields)
            assert_problem(answer, 403, "credential_not_allowed")
            assert "www-authenticate" not in answer.headers
        return
    if policy.needed:
        answer = await ask(web, operation, held.narrow[carrier])
        assert_problem(answer, 403, "insufficient_scope")
        assert answer.json()["scope"] == policy.needed
        assert answer.headers.get_list("www-authenticate") == [
            f'{BEARER}, error="insufficient_scope", scope="{policy.needed}"{METADATA}'
        ]
    answer = await ask(web, operation, await held.right(carrier))
    assert answer.status_code == policy.status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    if policy.status >= 400:
        assert_problem(answer, policy.status, {404: "not_found", 409: "conflict"}.get(policy.status, "invalid_request"))


@pytest.mark.spec("BEA-12")
@pytest.mark.parametrize("operation", [operation for operation in OPERATIONS if GUARDED[operation].body is not None])
async def test_401_and_403_come_before_anything_about_the_body(
    web: Web, held: Credentials, operation: tuple[str, str]
) -> None:
    policy = GUARDED[operation]
    for content, media_type in ((b"{", "application/json"), (b"\xff", "text/plain"), (b"[]", "a/b")):
        sent = {"Content-Type": media_type}
        assert_refused(await ask(web, operation, sent, content=content), policy, "not_authenticated", "")
        answer = await ask(web, operation, {**sent, **held.narrow["bearer"]}, content=content)
        assert_problem(answer, 403, "insufficient_scope")


@pytest.mark.spec("BEA-13")
@pytest.mark.parametrize("operation", [operation for operation in OPERATIONS if operation[0] == "GET"])
async def test_head_has_the_status_and_fields_of_get_and_no_body(
    web: Web, held: Credentials, operation: tuple[str, str]
) -> None:
    head, same = ("HEAD", operation[1]), {"X-Request-ID": "same"}  # it is in bodies, whose length is a field
    differing = {"content-length": ""} if operation[1] == "/metrics" else {}  # it counts both
    for fields in ({}, held.bad["bearer"]["expired"], held.narrow["api_key"], held.lasting["basic_client"]):
        gotten, headed = await ask(web, operation, {**fields, **same}), await ask(web, head, {**fields, **same})
        assert (headed.status_code, headed.content) == (gotten.status_code, b"")
        assert {**headed.headers, **differing} == {**gotten.headers, **differing}


@pytest.mark.spec("RFC 6750 §2")
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_two_credentials_are_400_even_when_both_are_good(
    web: Web, held: Credentials, operation: tuple[str, str]
) -> None:
    good = {carrier: dict(await held.right(carrier)) for carrier in CARRIERS}
    for one, other in (("api_key", "bearer"), ("basic_person", "cookie"), ("api_key", "cookie")):
        assert_problem(await ask(web, operation, good[one] | good[other]), 400, "invalid_request")
    twice = [*good["basic_client"].items(), *good["bearer"].items()]
    assert_problem(await ask(web, operation, twice), 400, "invalid_request")
    assert_problem(await ask(web, operation, [*good["api_key"].items()] * 2), 400, "invalid_request")


@pytest.mark.spec("CSRF-04")
@pytest.mark.parametrize("operation", [operation for operation in OPERATIONS if operation[0] != "GET"])
async def test_a_cookie_changes_nothing_without_the_field_or_from_a_foreign_page(
    web: Web, held: Credentials, operation: tuple[str, str]
) -> None:
    fields = dict(await held.right("cookie"))
    for origin in ({}, {"Origin": web.settings.public_url}):
        bare = {name: value for name, value in fields.items() if name not in CSRF}
        assert_problem(await ask(web, operation, bare | origin), 403, "csrf_failed")
    for foreign in ("https://evil.example", "null", web.settings.public_url + ".evil.example", ""):
        assert_problem(await ask(web, operation, fields | {"Origin": foreign}), 403, "csrf_failed")
    answer = await ask(web, operation, fields | {"Origin": web.settings.public_url})
    assert "csrf_failed" not in answer.text


@pytest.mark.parametrize("operation", sorted(PUBLIC))
async def test_what_is_open_to_all_asks_for_no_credential_and_heeds_none(
    web: Web, held: Credentials, operation: tuple[str, str]
) -> None:
    empty = {"json": {}} if operation[1] in ("/auth/login", "/auth/refresh") else {}
    assert (await ask(web, operation, **empty)).status_code == PUBLIC[operation]
    if operation != ("POST", "/auth/logout"):
        answer = await ask(web, operation, held.bad["bearer"]["expired"], **empty)
        assert answer.status_code == PUBLIC[operation]


@pytest.mark.spec("AUTHZ-02")
@pytest.mark.parametrize(
    "path",
    [
        *("/admin/users/", "//admin/users", "/admin//users", "/admin/users;x", "/admin/users.json", "/ADMIN/users"),
        *("/admin/./users", "/admin/users%00", "/admin%2fusers", "/x/../admin/users", "/auth/verify/"),
    ],
)
async def test_no_spelling_of_a_path_passes_its_guard(web: Web, held: Credentials, path: str) -> None:
    for fields in ({}, held.narrow["bearer"]):
        answer = await web.client.get(httpx2.URL(web.settings.public_url, raw_path=path.encode()), headers=fields)
        assert answer.status_code in (401, 403, 404), answer.text


@pytest.mark.spec("AUTHZ-03")
async def test_fields_that_others_believe_give_no_power(web: Web) -> None:
    claimed = dict.fromkeys(("X-User", "X-Forwarded-User", "Remote-User", "X-Auth-Subject", "X-Auth-Scopes"), "root")
    claimed |= {"X-HTTP-Method-Override": "GET", "X-Original-URL": "/livez", "X-Rewrite-URL": "/livez"}
    assert_problem(await web.client.get("/admin/users", headers=claimed), 401, "not_authenticated")


async def test_a_wrong_method_is_405_and_says_which_are_right(web: Web) -> None:
    answer = await web.client.put("/admin/users")
    assert_problem(answer, 405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
    answer = await web.client.delete("/auth/verify")
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD"


async def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_so(web: Web) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 10_000

    for content in (b" " * 400_000, pieces()):
        sent = {"Content-Type": "application/json"}
        answer = await web.client.post("/auth/login", content=content, headers=sent)
        assert_problem(answer, 413, "body_too_large")


async def test_what_is_nowhere_is_a_problem_too(web: Web) -> None:
    assert_problem(await web.client.get("/nowhere"), 404, "not_found")


@pytest.mark.spec("RFC 6750 §3.1")
async def test_verify_asks_for_the_scopes_that_the_proxy_names(web: Web, held: Credentials) -> None:
    asked = {"params": {"scope": "admin:users:read reports:read"}}
    answer = await web.client.get("/auth/verify", **asked)
    assert_refused(answer, Policy("admin:users:read reports:read", ANY, 200), "not_authenticated", "")
    answer = await web.client.get("/auth/verify", headers=held.narrow["bearer"], **asked)
    assert_problem(answer, 403, "insufficient_scope")
    asked = {"params": {"scope": "reports:read"}}
    answer = await web.client.get("/auth/verify", headers=held.narrow["bearer"], **asked)
    assert (answer.status_code, answer.headers["x-auth-scopes"]) == (200, "reports:read")


async def test_a_script_of_a_page_is_not_offered_basic(web: Web) -> None:
    answer = await web.client.get("/users/me", headers={"Sec-Fetch-Mode": "cors"})
    assert answer.headers.get_list("www-authenticate") == [BEARER + METADATA, API_KEY]
    answer = await web.client.get("/users/me", headers={"Sec-Fetch-Mode": "navigate"})
    assert answer.headers.get_list("www-authenticate") == [BEARER + METADATA, BASIC, API_KEY]


async def test_a_key_in_the_address_is_no_credential_unless_it_is_allowed(web: Web, held: Credentials) -> None:
    text = held.lasting["api_key"]["X-API-Key"]
    answer = await web.client.get("/users/me", params={"api_key": text})
    assert_problem(answer, 401, "not_authenticated")


async def test_an_unknown_scheme_is_no_credential(web: Web) -> None:
    answer = await web.client.get("/users/me", headers={"Authorization": "Digest username=x"})
    assert_refused(answer, GUARDED["GET", "/users/me"], "not_authenticated", "")
    answer = await web.client.get("/users/me", headers=basic("", ""))
    assert_refused(answer, GUARDED["GET", "/users/me"], "invalid_login", "")


async def test_a_token_of_no_session_may_not_do_what_takes_a_person_who_has_signed_in(web: Web) -> None:
    await web.add_user("sessionless")
    tokens = await web.sign_in("sessionless")
    token = signed_anew(web, tokens["access_token"], sid=None)
    assert (await web.client.get("/users/me", headers=bearer(token))).json()["scheme"] == "bearer"
    answer = await web.client.get("/users/me/sessions", headers=bearer(token))
    assert_problem(answer, 403, "credential_not_allowed")


@pytest.mark.parametrize("carrier", CARRIERS)
async def test_a_guard_takes_the_kinds_that_it_names_and_no_other(web: Web, held: Credentials, carrier: str) -> None:
    fields = [(name.lower().encode(), value.encode()) for name, value in (await held.right(carrier)).items()]
    for scheme in ANY:
        scope = {"type": "http", "method": "GET", "headers": fields, "query_string": b"", "app": web.app}
        guard = Door(frozenset(), (scheme,))
        if scheme == SCHEME_OF[carrier]:
            assert (await guard(HTTPConnection(scope))).scheme == scheme
        else:
            with pytest.raises(CredentialNotAllowed):
                await guard(HTTPConnection(scope))
