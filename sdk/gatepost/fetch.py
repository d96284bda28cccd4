"""One bounded GET of a JSON object from the issuer: limited in size and time, never redirected, never compressed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx2

from gatepost.encoding import parse_json_object

PATIENCE = timedelta(seconds=5)


class FetchError(Exception):
    """The issuer gave no usable answer. `status` is its HTTP status when there was one."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Fetched:
    """A JSON object and the `Cache-Control` header that came with it."""

    document: dict[str, object]
    cache_control: str


def require_secure_url(url: str) -> str:
    """Hand back `url` when it is https, or http to this very machine. Raises `ValueError` otherwise."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        raise ValueError("the issuer is a plain URL: no user, no query, no fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise ValueError("the issuer must be https, except on a loopback address")
    return url


async def fetch_json(
    client: httpx2.AsyncClient,
    url: str,
    *,
    limit: int,
    params: Mapping[str, str] | None = None,
    auth: httpx2.BasicAuth | None = None,
    within: timedelta = PATIENCE,
) -> Fetched:
    """GET one JSON object of at most `limit` bytes, all of it `within` a time. Raises `FetchError`."""
    try:
        async with (
            asyncio.timeout(within.total_seconds()),
            client.stream(
                "GET",
                url,
                params=params,
                auth=auth,
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                follow_redirects=False,
            ) as answer,
        ):
            if answer.status_code != httpx2.codes.OK:
                raise FetchError(f"answered {answer.status_code}", answer.status_code)
            return Fetched(parse_json_object(await _body(answer, limit)), answer.headers.get("cache-control", ""))
    except FetchError:
        raise
    except Exception as problem:  # network, TLS, HTTP, JSON: for the caller all the same, and none may end its loop
        raise FetchError(f"no usable answer: {type(problem).__name__}") from problem


async def _body(answer: httpx2.Response, limit: int) -> bytes:
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise FetchError("the answer is compressed, so its size cannot be bounded")
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise FetchError(f"the answer is longer than {limit} bytes")
    return bytes(body)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
