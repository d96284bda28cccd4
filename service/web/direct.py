"""Endpoints that need neither router nor dependencies: in front of the application, behind the rules for origins."""

from collections.abc import Mapping
from typing import Protocol

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.protocol.errors import Refusal
from service.web.errors import render_refusal
from service.web.refusals import MethodNotAllowed


class DirectEndpoint(Protocol):
    """One address."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Those that it answers, HEAD aside."""

    async def answer(self, scope: Scope, receive: Receive) -> Response:
        """The answer. Raises a `Refusal`."""


class Direct:
    """Wraps the application; `endpoints` by exact path. What they refuse is answered here, so that an application of
    another origin can read it."""

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, DirectEndpoint]) -> None:
        self.app = app
        self.endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or hand it on."""
        endpoint = self.endpoints.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await self.app(scope, receive, send)
            return
        try:
            if scope["method"] not in endpoint.methods:
                heads = ("HEAD",) if "GET" in endpoint.methods else ()
                raise MethodNotAllowed(", ".join(sorted((*endpoint.methods, *heads))))
            response = await endpoint.answer(scope, receive)
        except Refusal as refusal:
            response = render_refusal(scope, refusal)
        await response(scope, receive, send)
