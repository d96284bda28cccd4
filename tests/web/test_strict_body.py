"""Request bodies: of one type, with one reading, looked at after the guard."""

import gzip
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.types import Scope

from service.web.refusals import UnsupportedBody
from service.web.strict_body import check_content_type
from tests.web.running import Web, assert_problem

pytestmark = pytest.mark.anyio
JSON = "application/json"
GOOD = b'{"username": "nobody", "password": "wrong"}'


async def login(
    web: Web, content: bytes | AsyncIterator[bytes], content_type: str | None = JSON, **more: str
) -> httpx2.Response:
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    if content_type is not None:
        headers["Content-Type"] = content_type
    return await web.client.post("/auth/login", content=content, headers=headers)


@pytest.mark.parametrize(
    "content_type", [JSON, "application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"]
)
async def test_json_is_read_however_its_type_is_written(web: Web, content_type: str) -> None:
    assert_problem(await login(web, GOOD, content_type), 401, "invalid_login")


@pytest.mark.spec("CSRF-05")
@pytest.mark.parametrize(
    "content_type",
    [
        *(None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "*/*"),
        *(
            "application/jsonp",
            "application/problem+json",
            "text/json",
            "application",
            "json",
            ";",
            "application/json,x",
        ),
    ],
)
async def test_any_other_type_is_refused_and_not_read(web: Web, content_type: str | None) -> None:
    assert_problem(await login(web, GOOD, content_type), 415, "unsupported_media_type")
    assert_problem(await login(web, b"{", content_type), 415, "unsupported_media_type")


@pytest.mark.spec("HTTP-08")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "x", ""])
async def test_a_coded_body_is_refused(web: Web, coding: str) -> None:
    assert_problem(await login(web, gzip.compress(GOOD), content_encoding=coding), 415, "unsupported_media_type")
    assert_problem(await login(web, GOOD, content_encoding="identity"), 401, "invalid_login")


@pytest.mark.spec("LOGIN-04")
@pytest.mark.spec("MASS-04")
@pytest.mark.spec("HTTP-11")
@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"x", b"[]", b"null", b'"x"', b"1", b"\xff", b"{}{}", b'{"username": "a",}', b"{'username': 'a'}"),
        b'{"username": "a", "username": "b", "password": "x"}',
        b'{"username": "a", "\\u0075sername": "b", "password": "x"}',
        b'{"username": "a", "password": NaN}',
        b'{"username": "a", "password": -Infinity}',
        b'{"username": "a", "password": 1e999}',
        b'{"username": "a", "password": ' + b"9" * 100_000 + b"}",
        b'{"username": "a", "password": "\\ud800"}',
        b'{"username": "a", "password": "\xed\xa0\x80"}',
        b'{"username": "a\nb", "password": "x"}',
        b'{"a": ' * 17 + b"1" + b"}" * 17,
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
        GOOD + b"\0",
    ],
)
async def test_json_with_two_readings_or_none_is_refused(web: Web, body: bytes) -> None:
    assert_problem(await login(web, body), 400, "invalid_json")


@pytest.mark.spec("LOGIN-04")
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"{}", "/username"),
        (b'{"username": 1, "password": "x"}', "/username"),
        (b'{"username": true, "password": "x"}', "/username"),
        (b'{"username": ["a"], "password": "x"}', "/username"),
        (b'{"username": {"a": 1}, "password": "x"}', "/username"),
        (b'{"username": "a", "password": null}', "/password"),
        (b'{"username": "a", "password": "x", "is_admin": true}', "/is_admin"),
        (b'{"username": "a", "password": "x", "__proto__": {}}', "/__proto__"),
        (b'{"username": "a", "password": "x", "a/b~c": 1}', "/a~1b~0c"),
    ],
)
async def test_a_member_of_another_type_or_name_is_named(web: Web, body: bytes, pointer: str) -> None:
    answer = await login(web, body)
    assert_problem(answer, 422, "invalid_request")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.spec("LOGIN-05")
async def test_a_long_password_is_refused_quickly_and_not_told_back(web: Web) -> None:
    answer = await login(web, b'{"username": "a", "password": "' + b"s" * 200_000 + b'"}')
    assert_problem(answer, 422, "invalid_request")
    assert "sss" not in answer.text
    assert_problem(await login(web, b'{"password": "' + b"s" * 5_000_000), 413, "body_too_large")


async def test_a_streamed_body_is_looked_at_like_any_other(web: Web) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield GOOD[:9]
        yield GOOD[9:]

    assert_problem(await login(web, parts()), 401, "invalid_login")
    assert_problem(await login(web, parts(), "text/plain"), 415, "unsupported_media_type")


@pytest.mark.spec("BEA-12")
@pytest.mark.parametrize(("body", "content_type"), [(b"{", JSON), (b"{}", JSON), (GOOD, "text/plain"), (b"", JSON)])
async def test_a_stranger_learns_nothing_from_a_bad_body(web: Web, body: bytes, content_type: str) -> None:
    for method, path in (("POST", "/users/me/password"), ("POST", "/users/me/api-keys"), ("POST", "/admin/users")):
        answer = await web.client.request(method, path, content=body, headers={"Content-Type": content_type})
        assert_problem(answer, 401, "not_authenticated")


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"0")], [(b"content-type", b"text/plain")]])
def test_no_body_has_no_type(headers: list[tuple[bytes, bytes]]) -> None:
    scope: Scope = {"type": "http", "headers": headers}
    check_content_type(scope)


@pytest.mark.parametrize(
    "headers", [[(b"content-length", b"1")], [(b"transfer-encoding", b"chunked")], [(b"content-length", b"00")]]
)
def test_a_body_without_a_type_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(UnsupportedBody):
        check_content_type({"type": "http", "headers": headers})
