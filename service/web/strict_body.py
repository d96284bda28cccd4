"""Request bodies with exactly one reading, of a type that we take."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive, Scope

from gatepost.encoding import parse_json_object
from service.web.refusals import BodyTooLarge, UnsupportedBody

_NO_CODING = b"identity"
_LONGEST_LENGTH = 12


class StrictRequest(Request):
    """A request whose JSON body has no member twice, no NaN, and at most 16 levels."""

    async def json(self) -> Any:
        """The object. Raises `json.JSONDecodeError` for anything else."""
        raw = await self.body()
        try:
            return parse_json_object(raw)
        except json.JSONDecodeError:
            raise
        except (ValueError, RecursionError) as problem:
            raise json.JSONDecodeError(str(problem) or "nested too deep", "", 0) from None


class StrictBodyRoute(APIRoute):
    """A route that looks at the body's type and length itself: FastAPI makes a 400 of whatever reading one raises."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind a body that has been read. Raises `UnsupportedBody`, `BodyTooLarge`."""
        handler = super().get_route_handler()
        if self.body_field is None:
            return handler

        async def strict(request: Request) -> Response:
            check_content_type(request.scope)
            read = StrictRequest(request.scope, request.receive)
            await read.body()
            return await handler(read)

        return strict


def bounded(receive: Receive, scope: Scope, limit: int) -> Receive:
    """The same stream, which raises `BodyTooLarge` past `limit` bytes; at once when the length is announced."""
    for name, value in scope["headers"]:
        if name == b"content-length" and (len(value) > _LONGEST_LENGTH or not value.isdigit() or int(value) > limit):
            raise BodyTooLarge(detail="announced length")
    seen = 0

    async def receive_bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise BodyTooLarge(detail="streamed length")
        return message

    return receive_bounded


def check_content_type(scope: Scope, wanted: bytes = b"application/json") -> None:
    """Raises `UnsupportedBody` unless the body is of this type and in no content coding. No body at all passes."""
    media_type, coding, has_body = b"", _NO_CODING, False
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type = value.partition(b";")[0].strip().lower()
        elif name == b"content-encoding":
            coding = value.strip().lower()
        elif name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            has_body = True
    if coding != _NO_CODING:
        raise UnsupportedBody(detail="content coding")
    if has_body and media_type != wanted:
        raise UnsupportedBody(detail="media type")
