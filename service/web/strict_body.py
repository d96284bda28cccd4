"""Request bodies with exactly one reading, of a type that we take."""

import json
from typing import Any

from fastapi import Request
from starlette.types import Scope

from gatepost.encoding import parse_json_object
from service.web.refusals import UnsupportedBody

_NO_CODING = b"identity"


class StrictRequest(Request):
    """A request whose JSON body has no member twice, no NaN, and at most 16 levels.

    The media type is looked at when the body is first read: that is after the guard, so 401 comes before 415.
    """

    async def body(self) -> bytes:
        """The bytes. Raises `UnsupportedBody` unless they are plain JSON."""
        check_content_type(self.scope)
        return await super().body()

    async def json(self) -> Any:
        """The object. Raises `json.JSONDecodeError` for anything else."""
        raw = await self.body()
        try:
            return parse_json_object(raw)
        except json.JSONDecodeError:
            raise
        except (ValueError, RecursionError) as problem:
            raise json.JSONDecodeError(str(problem) or "nested too deep", "", 0) from None


def check_content_type(scope: Scope) -> None:
    """Raises `UnsupportedBody` unless the body is JSON in no content coding. No body at all passes."""
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
    if has_body and media_type != b"application/json":
        raise UnsupportedBody(detail="media type")
