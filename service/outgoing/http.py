"""Sending: no redirects, no cookies, no proxies or credentials of the environment, no answer longer than is read.

The library is loaded for the first thing that is sent (20 ms): a worker that sends nothing is 3 MB smaller.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

Sending = Callable[[str, str], AbstractContextManager[Mapping[str, str]]]
"""Told of the method and the address of a request, for its time; what its fields are to have because of that."""


def untold(method: str, uri: str) -> AbstractContextManager[Mapping[str, str]]:
    """For who tells nobody."""
    return nullcontext({})


class OutgoingHttp:
    """One pool of connections. `within` bounds a whole exchange, however slowly the other side dribbles. `sending` is
    told of each."""

    def __init__(self, *, within: timedelta = timedelta(seconds=5)) -> None:
        self.sending: Sending = untold
        self._within = within.total_seconds()
        self._client: httpx2.AsyncClient | None = None

    async def post_form(self, uri: str, fields: dict[str, str]) -> int:
        """The status of the answer, whose body is not read. Raises `OSError` when there was none in good time."""
        import httpx2

        try:
            with self.sending("POST", uri) as told:
                async with (
                    asyncio.timeout(self._within),
                    self.client().stream("POST", uri, data=fields, headers={"Accept": "*/*", **told}) as answer,
                ):
                    return answer.status_code
        except httpx2.HTTPError as error:
            raise OSError(f"{type(error).__name__}: {error}") from None
        except (httpx2.InvalidURL, ValueError) as error:
            raise OSError(f"not an address: {error}") from None

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()

    def client(self) -> "httpx2.AsyncClient":
        """The pool, made on first use: it reads the certificates of the machine, which takes its time."""
        from http.cookiejar import CookieJar, DefaultCookiePolicy

        import httpx2

        if self._client is None:
            limits = httpx2.Limits(max_connections=64, max_keepalive_connections=0)
            self._client = httpx2.AsyncClient(
                follow_redirects=False,
                trust_env=False,
                timeout=self._within,
                limits=limits,
                headers={"User-Agent": "gatepost"},
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # nobody is known again by one
            )
        return self._client
