"""The one translator from refusals to answers: RFC 9457 problem documents with the right status and fields.

The endpoints of OAuth speak the dialect of their standard instead (`oauth/errors.py`): the address decides, not the
refusal.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope

from gatepost.challenge import api_key_challenge, basic_challenge, bearer_challenge
from service.federation.refusals import ProviderFailed, ProviderSilent
from service.protocol.errors import (
    AccessDenied,
    Conflict,
    DeadLink,
    Delayed,
    Forbidden,
    InsufficientScope,
    Invalid,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    InvalidToken,
    NotAuthenticated,
    NotFound,
    NotOffered,
    Refusal,
    TooManyAttempts,
    TooManyRequests,
)
from service.web.oauth.errors import oauth_error, oauth_failure, retry_after, speaks_oauth
from service.web.refusals import BodyTooLarge, CursorAhead, MethodNotAllowed, UnsupportedBody
from service.web.security import GUARDED_BY, REALM, RESOURCE_METADATA, Door

REQUEST_ID = "gatepost.request_id"
_log = structlog.get_logger("gatepost.web")

_STATUS: tuple[tuple[type[Refusal], HTTPStatus], ...] = (
    (Invalid, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotAuthenticated, HTTPStatus.UNAUTHORIZED),
    (InvalidGrant, HTTPStatus.UNAUTHORIZED),
    (InvalidClient, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (DeadLink, HTTPStatus.GONE),
    (NotOffered, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (AccessDenied, HTTPStatus.FORBIDDEN),
    (InvalidScope, HTTPStatus.BAD_REQUEST),
    (CursorAhead, HTTPStatus.GONE),
    (UnsupportedBody, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (BodyTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (MethodNotAllowed, HTTPStatus.METHOD_NOT_ALLOWED),
    (ProviderFailed, HTTPStatus.BAD_GATEWAY),
    (ProviderSilent, HTTPStatus.GATEWAY_TIMEOUT),
    (TooManyAttempts, HTTPStatus.TOO_MANY_REQUESTS),
    (TooManyRequests, HTTPStatus.TOO_MANY_REQUESTS),
    (Delayed, HTTPStatus.SERVICE_UNAVAILABLE),
)


def install(app: FastAPI) -> None:
    """Have every refusal, validation error and framework error of this application answered here."""
    app.add_exception_handler(Refusal, _answer_refusal)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(HTTPException, _answer_framework)
    app.add_exception_handler(ClientDisconnect, _answer_gone)


def render_refusal(scope: Scope, refusal: Refusal) -> Response:
    """The answer to a refusal, wherever it was raised."""
    if speaks_oauth(scope):
        return oauth_error(scope, refusal)
    status = next((status for kind, status in _STATUS if isinstance(refusal, kind)), HTTPStatus.BAD_REQUEST)
    _log.info("refused", code=refusal.code, status=int(status), detail=refusal.detail)
    errors: Sequence[Mapping[str, str]] = ()
    if isinstance(refusal, Invalid):
        errors = ({"pointer": f"/{refusal.field}", "code": refusal.rule, "message": refusal.public},)
    return problem(
        scope,
        status,
        refusal.code,
        _public_sentence(refusal),
        headers=_headers(scope, refusal, status),
        errors=errors,
        scopes=refusal.needed if isinstance(refusal, InsufficientScope) else (),
    )


def unfinished(scope: Scope) -> Response:
    """The answer to a caller who left before the whole request was there: nobody reads it, and it is counted."""
    return problem(scope, HTTPStatus.BAD_REQUEST, "invalid_request", "The request ended before it was whole.")


def problem(
    scope: Scope,
    status: HTTPStatus,
    code: str,
    detail: str,
    *,
    headers: Sequence[tuple[str, str]] = (),
    errors: Sequence[Mapping[str, str]] = (),
    scopes: Sequence[str] = (),
) -> Response:
    """A problem document (RFC 9457 §3) with our `code`, the request id, and what was wrong where."""
    if speaks_oauth(scope):
        return oauth_failure(status, detail, headers=headers)
    document: dict[str, object] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "instance": scope.get("path", ""),
        "code": code,
        "request_id": scope.get(REQUEST_ID, ""),
    }
    if errors:
        document["errors"] = errors
    if scopes:
        document["scope"] = " ".join(scopes)
    body = json.dumps(document, ensure_ascii=True).encode()
    response = Response(body, status, media_type="application/problem+json")
    for name, value in headers:
        response.headers.append(name, value)
    return response


def _public_sentence(refusal: Refusal) -> str:
    if isinstance(refusal, InsufficientScope):
        return f"This needs the scopes: {' '.join(refusal.needed)}."
    return refusal.public


def _headers(scope: Scope, refusal: Refusal, status: HTTPStatus) -> list[tuple[str, str]]:
    if isinstance(refusal, Delayed):
        return [("Retry-After", retry_after(refusal))]
    if isinstance(refusal, MethodNotAllowed):
        return [("Allow", refusal.allow)]
    if isinstance(refusal, InsufficientScope):
        challenge = bearer_challenge(
            REALM,
            error="insufficient_scope",
            scope=refusal.needed,
            resource_metadata=scope.get(RESOURCE_METADATA),
        )
        return [("WWW-Authenticate", challenge)]
    if status is HTTPStatus.UNAUTHORIZED:
        return [("WWW-Authenticate", challenge) for challenge in _challenges(scope, refusal)]
    return []


def _challenges(scope: Scope, refusal: Refusal) -> list[str]:
    """One challenge for each scheme that the route takes; `error` only if a credential was sent (RFC 6750 §3)."""
    door = scope.get(GUARDED_BY)
    schemes = door.schemes if isinstance(door, Door) else ("bearer",)
    needed = door.needed if isinstance(door, Door) else frozenset()
    error = "invalid_token" if isinstance(refusal, InvalidToken | InvalidGrant) else None
    challenges = [
        bearer_challenge(
            REALM,
            error=error,
            error_description=refusal.public if error else None,
            scope=needed,
            resource_metadata=scope.get(RESOURCE_METADATA),
        )
    ]
    if "basic" in schemes and not _is_browser_fetch(scope):
        challenges.append(basic_challenge(REALM))
    if "api_key" in schemes:
        challenges.append(api_key_challenge(REALM))
    return challenges


def _is_browser_fetch(scope: Scope) -> bool:
    """A script's request: with `Basic` on offer the browser would open its own password box over the page."""
    return any(name == b"sec-fetch-mode" and value != b"navigate" for name, value in scope["headers"])


async def _answer_gone(request: Request, _: Exception) -> Response:
    return unfinished(request.scope)


async def _answer_refusal(request: Request, refusal: Exception) -> Response:
    if not isinstance(refusal, Refusal):
        raise TypeError("this handler is for Refusal alone") from refusal
    return render_refusal(request.scope, refusal)


async def _answer_validation(request: Request, problem_: Exception) -> Response:
    if not isinstance(problem_, RequestValidationError):
        raise TypeError("this handler is for RequestValidationError alone") from problem_
    found = problem_.errors()
    if any(error["type"] == "json_invalid" for error in found):
        return problem(request.scope, HTTPStatus.BAD_REQUEST, "invalid_json", "The body is not a valid JSON object.")
    errors = [
        {"pointer": _pointer(error["loc"]), "code": str(error["type"]), "message": str(error["msg"])}
        for error in found[:20]
    ]
    return problem(
        request.scope, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", "Some values are not valid.", errors=errors
    )


def _pointer(location: Sequence[str | int]) -> str:
    """Where in the request: `/name` in the body (RFC 6901), `?name` in the query, `{name}` in the path."""
    place, *parts = location
    escaped = [str(part).replace("~", "~0").replace("/", "~1") for part in parts]
    if place == "query":
        return "?" + "/".join(escaped)
    return "".join(f"/{part}" for part in escaped) if place == "body" else f"{place}:{'/'.join(escaped)}"


async def _answer_framework(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: no such path, wrong method, body too large or unreadable."""
    if not isinstance(error, HTTPException):
        raise TypeError("this handler is for HTTPException alone") from error
    status = HTTPStatus(error.status_code)
    codes = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
    details = {
        404: "There is nothing at this address.",
        405: "This address does not take this method.",
        413: "The body is too large.",
    }
    headers = [("Allow", _allowed(request))] if status is HTTPStatus.METHOD_NOT_ALLOWED else []
    code = codes.get(status, "invalid_request")
    return problem(request.scope, status, code, details.get(status, "The request is not valid."), headers=headers)


def _allowed(request: Request) -> str:
    """Every method of this address (RFC 9110 §15.5.6); Starlette names those of the first route that fits."""
    here = [one for one in iter_route_contexts(request.app.routes) if one.path_regex.match(request.scope["path"])]
    methods = {method for route in here for method in route.methods or ()}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))
