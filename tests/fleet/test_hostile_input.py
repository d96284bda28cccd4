"""What careless and hostile clients send to a real worker: a typed refusal, in bounded time, and the worker goes on."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from statistics import median

import httpx2
import pytest

from tests.servers.gatepost import PASSWORD, Fleet, bearer, running_fleet, settings_for

pytestmark = pytest.mark.anyio
_number = count(1)
IN_TIME = 2.0


@pytest.fixture(scope="module")
async def target(server_folder: Path, valkey_server: object) -> AsyncIterator[Fleet]:
    """One worker over SQLite."""
    number = next(_number)
    url = f"sqlite+aiosqlite:///{server_folder}/hostile{number}.sqlite"
    environ = settings_for(url, valkey_server.url, REDIS_PREFIX=f"hostile{number}:")  # type: ignore[attr-defined]  # ValkeyServer
    async with running_fleet(server_folder / f"hostile{number}", environ, workers=1) as fleet:
        await fleet.add_user("ada")
        yield fleet


DEEP = b'{"username":' + b"[" * 20_000 + b"]" * 20_000 + b',"password":"x"}'
BODIES = {
    "1 MB password": json.dumps({"username": "ada", "password": "x" * 1_000_000}).encode(),
    "5 MB password": json.dumps({"username": "ada", "password": "x" * 5_000_000}).encode(),
    "200 kB password": json.dumps({"username": "ada", "password": "x" * 200_000}).encode(),
    "NUL in the name": b'{"username": "ada\\u0000", "password": "x"}',
    "NUL in the password": b'{"username": "ada", "password": "x\\u0000y"}',
    "lone surrogate": b'{"username": "ada", "password": "\\ud800"}',
    "newline in the name": b'{"username": "ada\\n", "password": "x"}',
    "right-to-left mark": '{"username": "ada\u200f", "password": "x"}'.encode(),
    "number as name": b'{"username": 1, "password": "x"}',
    "operator as password": b'{"username": "ada", "password": {"$ne": null}}',
    "null": b"null",
    "array": b'["ada", "x"]',
    "empty": b"",
    "not JSON": b"username=ada&password=x",
    "member twice": b'{"username": "ada", "username": "eve", "password": "x"}',
    "unknown member": b'{"username": "ada", "password": "x", "is_admin": true}',
    "__proto__": b'{"username": "ada", "password": "x", "__proto__": {"admin": true}}',
    "NaN": b'{"username": "ada", "password": NaN}',
    "1e999": b'{"username": 1e999, "password": "x"}',
    "long number": b'{"username": ' + b"9" * 100_000 + b', "password": "x"}',
    "20,000 deep": DEEP,
    "bad UTF-8": b'{"username": "\xff\xfe", "password": "x"}',
    "UTF-16": '{"username": "ada", "password": "x"}'.encode("utf-16"),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_malformed_sign_in_is_refused_quickly_and_by_the_book(target: Fleet, body: bytes) -> None:
    began = time.perf_counter()
    headers = {"Content-Type": "application/json"}
    answer = await target.clients[0].post("/auth/login", content=body, headers=headers)
    assert time.perf_counter() - began < IN_TIME
    assert answer.status_code in (400, 401, 413, 422), answer.text
    assert_problem(answer)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_a_coded_body_is_not_inflated(target: Fleet, coding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    answer = await target.clients[0].post("/auth/login", content=b"\x1f\x8b\x08" + b"\0" * 50, headers=headers)
    assert answer.status_code == 415
    assert_problem(answer)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_another_media_type_sets_no_session(target: Fleet, media_type: str) -> None:
    body = json.dumps({"username": "ada", "password": PASSWORD}).encode()
    answer = await target.clients[0].post(
        "/auth/login?mode=cookie", content=body, headers={"Content-Type": media_type, "X-Gatepost-CSRF": "1"}
    )
    assert answer.status_code == 415
    assert "set-cookie" not in answer.headers


AUTHORIZATIONS = [
    "",
    "Bearer",
    "Bearer\ta.b.c",
    "Bearer a,b",
    "Bearer a b",
    "Bearer " + "a" * 7_000,
    "bearer=a",
    "Token abc",
    "Digest username=ada",
    "Basic",
    "Basic !!!",
    "Basic YWRh",
    "Basic YWRhOg==",
    "Basic OnBhc3M=",
    "Basic /////w==",
    "Negotiate abc",
    "Bearer gp_key_" + "0" * 71,
    "Bearer gp_rt_" + "A" * 96,
    "null",
]


@pytest.mark.parametrize("value", AUTHORIZATIONS)
async def test_a_malformed_authorization_is_a_401_with_a_challenge(target: Fleet, value: str) -> None:
    answer = await target.clients[0].get("/users/me", headers={"Authorization": value})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer realm=")
    assert_problem(answer)


async def raw(target: Fleet, request: bytes) -> bytes:
    """What a worker answers to these very bytes until it hangs up, three seconds at most."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.workers[0].port)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(3):
            return await reader.read(1_000_000)
    except (TimeoutError, ConnectionError):
        return b""
    finally:
        writer.transport.abort()


RAW = {
    "200 kB field": b"GET /users/me HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Long: "
    + b"a" * 200_000
    + b"\r\n\r\n",
    "5,000 fields": b"GET /users/me HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + b"X-A: b\r\n" * 5_000 + b"\r\n",
    "20 kB bearer": b"GET /users/me HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer "
    + b"a" * 20_000
    + b"\r\n\r\n",
    "200 kB path": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "two lengths": b"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 60\r\n\r\n{}",
    "length and chunks": b"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
    "bad chunk": b"POST /auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "blank before colon": b"GET /livez HTTP/1.1\r\nHost : a\r\n\r\n",
    "NUL in a field": b"GET /livez HTTP/1.1\r\nHost: a\r\nX-A: b\x00c\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", RAW.values(), ids=RAW)
async def test_malformed_http_is_refused_once_and_smuggles_nothing(target: Fleet, request_bytes: bytes) -> None:
    answer = await raw(target, request_bytes)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert not answer or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert (await target.clients[0].get("/livez")).status_code == 200


async def test_two_authorization_fields_are_refused(target: Fleet) -> None:
    tokens = await target.sign_in("ada")
    good = bearer(tokens["access_token"])["Authorization"]
    for pair in (("Bearer bad", good), (good, "Bearer bad"), (good, good)):
        headers = [("Authorization", value) for value in pair]
        answer = await target.clients[0].get("/users/me", headers=headers)
        assert answer.status_code == 400
        assert_problem(answer)


@pytest.mark.parametrize(
    "field", ["X-User", "X-Forwarded-User", "Remote-User", "X-Remote-User", "X-Auth-Subject", "X-Original-User"]
)
async def test_a_field_that_names_a_user_is_no_credential(target: Fleet, field: str) -> None:
    answer = await target.clients[0].get("/users/me", headers={field: "ada"})
    assert answer.status_code == 401
    assert "error=" not in answer.headers["www-authenticate"]


async def test_known_and_unknown_names_answer_alike_and_cost_alike(target: Fleet) -> None:
    """Prints the medians; that both run exactly one hash is proven where hashes can be counted."""
    spent: dict[str, list[float]] = {"ada": [], "nobody": []}
    answers: dict[str, set[str]] = {"ada": set(), "nobody": set()}
    for _ in range(15):
        for name, times in spent.items():
            began = time.perf_counter()
            answer = await target.clients[0].post("/auth/login", json={"username": name, "password": "not this one"})
            times.append((time.perf_counter() - began) * 1000)
            problem = answer.json()
            del problem["request_id"]
            answers[name].add(json.dumps(problem))
    known, unknown = median(spent["ada"]), median(spent["nobody"])
    print(f"\nmedian ms of a wrong sign-in: known {known:.1f}, unknown {unknown:.1f}, ratio {known / unknown:.2f}")
    assert answers["ada"] == answers["nobody"]
    assert len(answers["ada"]) == 1


def assert_problem(answer: httpx2.Response) -> None:
    """One dialect for every error."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code", "request_id"} <= problem.keys()
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("query", ["scope=%ff", "scope=\xe9", "scope=a&scope=b", "scope=a%00b", "a=b&" * 200])
async def test_a_malformed_query_is_refused(target: Fleet, query: str) -> None:
    answer = await target.clients[0].get(f"/auth/verify?{query}")
    assert answer.status_code in (400, 401)
    assert_problem(answer)
