"""One GET from an issuer that may be broken or hostile, over real sockets."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx2
import pytest

from gatepost.fetch import FetchError, fetch_json, require_secure_url

pytestmark = pytest.mark.anyio
LIMIT = 1000


@asynccontextmanager
async def serving(*pieces: bytes, pause: float = 0) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A loopback server that answers every request with these bytes, and keeps what it was sent."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
        except ConnectionError:
            pass  # the client has had enough
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/document", asked


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def fetch(url: str, within: timedelta = timedelta(seconds=5)) -> dict[str, object]:
    async with httpx2.AsyncClient() as client:
        fetched = await fetch_json(client, url, limit=LIMIT, within=within)
    return fetched.document


async def test_a_json_object_arrives_with_its_cache_control() -> None:
    answer = http(b'{"a": 1}', "200 OK", "Cache-Control: max-age=60")
    async with serving(answer) as (url, asked), httpx2.AsyncClient() as client:
        fetched = await fetch_json(client, url, limit=LIMIT, params={"after": "x"})
    assert fetched.document == {"a": 1}
    assert fetched.cache_control == "max-age=60"
    assert asked[0].startswith(b"GET /document?after=x HTTP/1.1\r\n")
    assert b"accept-encoding: identity\r\n" in asked[0].lower()


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "503 Away", "204 No Content", "206 Partial Content"])
async def test_any_status_but_200_is_no_answer(status: str) -> None:
    async with serving(http(b"", status)) as (url, _):
        with pytest.raises(FetchError) as refused:
            await fetch(url)
    assert refused.value.status == int(status[:3])


async def test_a_redirect_is_not_followed() -> None:
    async with serving(http(b'{"keys": []}')) as (other, asked):
        moved = http(b"", "302 Found", f"Location: {other}")
        async with serving(moved) as (url, _):
            with pytest.raises(FetchError) as refused:
                await fetch(url)
    assert refused.value.status == 302
    assert asked == []


@pytest.mark.parametrize(("length", "good"), [(LIMIT - 1, True), (LIMIT, True), (LIMIT + 1, False)])
async def test_the_body_is_bounded_to_the_byte(length: int, good: bool) -> None:
    body = b'{"a": "' + b"x" * (length - 9) + b'"}'
    async with serving(http(body)) as (url, _):
        if good:
            assert len(str((await fetch(url))["a"])) == length - 9
        else:
            with pytest.raises(FetchError, match="longer"):
                await fetch(url)


async def test_an_endless_body_is_cut_off() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"fff0\r\n" + b" " * 0xFFF0 + b"\r\n"
    async with serving(head, *[chunk] * 200) as (url, _):
        with pytest.raises(FetchError, match="longer"):
            await fetch(url)


async def test_a_compressed_body_is_refused_before_it_is_unpacked() -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    async with serving(http(bomb, "200 OK", "Content-Encoding: gzip")) as (url, _):
        with pytest.raises(FetchError, match="compressed"):
            await fetch(url)


async def test_a_body_that_drips_is_given_up_in_time() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", *[b" "] * 100, pause=0.02) as (url, _):
        begun = asyncio.get_running_loop().time()
        with pytest.raises(FetchError, match="TimeoutError"):
            await fetch(url, within=timedelta(seconds=0.2))
        assert asyncio.get_running_loop().time() - begun < 1


@pytest.mark.parametrize(
    "raw",
    [
        http(b"[]"),
        http(b"<html>"),
        http(b""),
        http(b'{"keys":[],"keys":[]}'),
        http(b"[" * 900),
        http(b'{"a":"\xff"}'),
        b"nonsense\r\n\r\n",
        b"",
    ],
)
async def test_what_is_not_a_json_object_over_http_is_no_answer(raw: bytes) -> None:
    async with serving(raw) as (url, _):
        with pytest.raises(FetchError):
            await fetch(url)


async def test_nobody_listening_is_no_answer() -> None:
    async with serving() as (url, _):
        pass
    with pytest.raises(FetchError, match="ConnectError"):
        await fetch(url)


async def test_a_closed_client_is_no_answer_and_no_crash() -> None:
    client = httpx2.AsyncClient()
    await client.aclose()
    with pytest.raises(FetchError, match="RuntimeError"):
        await fetch_json(client, "https://issuer.test/", limit=LIMIT)


@pytest.mark.parametrize(
    "url",
    [
        "https://issuer.test",
        "https://issuer.test:8443/tenant",
        "http://127.0.0.1:8000",
        "http://localhost",
        "http://[::1]:1",
    ],
)
def test_https_and_loopback_are_taken(url: str) -> None:
    assert require_secure_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.test",
        "http://10.0.0.1",
        "http://localhost.evil.test",
        "http://127.0.0.1.evil.test",
        "ftp://issuer.test",
        "ftp://localhost",
        "issuer.test",
        "https://",
        "https://user:pw@issuer.test",
        "https://issuer.test?x=1",
        "https://issuer.test#x",
        "",
    ],
)
def test_any_other_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="issuer"):
        require_secure_url(url)
