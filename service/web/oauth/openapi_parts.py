"""The endpoints of OAuth in the OpenAPI document: no FastAPI route describes them."""

from collections.abc import Mapping
from typing import Any

from service.clients.metadata import GRANT_TYPES
from service.web.oauth.errors import DEVICE_AUTHORIZATION, INTROSPECT, REVOKE, TOKEN, USERINFO

Part = dict[str, Any]
TAG = "OAuth"
ERROR_NAME = "OAuthError"
ERROR: Part = {
    "type": "object",
    "description": "Why a request was refused (RFC 6749 §5.2).",
    "required": ["error", "error_description"],
    "properties": {
        "error": {"type": "string", "description": "A registered word for programs.", "examples": ["invalid_client"]},
        "error_description": {"type": "string", "description": "One sentence for people."},
    },
}
_CHALLENGE = {"WWW-Authenticate": {"description": "What is taken here.", "schema": {"type": "string"}}}
_RETRY_AFTER = {"Retry-After": {"description": "In how many seconds to try again.", "schema": {"type": "integer"}}}
_REFUSALS: dict[int, tuple[str, str, Part]] = {
    400: ("OAuthBadRequest", "Malformed, or refused for the reason in `error`.", {}),
    401: ("OAuthUnauthorized", "The client, or the token, is not valid.", _CHALLENGE),
    403: ("OAuthForbidden", "The token lacks a scope.", _CHALLENGE),
    413: ("OAuthTooLarge", "The body is too large.", {}),
    415: ("OAuthUnsupportedBody", "The body is not a plain form.", {}),
    429: (
        "OAuthTooManyRequests",
        "Too many wrong secrets from this address, or too many requests.",
        _RETRY_AFTER,
    ),
    503: ("OAuthUnavailable", "A store is away.", _RETRY_AFTER),
}
_TEXT: Part = {"type": "string"}
_NUMBER: Part = {"type": "integer"}
_WISHES: Part = {
    "scope": {"type": "string", "description": "What the token shall do, space separated; all it may when left out."},
    "resource": {"type": "string", "description": "For which API it shall be (RFC 8707 §2); may come several times."},
}
_CLIENT_FIELDS: Part = {
    "client_id": {"type": "string", "description": "Only without the Authorization field."},
    "client_secret": {"type": "string", "description": "Of a client that is registered for `client_secret_post`."},
}
_TOKEN_FIELDS: Part = {
    "token": {"type": "string", "description": "An access or a refresh token."},
    "token_type_hint": {"type": "string", "description": "Not needed: a token says what it is."},
}


def refusals(*statuses: int) -> Part:
    """References to the shared responses in the dialect of OAuth."""
    return {str(status): {"$ref": f"#/components/responses/{_REFUSALS[status][0]}"} for status in statuses}


def shared_responses() -> Part:
    """The responses that `refusals` leads to."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{ERROR_NAME}"}}}
    return {
        name: {"description": about, "content": content, **({"headers": fields} if fields else {})}
        for name, about, fields in _REFUSALS.values()
    }


def form_body(properties: Part, *required: str) -> Part:
    """A request body that is a form; what proves the client may stand in it too."""
    schema = {"type": "object", "required": list(required), "properties": {**properties, **_CLIENT_FIELDS}}
    return {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}


def operations() -> dict[str, Part]:
    """Path to method to operation."""
    userinfo = _userinfo()
    return {
        TOKEN: {"post": _token()},
        DEVICE_AUTHORIZATION: {"post": _device_authorization()},
        INTROSPECT: {"post": _introspect()},
        REVOKE: {"post": _revoke()},
        USERINFO: {
            "get": {**userinfo, "operationId": "userinfo"},
            "post": {
                **userinfo,
                "operationId": "userinfo_by_post",
                "responses": {**userinfo["responses"], **refusals(413, 415)},
            },
        },
    }


def _token() -> Part:
    fields: Part = {
        "grant_type": {"type": "string", "enum": list(GRANT_TYPES)},
        "code": {"type": "string", "description": "Of `authorization_code`, with `code_verifier` and `redirect_uri`."},
        "redirect_uri": {"type": "string", "description": "As it was sent to the authorization endpoint."},
        "code_verifier": {"type": "string", "description": "Of the `code_challenge` (RFC 7636 §4.1)."},
        "refresh_token": {"type": "string", "description": "Of `refresh_token`; the answer has its successor."},
        "device_code": {"type": "string", "description": "Of the device grant (RFC 8628 §3.4)."},
        **_WISHES,
    }
    answered = {
        "access_token": (_TEXT, "For the Authorization field: `Bearer …`."),
        "token_type": (_TEXT, "Always `Bearer`."),
        "expires_in": (_NUMBER, "How long the access token lives, in seconds."),
        "scope": (_TEXT, "What was granted, space separated."),
        "refresh_token": (_TEXT, "For clients that may refresh."),
        "id_token": (_TEXT, "Who signed in, where `openid` was granted."),
    }
    return {
        "tags": [TAG],
        "summary": "Trade a grant for tokens",
        "description": "The token endpoint (RFC 6749 §3.2) of every grant.",
        "operationId": "token",
        "security": [{"basic": []}, {}],
        "requestBody": form_body(fields, "grant_type"),
        "responses": {
            "200": _document("The tokens.", answered, "access_token", "token_type", "expires_in", "scope"),
            **refusals(400, 401, 413, 415, 429, 503),
        },
    }


def _device_authorization() -> Part:
    answered = {
        "device_code": (_TEXT, "For the device, to ask for its tokens with."),
        "user_code": (_TEXT, "For the person, to type."),
        "verification_uri": (_TEXT, "Where the person types it."),
        "verification_uri_complete": (_TEXT, "The same with the code in it, as for a picture to scan."),
        "expires_in": (_NUMBER, "How long both codes live, in seconds."),
        "interval": (_NUMBER, "How long to wait between two askings, in seconds."),
    }
    return {
        "tags": [TAG],
        "summary": "Begin on a device",
        "description": "Device authorization (RFC 8628 §3.1), for what has no browser or keyboard.",
        "operationId": "device_authorization",
        "security": [{"basic": []}, {}],
        "requestBody": form_body(_WISHES),
        "responses": {
            "200": _document("What to show to the person.", answered, *answered),
            **refusals(400, 401, 413, 415, 429, 503),
        },
    }


def _document(about: str, members: Mapping[str, tuple[Part, str]], *always: str) -> Part:
    properties = {name: {**kind, "description": text} for name, (kind, text) in members.items()}
    schema = {"type": "object", "required": list(always), "properties": properties}
    return {"description": about, "content": {"application/json": {"schema": schema}}}


def _introspect() -> Part:
    words: dict[str, tuple[Part, str]] = {
        "active": ({"type": "boolean"}, "Whether the token is good now; alone when it is not."),
        "scope": (_TEXT, "What it may do, space separated."),
        "client_id": (_TEXT, "To whom it was given."),
        "sub": (_TEXT, "Whose it is."),
        "aud": ({"type": ["string", "array"], "items": {"type": "string"}}, "For whom it is."),
        "exp": (_NUMBER, "When it ends, in seconds of NumericDate."),
        "iat": (_NUMBER, "When it was issued; of an access token."),
        "iss": (_TEXT, "Who issued it."),
        "jti": (_TEXT, "The id of an access token."),
        "token_type": (_TEXT, "`Bearer`, of an access token."),
        "sid": (_TEXT, "The session in which a person granted it."),
        "auth_time": (_NUMBER, "When the person signed in."),
        "amr": ({"type": "array", "items": _TEXT}, "How the person signed in (RFC 8176)."),
        "acr": (_TEXT, "How far that can be relied on, if anybody said."),
    }
    return {
        "tags": [TAG],
        "summary": "Is this token good?",
        "description": "Token introspection (RFC 7662). A client may ask about its own tokens; with the scope "
        '`tokens:introspect` about those of others. Everything else is `{"active": false}`.',
        "operationId": "introspect",
        "security": [{"basic": []}, {}],
        "requestBody": form_body(_TOKEN_FIELDS, "token"),
        "responses": {
            "200": _document("What the token says, or that it is not active.", words, "active"),
            **refusals(400, 401, 413, 415, 429, 503),
        },
    }


def _revoke() -> Part:
    return {
        "tags": [TAG],
        "summary": "Give a token back",
        "description": "Token revocation (RFC 7009). A refresh token ends with its whole grant, an access token alone. "
        "The answer is the same when there was nothing to revoke.",
        "operationId": "revoke",
        "security": [{"basic": []}, {}],
        "requestBody": form_body(_TOKEN_FIELDS, "token"),
        "responses": {"200": {"description": "Nothing is left to revoke."}, **refusals(400, 401, 413, 415, 429, 503)},
    }


def _userinfo() -> Part:
    schema = {
        "type": "object",
        "required": ["sub"],
        "properties": {"sub": {"type": "string", "description": "The person, as in the id_token."}},
        "additionalProperties": True,
    }
    return {
        "tags": [TAG],
        "summary": "Who is the person behind this token?",
        "description": "Claims of the person (OpenID Connect Core §5.3), by the scopes of the token. Needs the scope "
        "`openid`, and a person's token.",
        "security": [{"bearer": ["openid"]}],
        "responses": {
            "200": {"description": "The claims.", "content": {"application/json": {"schema": schema}}},
            **refusals(400, 401, 403, 429, 503),
        },
    }
