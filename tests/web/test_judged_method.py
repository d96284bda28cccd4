"""A proxy asks `/auth/verify` about a request that a cookie came with: an unsafe one needs the CSRF field (CSRF-04)."""

import httpx2
import pytest

from tests.web.running import Web, as_served, assert_problem

pytestmark = pytest.mark.anyio
OURS, FOREIGN = "http://localhost:8000", "https://evil.example.com"
CSRF = {"X-Gatepost-CSRF": "1"}
UNSAFE = ("POST", "PUT", "PATCH", "DELETE", "post", "get", "CONNECT", "POST, GET", "Gét", "")


@pytest.fixture(scope="module")
async def tokens(web: Web) -> dict[str, str]:
    await web.add_user("alice", roles=("clerk",))
    return await web.sign_in("alice")


async def verify(web: Web, fields: list[tuple[str, str]], token: str, *, as_cookie: bool = True) -> httpx2.Response:
    """What a proxy hears that has handed these fields on."""
    credential = ("Cookie", f"gp_access={token}") if as_cookie else ("Authorization", f"Bearer {token}")
    transport = httpx2.ASGITransport(as_served(web.edge))
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in [credential, *fields]]
    async with httpx2.AsyncClient(transport=transport, base_url=OURS) as proxy:
        return await proxy.get("/auth/verify?scope=orders:read", headers=encoded)


@pytest.mark.spec("CSRF-04")
@pytest.mark.parametrize("field", ["X-Original-Method", "X-Forwarded-Method"])
async def test_a_cookie_with_an_unsafe_request_needs_the_field_and_no_foreign_origin(
    web: Web, tokens: dict[str, str], field: str
) -> None:
    token = tokens["access_token"]
    for method in UNSAFE:
        for more in ([], [("Origin", OURS)], [("Origin", FOREIGN)], [*CSRF.items(), ("Origin", FOREIGN)]):
            assert_problem(await verify(web, [(field, method), *more], token), 403, "csrf_failed")
        for right in ([*CSRF.items()], [*CSRF.items(), ("Origin", OURS)]):
            answer = await verify(web, [(field, method), *right], token)
            assert (answer.status_code, answer.headers["x-auth-scheme"]) == (200, "cookie")


async def test_a_cookie_with_a_safe_request_passes(web: Web, tokens: dict[str, str]) -> None:
    for fields in (
        [],
        [("X-Original-Method", "GET")],
        [("X-Forwarded-Method", "HEAD")],
        [("X-Forwarded-Method", "OPTIONS"), ("X-Original-Method", "GET")],
    ):
        assert (await verify(web, fields, tokens["access_token"])).status_code == 200


async def test_of_several_methods_one_that_is_unsafe_counts(web: Web, tokens: dict[str, str]) -> None:
    for fields in (
        [("X-Forwarded-Method", "GET"), ("X-Forwarded-Method", "POST")],
        [("X-Original-Method", "POST"), ("X-Original-Method", "GET")],
        [("X-Original-Method", "GET"), ("X-Forwarded-Method", "DELETE")],
    ):
        assert_problem(await verify(web, fields, tokens["access_token"]), 403, "csrf_failed")


async def test_a_token_in_the_header_needs_no_field_the_first_time_and_from_memory(
    web: Web, tokens: dict[str, str]
) -> None:
    token = (await web.sign_in("alice"))["access_token"]
    for _ in range(3):
        answer = await verify(web, [("X-Forwarded-Method", "POST")], token, as_cookie=False)
        assert (answer.status_code, answer.headers["x-auth-scheme"]) == (200, "bearer")


async def test_a_bad_cookie_stays_a_401_whatever_the_request(web: Web) -> None:
    assert_problem(await verify(web, [("X-Forwarded-Method", "POST")], "nonsense"), 401, "invalid_token")


async def test_a_token_that_was_remembered_from_the_header_is_no_way_around(web: Web, tokens: dict[str, str]) -> None:
    token = tokens["access_token"]
    for _ in range(2):
        assert (await verify(web, [], token, as_cookie=False)).status_code == 200
    assert_problem(await verify(web, [("X-Forwarded-Method", "POST")], token), 403, "csrf_failed")
