"""The files that pages load: a closed list, read once, so that no path leads anywhere else."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

from service.protocol.errors import NotFound
from service.web.security import Route, public

router = APIRouter(prefix="/static", route_class=Route, include_in_schema=False)
_OURS, _SWAGGER = "service.web.pages", "fastapi_swagger"
_FILES = {
    "gatepost.css": (_OURS, "static", "text/css; charset=utf-8"),
    "docs.css": (_OURS, "static", "text/css; charset=utf-8"),
    "docs.js": (_OURS, "static", "text/javascript; charset=utf-8"),
    "docs-redirect.js": (_OURS, "static", "text/javascript; charset=utf-8"),
    "form_post.js": (_OURS, "static", "text/javascript; charset=utf-8"),
    "icon.svg": (_OURS, "static", "image/svg+xml"),
    "swagger-ui.css": (_SWAGGER, "resources", "text/css; charset=utf-8"),
    "swagger-ui-bundle.js": (_SWAGGER, "resources", "text/javascript; charset=utf-8"),
}


@dataclass(frozen=True, slots=True)
class Asset:
    """Bytes that anyone may see, and the tag by which a browser asks whether its copy is still good."""

    body: bytes
    media_type: str
    tag: str

    @classmethod
    def of(cls, body: bytes, media_type: str) -> "Asset":
        """The asset of these bytes."""
        return cls(body, media_type, f'"{sha256(body).hexdigest()[:32]}"')

    def answer(self, request: Request, *, keep: str) -> Response:
        """The file, or 304 when the browser has it (RFC 9110 §13.1.2)."""
        fields = {"ETag": self.tag, "Cache-Control": keep}
        asked = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
        if self.tag in asked:
            return Response(status_code=304, headers=fields)
        return Response(self.body, media_type=self.media_type, headers=fields)


@router.get("/{name}", dependencies=[public])
async def static_file(name: str, request: Request) -> Response:
    """One file of the list. Raises `NotFound`."""
    if name not in _FILES:
        raise NotFound(public="There is no such file.")
    return _asset(name).answer(request, keep="public, max-age=3600")


@cache
def _asset(name: str) -> Asset:
    package, folder, media_type = _FILES[name]
    place: Traversable = files(package) / folder / name
    return Asset.of(place.read_bytes(), media_type)
