"""Cross-origin requests of browser applications: only from the configured origins, exactly."""

from collections.abc import Collection, Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


class Cors(CORSMiddleware):
    """Starlette's rules. A preflight of a stranger is answered without a permission, which is all a browser asks; the
    plain text that Starlette would answer is in no dialect of ours.

    The pages at `unshared` are nobody's to read: a script that could would say yes on the consent page itself.
    """

    def __init__(self, app: ASGIApp, *, unshared: Collection[str], **rules: Any) -> None:
        super().__init__(app, **rules)
        self._unshared = frozenset(unshared)
        self._unshared_below = tuple(path.partition("{")[0] for path in unshared if "{" in path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and self._is_unshared(scope["path"]):
            await self.app(scope, receive, send)
            return
        await super().__call__(scope, receive, send)

    def _is_unshared(self, path: str) -> bool:
        """A page whose path has a parameter takes all below it along."""
        return path in self._unshared or path.startswith(self._unshared_below)

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a browser asks before it sends the request itself (Fetch §3.2.2)."""
        answer = super().preflight_response(request_headers)
        if answer.status_code != 200:
            return Response(status_code=204, headers={"Vary": "Origin"})
        headers = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        return Response(status_code=204, headers=headers)


def with_cors(app: ASGIApp, origins: Sequence[str], unshared: Collection[str] = ()) -> ASGIApp:
    """The application behind these rules; unchanged when no origin is configured. `unshared` are the paths of pages
    for people, the authorization endpoint among them, which must not take part (OAuth 2.1 §3.1)."""
    if not origins:
        return app
    return Cors(
        app,
        unshared=unshared,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Gatepost-CSRF", "X-Request-ID"],
        expose_headers=["WWW-Authenticate", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-ID"],
        allow_credentials=True,
        max_age=600,
    )
