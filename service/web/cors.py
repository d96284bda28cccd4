"""Cross-origin requests of browser applications: only from the configured origins, exactly."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp


def with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The application behind Starlette's CORS rules; unchanged when no origin is configured."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Gatepost-CSRF", "X-Request-ID"],
        expose_headers=["WWW-Authenticate", "Retry-After", "X-Request-ID"],
        allow_credentials=True,
        max_age=600,
    )
