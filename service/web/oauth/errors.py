"""Refusals at the endpoints of OAuth, in the dialect of their standard: RFC 6749 §5.2, RFC 6750 §3 where a token opens.

`web/errors.py` comes here for every error under `ENDPOINTS`, the framework's own too.
"""

import json
import re
from collections.abc import Sequence
from http import HTTPStatus
from math import ceil

import structlog
from starlette.responses import Response
from starlette.types import Scope

from gatepost.challenge import basic_challenge, bearer_challenge
from service.protocol.errors import (
    Delayed,
    Forbidden,
    InsufficientScope,
    InvalidClient,
    InvalidToken,
    NotAuthenticated,
    Refusal,
    TooManyAttempts,
    TooManyRequests,
)
from service.web.refusals import BodyTooLarge, MethodNotAllowed, UnsupportedBody
from service.web.security import REALM, RESOURCE_METADATA

TOKEN, DEVICE_AUTHORIZATION = "/oauth2/token", "/oauth2/device_authorization"
INTROSPECT, REVOKE, USERINFO = "/oauth2/introspect", "/oauth2/revoke", "/userinfo"
ENDPOINTS = frozenset({TOKEN, DEVICE_AUTHORIZATION, INTROSPECT, REVOKE, USERINFO})
"""What programs call. The addresses of OAuth that are pages answer people."""

_CODES = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant", "invalid_scope", "invalid_target", "invalid_token"),
        *("unauthorized_client", "unsupported_grant_type", "insufficient_scope", "temporarily_unavailable"),
        *("authorization_pending", "slow_down", "expired_token", "access_denied"),
    }
)
_STATUS: tuple[tuple[type[Refusal], HTTPStatus], ...] = (
    (NotAuthenticated, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (UnsupportedBody, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (BodyTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (MethodNotAllowed, HTTPStatus.METHOD_NOT_ALLOWED),
    (TooManyAttempts, HTTPStatus.TOO_MANY_REQUESTS),
    (TooManyRequests, HTTPStatus.TOO_MANY_REQUESTS),
    (Delayed, HTTPStatus.SERVICE_UNAVAILABLE),
)
_NOT_IN_TEXT = re.compile(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]")
_FORM = "Send the body as application/x-www-form-urlencoded, without a content coding."
_log = structlog.get_logger("gatepost.web")


def speaks_oauth(scope: Scope) -> bool:
    """Whether errors at this address are of this dialect."""
    return scope.get("path") in ENDPOINTS


def retry_after(refusal: Delayed) -> str:
    """When it is worth trying again, in whole seconds (RFC 9110 §10.2.3): never too soon."""
    return str(max(1, ceil(refusal.retry_after.total_seconds())))


def oauth_error(scope: Scope, refusal: Refusal) -> Response:
    """The answer to a refusal: `error` and `error_description`, never cached.

    A client that failed with the Authorization field gets 401 and a Basic challenge, any other 400 (RFC 6749 §5.2);
    at introspection it is always 401 (RFC 7662 §2.3). What a token opens has Bearer challenges (RFC 6750 §3).
    """
    status = _status(scope, refusal)
    _log.info("refused", code=refusal.code, status=int(status), detail=refusal.detail)
    headers: list[tuple[str, str]] = []
    if isinstance(refusal, Delayed):
        headers.append(("Retry-After", retry_after(refusal)))
    elif isinstance(refusal, MethodNotAllowed):
        headers.append(("Allow", refusal.allow))
    elif isinstance(refusal, InvalidClient) and status is HTTPStatus.UNAUTHORIZED:
        headers.append(("WWW-Authenticate", basic_challenge(REALM)))
    elif scope["path"] == USERINFO and isinstance(refusal, NotAuthenticated | InsufficientScope):
        headers.append(("WWW-Authenticate", _bearer_challenge(scope, refusal)))
    code = refusal.code
    if isinstance(refusal, Delayed):
        code = "temporarily_unavailable"
    elif isinstance(refusal, NotAuthenticated):
        code = "invalid_token"
    public = _FORM if isinstance(refusal, UnsupportedBody) else refusal.public
    return oauth_failure(status, public, code=code, headers=headers)


def oauth_failure(
    status: HTTPStatus, description: str, *, code: str = "invalid_request", headers: Sequence[tuple[str, str]] = ()
) -> Response:
    """The document of RFC 6749 §5.2. What its alphabet does not hold is left out of the description."""
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        code = "server_error"
    elif code not in _CODES:
        code = "invalid_request"
    document = {"error": code, "error_description": _NOT_IN_TEXT.sub("", description)}
    response = Response(json.dumps(document).encode(), status, media_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    for name, value in headers:
        response.headers.append(name, value)
    return response


def _status(scope: Scope, refusal: Refusal) -> HTTPStatus:
    if isinstance(refusal, InvalidClient):
        tried = any(name == b"authorization" for name, _ in scope["headers"])
        return HTTPStatus.UNAUTHORIZED if tried or scope["path"] == INTROSPECT else HTTPStatus.BAD_REQUEST
    return next((status for kind, status in _STATUS if isinstance(refusal, kind)), HTTPStatus.BAD_REQUEST)


def _bearer_challenge(scope: Scope, refusal: Refusal) -> str:
    """With an `error` only when a credential was sent (RFC 6750 §3.1)."""
    at: str | None = scope.get(RESOURCE_METADATA)
    if isinstance(refusal, InsufficientScope):
        return bearer_challenge(REALM, error="insufficient_scope", scope=refusal.needed, resource_metadata=at)
    if isinstance(refusal, InvalidToken):
        sentence = refusal.public
        return bearer_challenge(REALM, error="invalid_token", error_description=sentence, resource_metadata=at)
    return bearer_challenge(REALM, resource_metadata=at)
