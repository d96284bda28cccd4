"""Cross-origin requests of browser applications: only from the configured origins, exactly."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp


class Cors(CORSMiddleware):
    """Starlette's rules. A preflight of a stranger is answered without a permission, which is all a browser asks; the
    plain text that Starlette would answer is in no dialect of ours."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a browser asks before it sends the request itself (Fetch §3.2.2)."""
        answer = super().preflight_response(request_headers)
        if answer.status_code != 200:
            return Response(status_code=204, headers={"Vary": "Origin"})
        headers = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        return Response(status_code=204, headers=headers)


def with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The application behind these rules; unchanged when no origin is configured."""
    if not origins:
        return app
    return Cors(
        app,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Gatepost-CSRF", "X-Request-ID"],
        expose_headers=["WWW-Authenticate", "Retry-After", "X-Request-ID"],
        allow_credentials=True,
        max_age=600,
    )
