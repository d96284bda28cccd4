"""What a program sends to an endpoint of OAuth: one form, nothing in the address."""

import json
from collections.abc import Mapping

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope

from service.protocol.errors import InvalidRequest
from service.protocol.form import Form, parse_form
from service.web.strict_body import check_content_type

FORM = b"application/x-www-form-urlencoded"


async def read_form(scope: Scope, receive: Receive) -> Form:
    """The form of a request. The edge has bounded its length.

    Raises `InvalidRequest` for parameters in the address, which logs and proxies keep, and for a malformed form;
    `UnsupportedBody` for any other body.
    """
    if scope["query_string"]:
        raise InvalidRequest(public="Send parameters in the body, not in the address.")
    check_content_type(scope, FORM)
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return parse_form(body)


def authorizations(scope: Scope) -> list[bytes]:
    """Every Authorization field."""
    return [value for name, value in scope["headers"] if name == b"authorization"]


def json_answer(document: Mapping[str, object]) -> Response:
    """A 200 that nobody keeps (RFC 6749 §5.1)."""
    body = json.dumps(dict(document), separators=(",", ":"), ensure_ascii=False).encode()
    fields = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(body, media_type="application/json", headers=fields)
