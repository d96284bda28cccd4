"""Questions to identity providers, whose answers are read to the end of what is allowed and no further."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from gatepost.encoding import parse_json
from service.federation.checks import is_allowed
from service.federation.provider import Reply
from service.federation.refusals import ProviderFailed, ProviderSilent
from service.outgoing.http import OutgoingHttp

if TYPE_CHECKING:
    import httpx2

LONGEST = 100_000
_ASKED = {"Accept": "application/json", "Accept-Encoding": "identity"}


class ProviderCalls:
    """Keeps `Calls`. `within` bounds each exchange, however slowly the other side dribbles; `local` allows plain http
    to this machine."""

    def __init__(self, http: OutgoingHttp, *, within: timedelta, local: bool) -> None:
        self._http = http
        self._within = within.total_seconds()
        self._local = local

    async def get(
        self, uri: str, *, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """See `Calls.get`."""
        joint = "&" if "?" in uri else "?"
        return await self._ask("GET", f"{uri}{joint}{urlencode(query)}" if query else uri, None, headers)

    async def post(self, uri: str, form: Mapping[str, str], *, headers: Mapping[str, str] | None = None) -> Reply:
        """See `Calls.post`."""
        return await self._ask("POST", uri, form, headers)

    async def _ask(
        self, method: str, uri: str, form: Mapping[str, str] | None, headers: Mapping[str, str] | None
    ) -> Reply:
        import httpx2  # loaded when it is used, as in `http.py`

        place = _place(uri, local=self._local)
        try:
            with self._http.sending(method, uri) as told:
                async with (
                    asyncio.timeout(self._within),
                    self._http.client().stream(
                        method,
                        uri,
                        data=None if form is None else dict(form),
                        headers={**_ASKED, **(headers or {}), **told},
                        timeout=self._within,
                    ) as answer,
                ):
                    body = await _body(answer, place)
        except TimeoutError:
            raise ProviderSilent(detail=f"{place}: no whole answer in time") from None
        except (httpx2.HTTPError, httpx2.StreamError) as problem:
            raise ProviderSilent(detail=f"{place}: {type(problem).__name__}") from None
        except (httpx2.InvalidURL, ValueError):
            raise ProviderFailed(detail=f"{place}: not an address") from None
        return Reply(answer.status_code, _json(body), answer.headers.get("cache-control", ""))


def _place(uri: str, *, local: bool) -> str:
    """Host and path, for the log: a query may hold what is nobody's business."""
    if not is_allowed(uri, local=local):
        raise ProviderFailed(detail="an address that is not https")
    parts = urlsplit(uri)
    return f"{parts.netloc}{parts.path}"


async def _body(answer: "httpx2.Response", place: str) -> bytes:
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise ProviderFailed(detail=f"{place}: a compressed answer, whose size cannot be bounded")
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > LONGEST:
            raise ProviderFailed(detail=f"{place}: an answer of more than {LONGEST} bytes")
    return bytes(body)


def _json(body: bytes) -> object:
    try:
        return parse_json(body)
    except (ValueError, RecursionError):
        return None
