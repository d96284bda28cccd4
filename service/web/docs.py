"""`/docs` and `/openapi.json`: the API, to read and to try, from our own address alone."""

import json

from fastapi import APIRouter, FastAPI, Request, Response

from service.web.pages import assets, page
from service.web.pages.assets import Asset
from service.web.security import Route, public

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def install(app: FastAPI) -> None:
    """Serve the document of `app.openapi()`, the page that shows it, and the files of all pages."""
    router = APIRouter(route_class=Route, include_in_schema=False)
    built: list[Asset] = []

    @router.get("/openapi.json", dependencies=[public])
    async def openapi_document(request: Request) -> Response:
        """The OpenAPI document, made when it is first asked for."""
        if not built:
            body = json.dumps(app.openapi(), ensure_ascii=False, separators=(",", ":")).encode()
            built.append(Asset.of(body, "application/json"))
        return built[0].answer(request, keep="public, no-cache")

    @router.get("/docs", dependencies=[public])
    async def docs_page() -> Response:
        """Swagger UI."""
        return page("docs.html", policy=POLICY)

    @router.get("/docs/oauth2-redirect", dependencies=[public])
    async def docs_redirect_page() -> Response:
        """Where the preset client's authorization response arrives, in the window that Authorize opened."""
        return page("docs_redirect.html", policy=POLICY)

    app.router.routes.extend([*router.routes, *assets.router.routes])
