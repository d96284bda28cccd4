"""How a page is answered: rendered, never stored, with nothing inline; and refusals as pages too."""

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from service.protocol.errors import Delayed, Refusal
from service.web.errors import render_refusal
from service.web.security import Route

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_templates = Environment(
    loader=PackageLoader("service.web.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_log = structlog.get_logger("gatepost.web")


def page(
    template: str,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    policy: str = POLICY,
    headers: Mapping[str, str] | None = None,
    **shown: object,
) -> Response:
    """The page of a template. Edge adds what every answer carries; a page is also alone in its window."""
    fields = {
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
        **(headers or {}),
    }
    return HTMLResponse(_templates.get_template(template).render(shown), status, fields)


class PageRoute(Route):
    """A route for people: what it refuses is answered by a page that says so in plain words."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, with refusals shown as pages."""
        handler = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handler(request)
            except Refusal as refusal:
                return _refused(request, refusal)

        return shown


def _refused(request: Request, refusal: Refusal) -> Response:
    """The status and fields are those that the API would answer with."""
    answer = render_refusal(request.scope, refusal)
    kept = {name: value for name, value in answer.headers.items() if name in {"retry-after", "www-authenticate"}}
    return page(
        "refused.html",
        status=HTTPStatus(answer.status_code),
        headers=kept,
        title="Not now" if isinstance(refusal, Delayed) else "This cannot be done",
        sentence=refusal.public,
    )
