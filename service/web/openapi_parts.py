"""The fixed parts of the OpenAPI document: words, credential kinds, the problem document, `/auth/verify`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

Part = dict[str, Any]

ABOUT = """Who is calling, and may they?

Press **Authorize** and sign in on our own pages (oauth2), or enter one credential: an access token from
`POST /auth/login` (bearer), a user name and password or a client id and secret (basic), or an API key. Each operation
says which kinds it takes and which scopes it needs. Two credentials in one request are refused.

Every refusal is a problem document (RFC 9457) with a stable `code` and the `request_id`, which is also in the field
`X-Request-ID` of every answer; at the endpoints of OAuth it is what that asks for (RFC 6749 §5.2). Lists are read with
opaque cursors: pass `next` on as `cursor`. A request that a cookie speaks for carries `X-Gatepost-CSRF: 1` when it
changes something."""

TAGS = [
    {"name": name, "description": about}
    for name, about in {
        "Sign-in": "Open, refresh and end sessions: with tokens in JSON for applications, in cookies for browsers.",
        "Your account": "Who is calling, and a person's own sessions and password.",
        "Your API keys": "A person's own keys. Only a person who has signed in can make one; a key cannot.",
        "Administration: users": "People: what they may do, their passwords and sessions.",
        "Administration: clients": "Applications that call as themselves.",
        "Administration: identity providers": "The services that people sign in with.",
        "Administration: signing keys": "The keys that access tokens are signed with.",
        "Administration: audit": "Who did what, on what, when, from where and with what.",
        "Administration: usage": "Who used how much: totals of requests to see and to bill by.",
        "OAuth": "For applications: tokens, metadata and who the person is (OAuth 2.1, OpenID Connect).",
        "For services": "What other services and reverse proxies ask.",
        "Health": "For whatever watches the process.",
    }.items()
]

PROBLEM: Part = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "examples": ["about:blank"]},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence for people."},
        "instance": {"type": "string", "description": "The path that was asked."},
        "code": {"type": "string", "description": "A stable word for programs."},
        "request_id": {"type": "string"},
        "scope": {"type": "string", "description": "With 403: the scopes that are needed, space separated."},
        "errors": {
            "type": "array",
            "description": "With 422: what is wrong where.",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "`/name` in the body, `?name` in the query, `path:name` in the path.",
                    },
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}

_RETRY_AFTER = {"Retry-After": {"description": "In how many seconds to try again.", "schema": {"type": "integer"}}}
_CHALLENGE = {
    "WWW-Authenticate": {
        "description": "One challenge for each kind of credential that is taken here.",
        "schema": {"type": "string"},
    }
}
REFUSALS: dict[int, tuple[str, str, str]] = {
    400: ("BadRequest", "Malformed or contradictory, such as two credentials in one request.", "invalid_request"),
    401: ("Unauthorized", "No credential, or one that is not valid.", "not_authenticated"),
    403: ("Forbidden", "Who is calling is known, and may not.", "insufficient_scope"),
    404: ("NotFound", "There is no such thing.", "not_found"),
    409: ("Conflict", "The name is taken, or the state has moved on.", "conflict"),
    410: ("Gone", "What was handed in has been used or has expired.", "dead_link"),
    413: ("TooLarge", "The body is too large.", "body_too_large"),
    415: ("UnsupportedMediaType", "The body is not plain JSON.", "unsupported_media_type"),
    422: ("Unprocessable", "Some values are not valid.", "invalid_request"),
    429: (
        "TooManyRequests",
        "Too much was tried or asked; `Retry-After` says when to come.",
        "too_many_attempts",
    ),
    502: ("BadGateway", "Another service gave an answer that cannot be used.", "provider_failed"),
    503: ("Unavailable", "A store is away, or too much work is waiting.", "temporarily_unavailable"),
    504: ("GatewayTimeout", "Another service does not answer in time.", "provider_silent"),
}
_REFUSAL_FIELDS = {401: _CHALLENGE, 429: _RETRY_AFTER, 503: _RETRY_AFTER, 504: _RETRY_AFTER}


def reference(status: int) -> Part:
    """A reference to the shared response of a refusal."""
    return {"$ref": f"#/components/responses/{REFUSALS[status][0]}"}


def shared_responses() -> Part:
    """The responses that `reference` leads to."""
    return {name: _refusal(status, about, code) for status, (name, about, code) in REFUSALS.items()}


def credential_kinds(*, public_url: str, scopes: Mapping[str, str], cookie: str, api_key_in_query: bool) -> Part:
    """The security schemes, in the order in which padlocks offer them. `oauth2` is a way to an access token, which is
    then sent as any other."""
    kinds: Part = {
        "oauth2": {
            "type": "oauth2",
            "description": "Sign in on our own pages: authorization code with PKCE. The client is set already.",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": f"{public_url}/oauth2/authorize",
                    "tokenUrl": f"{public_url}/oauth2/token",
                    "refreshUrl": f"{public_url}/oauth2/token",
                    "scopes": dict(scopes),
                }
            },
        },
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token; an API key may stand in its place.",
        },
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "User name (or e-mail address) and password, or client id and secret.",
        },
        "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
    }
    if api_key_in_query:
        kinds["api_key_in_query"] = {
            "type": "apiKey",
            "in": "query",
            "name": "api_key",
            "description": "An API key in the address, for callers that can send no header field.",
        }
    kinds["cookie"] = {
        "type": "apiKey",
        "in": "cookie",
        "name": cookie,
        "description": "Set by `POST /auth/login?mode=cookie`; the browser sends it by itself.",
    }
    return kinds


def verify_operation(security: list[Part]) -> Part:
    """`GET /auth/verify`, which no FastAPI route describes."""
    words = {
        "sub": "Whose credential it is.",
        "kind": "`user` or `client`.",
        "scheme": "How the caller proved it: `api_key`, `basic`, `bearer` or `cookie`.",
        "scope": "What the credential may do, space separated.",
        "client_id": "The client, if one is involved.",
        "session_id": "The session, if there is one.",
        "credential_id": "Names the credential for logs; never a secret.",
    }
    always = ("sub", "kind", "scheme", "scope")
    members = {
        name: {"type": "string" if name in always else ["string", "null"], "description": about}
        for name, about in words.items()
    }
    fields = {
        "X-Auth-Subject": "sub",
        "X-Auth-Kind": "kind",
        "X-Auth-Scheme": "scheme",
        "X-Auth-Scopes": "scope",
        "X-Auth-Client": "client_id",
        "X-Auth-Session": "session_id",
    }
    passing = {
        "description": "The request may pass.",
        "headers": {name: {"description": words[of], "schema": {"type": "string"}} for name, of in fields.items()},
        "content": {"application/json": {"schema": {"type": "object", "required": list(words), "properties": members}}},
    }
    return {
        "tags": ["For services"],
        "summary": "May this request pass?",
        "description": "For reverse proxies (`auth_request`, `forward_auth`): pass the caller's credential on and heed "
        "the status. With `scope`, the credential must have all of them. With a cookie, an unsafe method in "
        "`X-Original-Method` or `X-Forwarded-Method` needs `X-Gatepost-CSRF` and no foreign Origin.",
        "operationId": "verify",
        "security": security,
        "parameters": [
            {
                "name": "scope",
                "in": "query",
                "required": False,
                "description": "The scopes that are needed, space separated.",
                "schema": {"type": "string"},
                "example": "reports:read",
            }
        ],
        "responses": {"200": passing, **{str(status): reference(status) for status in (400, 401, 403, 429, 503)}},
    }


def _refusal(status: int, about: str, code: str) -> Part:
    example = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": about,
        "instance": "/users/me",
        "code": code,
        "request_id": "6f1c0a52b9d4-1f",
    }
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    shown: Part = {"description": about, "content": content}
    if status in _REFUSAL_FIELDS:
        shown["headers"] = _REFUSAL_FIELDS[status]
    return shown
