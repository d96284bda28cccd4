"""A Flask service whose routes take Gatepost's access tokens. `verify_token.py` beside this file reads them.

flask --app flask_service run --port 5001
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jwt
from flask import Flask, Response, g, jsonify, request
from verify_token import read_token

app = Flask(__name__)


def requires(scope: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Lets in callers whose token has this scope; their claims are in `g.claims`."""

    def guard(route: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(route)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            kind, _, token = request.headers.get("Authorization", "").partition(" ")
            if kind.lower() != "bearer":
                return refused(401, "Bearer", "Send an access token.")
            try:
                g.claims = read_token(token)
            except jwt.PyJWKClientConnectionError:
                return refused(503, None, "The token cannot be checked now.")
            except jwt.ExpiredSignatureError:
                return refused(401, 'Bearer error="invalid_token"', "The access token has expired.")
            except jwt.PyJWTError:
                return refused(401, 'Bearer error="invalid_token"', "The access token is not valid.")
            if scope not in g.claims.get("scope", "").split(" "):
                return refused(403, f'Bearer error="insufficient_scope", scope="{scope}"', f"This needs {scope}.")
            return route(*args, **kwargs)

        return guarded

    return guard


def refused(status: int, challenge: str | None, detail: str) -> Response:
    answer = jsonify(detail=detail)
    answer.status_code = status
    if challenge:
        answer.headers["WWW-Authenticate"] = challenge
    else:
        answer.headers["Retry-After"] = "5"
    return answer


@app.get("/orders")
@requires("orders:read")
def list_orders() -> dict[str, str]:
    return {"orders of": g.claims["sub"]}
