"""Verify Gatepost's access tokens in any Python program, with PyJWT and the published keys.

echo "$TOKEN" | python verify_token.py

Ends with 0 for a good token, 1 for an invalid one, 2 for one that has expired, 3 when the keys cannot be had. This
sees no revocations: who needs them asks `/auth/verify`, or uses the kit (`fastapi_service.py`).
"""

import os
import sys
from typing import Any

import jwt

URL = os.environ.get("GP_URL", "http://localhost:8000")
AUDIENCE = os.environ.get("GP_AUDIENCE", URL)
KEYS = jwt.PyJWKClient(f"{URL}/.well-known/jwks.json", timeout=5)  # keeps them for five minutes


def read_token(token: str) -> dict[str, Any]:
    """The claims. Raises `jwt.ExpiredSignatureError`, else `jwt.PyJWTError`."""
    key = KEYS.get_signing_key_from_jwt(token)
    read = jwt.decode_complete(
        token,
        key,
        algorithms=["ES256"],  # never from the token's own header
        issuer=URL,
        audience=AUDIENCE,
        options={"require": ["iss", "aud", "exp", "iat", "sub", "jti"]},
    )
    if read["header"].get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("not an access token")
    claims: dict[str, Any] = read["payload"]
    return claims


def main() -> None:
    try:
        claims = read_token(sys.stdin.read().strip())
    except jwt.ExpiredSignatureError:
        print("expired: refresh, then send the new one")
        sys.exit(2)
    except jwt.PyJWKClientConnectionError:
        print("the keys cannot be had now")
        sys.exit(3)
    except jwt.PyJWTError as problem:
        print(f"invalid: {problem}")
        sys.exit(1)
    print(f"valid: {claims['sub']} may {claims['scope']}")


if __name__ == "__main__":
    main()
