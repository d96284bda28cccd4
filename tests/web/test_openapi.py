"""The OpenAPI document tells the truth about the application."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from anyio import to_process

from service import clock
from service.access.catalogue import Catalogue
from service.clients.metadata import CLIENT_CREDENTIALS, DEVICE_CODE, ClientMetadata
from service.web.admin.clients import ClientChanged
from service.web.admin.users import UserChanged
from service.web.security import ANY
from tests.servers.valkey import ValkeyServer
from tests.web.credentials import make_credentials
from tests.web.running import Web, assert_problem, basic, running_web
from tests.web.test_policy_matrix import GUARDED, OAUTH, PUBLIC

pytestmark = pytest.mark.anyio
_PAGES = (
    *("/setup", "/docs", "/static", "/openapi", "/oauth2/", "/sign-in", "/consent", "/device", "/signed-out"),
    *("/forgot-password", "/reset-password", "/register", "/confirm-email", "/mailbox", "/account"),
)
PAGES = {path for _, path in PUBLIC if path.startswith(_PAGES)}
Document = dict[str, Any]


@pytest.fixture(scope="module")
async def document(web: Web) -> Document:
    """What `/openapi.json` answers."""
    answer = await web.client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    found: Document = answer.json()
    return found


def operations(document: Document) -> Iterator[tuple[tuple[str, str], Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield (method.upper(), path), operation


async def test_it_is_a_valid_openapi_3_1_document(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    # In another process: seconds of work that let no other thread run, and the application here has deadlines.
    await to_process.run_sync(validate, document)


def validate(document: Document) -> None:
    schemathesis.openapi.from_dict(document).validate()


async def test_it_has_every_operation_but_the_pages(document: Document) -> None:
    assert {operation for operation, _ in operations(document)} == GUARDED.keys() | OAUTH.keys() | {
        operation for operation in PUBLIC if operation[1] not in PAGES
    }


async def test_every_endpoint_in_front_of_the_router_is_described_with_its_methods(
    web: Web, document: Document
) -> None:
    described = {path: {method.upper() for method in document["paths"][path]} for path in web.hot}
    assert described == {path: set(endpoint.methods) for path, endpoint in web.hot.items()}
    assert described.keys() == {"/auth/verify", *(path for _, path in OAUTH)}


async def test_the_forms_of_oauth_have_the_fields_that_are_read(web: Web, document: Document) -> None:
    def fields(path: str) -> set[str]:
        content = document["paths"][path]["post"]["requestBody"]["content"]
        assert list(content) == ["application/x-www-form-urlencoded"]
        return set(content["application/x-www-form-urlencoded"]["schema"]["properties"])

    proof = {"client_id", "client_secret"}
    assert fields("/oauth2/token") == web.rooms.tokens.parameters
    assert fields("/oauth2/device_authorization") == {"scope", "resource"} | proof
    assert fields("/oauth2/introspect") == fields("/oauth2/revoke") == {"token", "token_type_hint"} | proof


async def test_what_the_endpoints_of_oauth_answer_is_described(web: Web, document: Document) -> None:
    application, secret = await web.rooms.clients.create(
        "application",
        confidential=True,
        scopes=["orders:read", "tokens:introspect"],
        now=clock.now(),
        metadata=ClientMetadata(grant_types=frozenset({CLIENT_CREDENTIALS, DEVICE_CODE})),
    )
    await web.add_user("described")
    signed_in = await web.sign_in("described")
    asked = [
        ("/oauth2/token", {"grant_type": CLIENT_CREDENTIALS}),
        ("/oauth2/device_authorization", {}),
        ("/oauth2/introspect", {"token": signed_in["access_token"]}),
        ("/oauth2/introspect", {"token": signed_in["refresh_token"]}),
        ("/oauth2/introspect", {"token": "none"}),
    ]
    for path, form in asked:
        answer = await web.client.post(path, data=form, headers=basic(application.id, secret or ""))
        assert answer.status_code == 200, answer.text
        described = document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert set(described["required"]) <= answer.json().keys() <= described["properties"].keys(), path


async def test_each_padlock_asks_for_what_the_guard_asks_for(document: Document) -> None:
    for operation, described in operations(document):
        if operation in GUARDED:
            policy = GUARDED[operation]
            needed = policy.needed.split()
            offered = [next(iter(one.items())) for one in described["security"]]
            kinds = [*policy.schemes, *(["oauth2"] if "bearer" in policy.schemes else [])]
            assert sorted(offered) == sorted((kind, needed) for kind in kinds), operation
            for scope in needed:
                assert f"`{scope}`" in described["description"]
        elif operation in OAUTH:
            kind = {"bearer": ["openid"]} if "userinfo" in operation[1] else {"basic": []}
            assert described["security"][0] == kind
        else:
            assert described["security"] == [] or {} in described["security"], operation
    assert document["paths"]["/auth/logout"]["post"]["security"] == [{}, {"bearer": []}, {"cookie": []}]


async def test_the_kinds_of_credentials_are_those_that_are_taken(web: Web, document: Document) -> None:
    kinds = document["components"]["securitySchemes"]
    shown = {name: {key: value for key, value in kind.items() if key != "description"} for name, kind in kinds.items()}
    (flow,) = shown.pop("oauth2")["flows"].items()
    assert flow == (
        "authorizationCode",
        {
            "authorizationUrl": f"{web.settings.public_url}/oauth2/authorize",
            "tokenUrl": f"{web.settings.public_url}/oauth2/token",
            "refreshUrl": f"{web.settings.public_url}/oauth2/token",
            "scopes": dict(Catalogue(scopes=web.settings.access.scopes).descriptions),
        },
    )
    assert shown == {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "basic": {"type": "http", "scheme": "basic"},
        "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "gp_access"},
    }


async def test_every_refusal_is_described_as_a_problem_document(document: Document) -> None:
    shared = document["components"]["responses"]
    for operation, described in operations(document):
        for status, answer in described["responses"].items():
            if int(status) < 400 or (operation, status) == (("GET", "/readyz"), "503"):
                continue
            name = answer["$ref"].removeprefix("#/components/responses/")
            (media_type,) = shared[name]["content"]
            if operation in OAUTH:
                assert shared[name]["content"] == {
                    "application/json": {"schema": {"$ref": "#/components/schemas/OAuthError"}}
                }
                continue
            assert media_type == "application/problem+json"
            assert shared[name]["content"][media_type]["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert shared[name]["content"][media_type]["example"]["status"] == int(status)
    assert "WWW-Authenticate" in shared["Unauthorized"]["headers"]
    assert "Retry-After" in shared["Unavailable"]["headers"]
    assert "HTTPValidationError" not in str(document)


async def test_what_is_refused_in_the_policy_is_described(document: Document) -> None:
    for operation, described in operations(document):
        statuses = {int(status) for status in described["responses"]}
        if operation in GUARDED:
            policy = GUARDED[operation]
            assert {400, 401, 403, 503, policy.status} <= statuses, operation
        elif operation in OAUTH:
            assert {OAUTH[operation][0], 400, 401, 503} <= statuses, operation
        else:
            assert PUBLIC[operation] in statuses, operation
        if "requestBody" in described:
            assert {400, 413, 415} | (set() if operation in OAUTH else {422}) <= statuses, operation


async def test_a_real_refusal_is_as_the_schema_says(web: Web, document: Document) -> None:
    schema = document["components"]["schemas"]["Problem"]
    for answer in (await web.client.get("/users/me"), await web.client.post("/auth/login", json={"x": 1})):
        problem = answer.json()
        assert set(schema["required"]) <= problem.keys() <= schema["properties"].keys()
        for error in problem.get("errors", ()):
            assert error.keys() == schema["properties"]["errors"]["items"]["properties"].keys()


async def test_every_operation_has_a_short_name_a_summary_a_tag_and_words(document: Document) -> None:
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    names = [described["operationId"] for _, described in operations(document)]
    assert len(set(names)) == len(names)
    for _, described in operations(document):
        assert re.fullmatch(r"[a-z]+(_[a-z]+){0,3}", described["operationId"])
        assert described["summary"]
        assert len(described["summary"]) <= 72
        assert described["description"]
        assert len(described["tags"]) == 1
        assert tags[described["tags"][0]]
    assert tags.keys() == {described["tags"][0] for _, described in operations(document)}


async def test_every_reference_leads_somewhere_and_no_part_is_left_over(document: Document) -> None:
    references = set(re.findall(r"'\$ref': '#/components/(\w+)/(\w+)'", str(document)))
    for section in ("schemas", "responses"):
        named = {name for place, name in references if place == section}
        assert named == document["components"][section].keys()


async def test_it_names_no_server_so_that_it_is_right_behind_any_address(document: Document) -> None:
    assert "servers" not in document


async def test_it_says_that_null_changes_something_only_of_what_null_takes_away(document: Document) -> None:
    for shape in (UserChanged, ClientChanged):
        for name, member in document["components"]["schemas"][shape.__name__]["properties"].items():
            assert ("'null'" in str(member)) == (name in shape.CLEARABLE)
            assert "default" not in member


async def test_a_key_in_the_address_is_described_and_taken_only_where_it_is_allowed(
    sqlite_url: str, valkey_server: ValkeyServer, document: Document
) -> None:
    assert "api_key_in_query" not in str(document)
    more = {"API_KEYS__ALLOW_IN_QUERY": "true", "REDIS_PREFIX": "query:"}
    async with running_web(sqlite_url, valkey_server.url, **more) as web:
        described = (await web.client.get("/openapi.json")).json()
        assert described["components"]["securitySchemes"]["api_key_in_query"]["name"] == "api_key"
        padlock = described["paths"]["/admin/users"]["get"]["security"]
        offered = ["oauth2", "bearer", "basic", "api_key", "api_key_in_query", "cookie"]
        assert [next(iter(one)) for one in padlock] == offered
        assert {"api_key_in_query": []} not in described["paths"]["/auth/logout-all"]["post"]["security"]
        assert len(described["paths"]["/auth/verify"]["get"]["security"]) == len(ANY) + 2
        text = (await make_credentials(web)).lasting["api_key"]["X-API-Key"]
        answer = await web.client.get("/users/me", params={"api_key": text})
        assert (answer.status_code, answer.json()["scheme"]) == (200, "api_key")
        answer = await web.client.get("/users/me", params={"api_key": text}, headers={"X-API-Key": text})
        assert_problem(answer, 400, "invalid_request")
