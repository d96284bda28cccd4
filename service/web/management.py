"""The management port: is the process alive, can it do its work, and what it counts; nothing else."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.protocol.errors import InvalidRequest, NotFound
from service.web.edge import Edge
from service.web.health import Alive, Readiness, Ready
from service.web.refusals import MethodNotAllowed


class MetricsText(NamedTuple):
    """Where the metrics of all workers are had, and what they are written in."""

    read: Callable[[], Awaitable[bytes]]
    media_type: str

    async def response(self) -> Response:
        """What a scraper gets."""
        return Response(await self.read(), headers={"content-type": self.media_type})


def management(readiness: Callable[[], Awaitable[Readiness]], metrics: MetricsText | None, *, secure: bool) -> Edge:
    """The application of the management port. Whoever reaches that port may ask: there are no credentials."""
    return Edge(_Pages(readiness, metrics), hot={}, secure=secure, max_body=0)


class _Pages:
    def __init__(self, readiness: Callable[[], Awaitable[Readiness]], metrics: MetricsText | None) -> None:
        self._readiness = readiness
        self._pages: dict[str, Callable[[], Awaitable[Response]]] = {"/livez": _livez, "/readyz": self._readyz}
        if metrics is not None:
            self._pages["/metrics"] = metrics.response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = self._pages.get(scope["path"])
        if page is None:
            raise NotFound(public="There is nothing at this address.")
        if scope["method"] != "GET":
            raise MethodNotAllowed("GET, HEAD")
        if any(_tells_a_body(name, value) for name, value in scope["headers"]):
            raise InvalidRequest(public="Send no body.")
        response = await page()
        await response(scope, receive, send)

    async def _readyz(self) -> Response:
        found = await self._readiness()
        ready, fields = Ready.told(found)
        return _json(ready, 200 if found.is_whole else 503, fields)


async def _livez() -> Response:
    return _json(Alive())


def _tells_a_body(name: bytes, value: bytes) -> bool:
    return name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0") != b"")


def _json(shown: BaseModel, status: int = 200, fields: dict[str, str] | None = None) -> Response:
    return Response(shown.model_dump_json(), status, fields, media_type="application/json")
