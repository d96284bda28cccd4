"""A small service behind the kit, asked over ASGI: real tokens, real keys, the right status and challenge."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from werkzeug.datastructures import WWWAuthenticate

from gatepost import Principal, RevocationKind
from gatepost.fastapi import Gatepost, install
from gatepost.guard import GuardedRoute
from gatepost.testing import CLIENT_ID, TestIssuer

pytestmark = pytest.mark.anyio
JSON = {"Content-Type": "application/json"}
METADATA = "https://api.test/.well-known/oauth-protected-resource"


def service(gate: Gatepost, *, manners: bool = True) -> FastAPI:
    """A service as its author writes it."""
    app = FastAPI(lifespan=gate.lifespan)
    if manners:
        install(app)

    @app.get("/open")
    async def read_open() -> dict[str, str]:
        return {"open": "yes"}

    @app.get("/me")
    async def read_me(caller: Annotated[Principal, gate.authenticated()]) -> dict[str, str | None]:
        return {"subject": caller.subject, "kind": caller.kind, "credential": caller.credential_id}

    @app.get("/orders")
    async def list_orders(caller: Annotated[Principal, gate.require("orders:read")]) -> dict[str, str]:
        return {"orders of": caller.subject}

    @app.post("/orders")
    async def make_order(
        order: dict[str, int], caller: Annotated[Principal, gate.require("orders:read", "orders:write")]
    ) -> dict[str, str]:
        return {"made by": caller.subject}

    @app.websocket("/live")
    async def live(socket: WebSocket, caller: Annotated[Principal, gate.require("orders:read")]) -> None:
        await socket.accept()
        await socket.send_text(caller.subject)
        await socket.close()

    return app


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://api.test") as client,
    ):
        yield client


@pytest.fixture
def issuer() -> TestIssuer:
    return TestIssuer()


@pytest.fixture
async def client(issuer: TestIssuer) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(service(Gatepost(issuer.url, issuer.audience, client=issuer.client()))) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def challenge(answer: httpx2.Response) -> dict[str, str | None]:
    parsed = WWWAuthenticate.from_header(answer.headers["www-authenticate"])
    assert parsed is not None
    assert parsed.type == "bearer"
    return dict(parsed.parameters)


def problem(answer: httpx2.Response) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "code"}
    assert body["status"] == answer.status_code
    return body


async def test_a_good_token_is_let_in_as_its_principal(client: httpx2.AsyncClient, issuer: TestIssuer) -> None:
    answer = await client.get("/me", headers=bearer(issuer.token("alice", jti="t1")))
    assert answer.status_code == 200
    assert answer.json() == {"subject": "alice", "kind": "user", "credential": "t1"}


@pytest.mark.spec("RFC 9110 §11.1")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "])
async def test_the_scheme_has_no_case(client: httpx2.AsyncClient, issuer: TestIssuer, scheme: str) -> None:
    answer = await client.get("/me", headers={"Authorization": f"{scheme} {issuer.token()}"})
    assert answer.status_code == 200


@pytest.mark.spec("RFC 6750 §3.1")
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": ""}, {"X-User": "root"}])
async def test_without_a_bearer_token_the_challenge_is_bare(
    client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    """BEA-01, BEA-06"""
    answer = await client.get("/orders", headers=headers)
    assert answer.status_code == 401
    assert challenge(answer) == {"realm": "https://api.test", "scope": "orders:read"}
    assert problem(answer)["code"] == "unauthenticated"


@pytest.mark.spec("RFC 6750 §3.1")
@pytest.mark.parametrize(
    "credentials",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer x y",
        "Bearer x, Bearer y",
        "Bearer a.b.c",
        "Bearer \u00fc",
        "Bearer " + "x" * 20_000,
        "Bearer token=x",
    ],
)
async def test_a_malformed_token_is_invalid_token(client: httpx2.AsyncClient, credentials: str) -> None:
    """BEA-02, BEA-03"""
    answer = await client.get("/orders", headers={"Authorization": credentials.encode("latin-1")})
    assert answer.status_code == 401
    assert challenge(answer) == {
        "realm": "https://api.test",
        "error": "invalid_token",
        "error_description": "The access token is not valid here, has expired, or was revoked.",
        "scope": "orders:read",
    }
    assert problem(answer)["code"] == "invalid_token"


@pytest.mark.parametrize(
    "changes",
    [
        {"lifetime": timedelta(seconds=-1)},
        {"aud": "https://other.test"},
        {"iss": "https://other.test"},
        {"jti": None},
        {"sub": None},
    ],
)
async def test_a_genuine_token_that_is_not_good_here_is_refused(
    client: httpx2.AsyncClient, issuer: TestIssuer, changes: dict
) -> None:
    answer = await client.get("/me", headers=bearer(issuer.token(**changes)))
    assert answer.status_code == 401
    assert challenge(answer)["error"] == "invalid_token"


async def test_another_issuers_token_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/me", headers=bearer(TestIssuer().token()))
    assert answer.status_code == 401


async def test_a_token_in_the_query_is_not_a_credential(client: httpx2.AsyncClient, issuer: TestIssuer) -> None:
    """TOK-01"""
    answer = await client.get("/me", params={"access_token": issuer.token()})
    assert answer.status_code == 401
    assert "error" not in challenge(answer)


@pytest.mark.spec("RFC 6750 §3.1")
@pytest.mark.parametrize("scopes", [[], ["orders"], ["orders:read:all"], ["orders:write", "profile"]])
async def test_a_missing_scope_is_403_and_says_which(
    client: httpx2.AsyncClient, issuer: TestIssuer, scopes: list[str]
) -> None:
    """BEA-11"""
    answer = await client.get("/orders", headers=bearer(issuer.token(scopes=scopes)))
    assert answer.status_code == 403
    assert challenge(answer) == {
        "realm": "https://api.test",
        "error": "insufficient_scope",
        "scope": "orders:read",
    }
    assert problem(answer)["detail"] == "This needs the scope: orders:read."


async def test_all_of_the_scopes_are_needed(client: httpx2.AsyncClient, issuer: TestIssuer) -> None:
    some, both = issuer.token(scopes=["orders:write"]), issuer.token(scopes=["orders:write", "orders:read"])
    refused = await client.post("/orders", json={"n": 1}, headers=bearer(some))
    assert refused.status_code == 403
    assert challenge(refused)["scope"] == "orders:read orders:write"
    assert (await client.post("/orders", json={"n": 1}, headers=bearer(both))).json() == {"made by": "alice"}


@pytest.mark.spec("RFC 9110 §5.3")
async def test_two_authorization_headers_are_400(client: httpx2.AsyncClient, issuer: TestIssuer) -> None:
    """BEA-04"""
    good = f"Bearer {issuer.token(scopes=['orders:read'])}"
    for pair in ((good, good), ("Bearer bad", good), (good, "Basic YTpi"), ("", good)):
        answer = await client.get("/orders", headers=[("Authorization", value) for value in pair])
        assert answer.status_code == 400
        assert challenge(answer)["error"] == "invalid_request"
        assert problem(answer)["code"] == "invalid_request"


@pytest.mark.parametrize("body", [b"{broken", b'{"n": "text"}', b"", b"\xff"])
async def test_a_strangers_bad_body_is_401_and_never_422(client: httpx2.AsyncClient, body: bytes) -> None:
    """BEA-12"""
    answer = await client.post("/orders", content=body, headers=JSON)
    assert answer.status_code == 401
    assert problem(answer)["code"] == "unauthenticated"


async def test_a_callers_bad_body_is_422(client: httpx2.AsyncClient, issuer: TestIssuer) -> None:
    headers = JSON | bearer(issuer.token(scopes=["orders:read", "orders:write"]))
    assert (await client.post("/orders", content=b"{broken", headers=headers)).status_code == 422


async def test_a_strangers_body_is_not_even_read(issuer: TestIssuer) -> None:
    app = service(Gatepost(issuer.url, issuer.audience, client=issuer.client()))
    sent: list[dict] = []

    async def receive() -> dict:
        raise AssertionError("the body was asked for")

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/orders",
        "raw_path": b"/orders",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"1000000000")],
    }
    await app(scope, receive, send)
    assert sent[0]["status"] == 401


async def test_a_guarded_request_verifies_its_token_once(issuer: TestIssuer) -> None:
    gate = Gatepost(issuer.url, issuer.audience, client=issuer.client())
    app = service(gate)
    seen: list[Principal] = []
    everyone = gate.authenticated()

    async def note(caller: Annotated[Principal, everyone]) -> None:
        seen.append(caller)

    @app.post("/nested", dependencies=[Depends(note)])
    async def nested(body: dict[str, int]) -> dict[str, bool]:
        return {"reached": True}

    @app.get("/noted", dependencies=[Depends(note)])
    async def noted(caller: Annotated[Principal, everyone]) -> dict[str, bool]:
        return {"same": seen[0] is caller}

    async with running(app) as client:
        assert (await client.get("/noted")).status_code == 401
        assert (await client.post("/nested", content=b"{broken", headers=JSON)).status_code == 401
        assert (await client.get("/noted", headers=bearer(issuer.token()))).json() == {"same": True}


@pytest.mark.parametrize("place", ["router", "include"])
async def test_a_guard_on_a_router_guards_all_of_its_routes(issuer: TestIssuer, place: str) -> None:
    gate = Gatepost(issuer.url, issuer.audience, client=issuer.client())
    guard = [gate.require("reports:read")]
    router = APIRouter(route_class=GuardedRoute, dependencies=guard if place == "router" else [])

    @router.post("/reports")
    async def make_report(report: dict[str, int]) -> dict[str, str]:
        return {"made": "yes"}

    app = service(gate)
    app.include_router(router, dependencies=guard if place == "include" else [])
    async with running(app) as client:
        bad_body = await client.post("/reports", content=b"{broken", headers=JSON)
        assert bad_body.status_code == (401 if place == "router" else 422)
        assert (await client.post("/reports", json={"n": 1})).status_code == 401
        assert (await client.post("/reports", json={"n": 1}, headers=bearer(issuer.token()))).status_code == 403
        allowed = bearer(issuer.token(scopes=["reports:read"]))
        assert (await client.post("/reports", json={"n": 1}, headers=allowed)).status_code == 200


async def test_without_install_status_and_challenge_are_the_same(issuer: TestIssuer) -> None:
    gate = Gatepost(issuer.url, issuer.audience, client=issuer.client())
    async with running(service(gate, manners=False)) as client:
        anonymous = await client.get("/orders")
        poor = await client.get("/orders", headers=bearer(issuer.token()))
        rich = await client.get("/orders", headers=bearer(issuer.token(scopes=["orders:read"])))
    assert (anonymous.status_code, poor.status_code, rich.status_code) == (401, 403, 200)
    assert challenge(anonymous) == {"realm": "https://api.test", "scope": "orders:read"}
    assert challenge(poor)["error"] == "insufficient_scope"
    assert anonymous.json() == {"detail": "This needs a bearer token."}


async def test_an_open_route_stays_open(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/open", headers=bearer("nonsense"))).json() == {"open": "yes"}


@pytest.mark.spec("RFC 9110 §15.6.4")
async def test_without_keys_the_answer_is_503_and_soon_again_200(issuer: TestIssuer) -> None:
    issuer.available = False
    token = bearer(issuer.token())
    async with running(service(Gatepost(issuer.url, issuer.audience, client=issuer.client()))) as client:
        away = await client.get("/me", headers=token)
        assert away.status_code == 503
        assert away.headers["retry-after"] == "5"
        assert problem(away)["code"] == "keys_unknown"
        assert (await client.get("/me")).status_code == 401
        issuer.available = True
        async with asyncio.timeout(3):
            while (await client.get("/me", headers=token)).status_code != 200:
                await asyncio.sleep(0.1)


async def test_a_revoked_token_is_refused_within_a_second(issuer: TestIssuer) -> None:
    gate = Gatepost(
        issuer.url,
        issuer.audience,
        client=issuer.client(),
        client_id=CLIENT_ID,
        client_secret=issuer.client_secret,
    )
    alice, bob = bearer(issuer.token("alice", sid="s1")), bearer(issuer.token("bob", sid="s2"))
    async with running(service(gate)) as client:
        assert (await client.get("/me", headers=alice)).status_code == 200
        issuer.revoke(RevocationKind.SESSION, "s1")
        async with asyncio.timeout(1):
            while (refused := await client.get("/me", headers=alice)).status_code == 200:
                await asyncio.sleep(0.01)
        assert refused.status_code == 401
        assert challenge(refused)["error"] == "invalid_token"
        assert (await client.get("/me", headers=bob)).status_code == 200


async def test_a_feed_that_is_not_heard_is_503_for_good_tokens_and_401_for_bad_ones(issuer: TestIssuer) -> None:
    gate = Gatepost(
        issuer.url, issuer.audience, client=issuer.client(), client_id=CLIENT_ID, client_secret="not the secret"
    )
    async with running(service(gate)) as client:
        answer = await client.get("/me", headers=bearer(issuer.token()))
        assert answer.status_code == 503
        assert problem(answer)["code"] == "revocations_unknown"
        assert (await client.get("/me", headers=bearer(TestIssuer().token()))).status_code == 401


def test_a_feed_needs_both_halves_of_its_credential(issuer: TestIssuer) -> None:
    with pytest.raises(ValueError, match="both"):
        Gatepost(issuer.url, issuer.audience, client=issuer.client(), client_id="orders")


def test_an_empty_requirement_is_not_allow_all(issuer: TestIssuer) -> None:
    gate = Gatepost(issuer.url, issuer.audience, client=issuer.client())
    with pytest.raises(ValueError, match="at least one scope"):
        gate.require()
    for malformed in ("", "two words", 'quo"te'):
        with pytest.raises(ValueError, match="malformed"):
            gate.require("orders:read", malformed)


def test_a_realm_that_no_header_can_hold_shows_when_the_route_is_made(issuer: TestIssuer) -> None:
    gate = Gatepost(issuer.url, issuer.audience, client=issuer.client(), realm="Bestellungen für alle\n")
    with pytest.raises(ValueError, match="ASCII"):
        gate.authenticated()


@pytest.mark.spec("RFC 9728 §5.1")
async def test_the_resource_metadata_is_in_every_challenge(issuer: TestIssuer) -> None:
    gate = Gatepost(issuer.url, issuer.audience, client=issuer.client(), realm="orders", resource_metadata=METADATA)
    async with running(service(gate)) as client:
        for headers in ({}, bearer("x"), bearer(issuer.token())):
            answer = await client.get("/orders", headers=headers)
            assert challenge(answer)["resource_metadata"] == METADATA
            assert challenge(answer)["realm"] == "orders"


async def test_the_padlock_and_its_scopes_are_in_the_openapi_document(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    schemes = document["components"]["securitySchemes"]
    assert list(schemes) == ["Gatepost"]
    assert (schemes["Gatepost"]["type"], schemes["Gatepost"]["scheme"]) == ("http", "bearer")
    assert schemes["Gatepost"]["bearerFormat"] == "JWT"
    assert document["paths"]["/orders"]["post"]["security"] == [{"Gatepost": ["orders:read", "orders:write"]}]
    assert document["paths"]["/me"]["get"]["security"] == [{"Gatepost": []}]
    assert "security" not in document["paths"]["/open"]["get"]
    assert document["paths"]["/me"]["get"].get("parameters") is None


@pytest.mark.parametrize(
    ("scopes", "kinds"), [(["orders:read"], ["accept", "send", "close"]), ([], ["http.response.start"])]
)
async def test_a_websocket_is_judged_before_it_is_accepted(issuer: TestIssuer, scopes: list, kinds: list) -> None:
    """BEA-14"""
    app = service(Gatepost(issuer.url, issuer.audience, client=issuer.client()))
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "websocket.connect"}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/live",
        "query_string": b"",
        "subprotocols": [],
        "headers": [(b"authorization", b"Bearer " + issuer.token(scopes=scopes).encode())],
        "extensions": {"websocket.http.response": {}},
    }
    await app(scope, receive, send)
    types = [message["type"].removeprefix("websocket.") for message in sent]
    assert types[: len(kinds)] == kinds
    assert scopes or sent[0]["status"] == 403


async def test_many_requests_at_once_each_get_their_own_caller(client: httpx2.AsyncClient, issuer: TestIssuer) -> None:
    names = [f"user-{number}" for number in range(40)]
    answers = await asyncio.gather(*(client.get("/me", headers=bearer(issuer.token(name))) for name in names * 2))
    assert [answer.json()["subject"] for answer in answers] == names * 2


async def test_nothing_of_a_refused_token_is_logged(
    client: httpx2.AsyncClient, issuer: TestIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="gatepost")
    token = issuer.token("alice-of-the-log", aud="https://other.test")
    await client.get("/me", headers=bearer(token))
    assert "refused: another audience" in caplog.text
    assert "alice-of-the-log" not in caplog.text
    assert not any(part in caplog.text for part in token.split("."))
