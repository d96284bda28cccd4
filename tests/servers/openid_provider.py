"""An OpenID provider on loopback that signs in at once whoever it is told to, and errs by name."""

import hashlib
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Literal
from urllib.parse import unquote_plus, urlencode

from tests.servers.id_tokens import IdToken, TokenFault, rsa_key, unpadded
from tests.servers.upstream import Answer, Asked, Upstream, json_answer, redirect_to

Fault = (
    TokenFault
    | Literal[
        "no id token",
        "wrong iss in callback",
        "no iss in callback",
        "wrong state in callback",
        "denied",
        "another sub in userinfo",
        "another issuer in metadata",
    ]
)

ADA: Mapping[str, object] = {
    "sub": "248289761001",
    "name": "Ada Lovelace",
    "email": "ada@example.org",
    "email_verified": True,
}


@dataclass(frozen=True)
class _Code:
    """What a code stands for."""

    redirect_uri: str
    challenge: str
    nonce: str | None
    scope: str


class OpenIdProvider(Upstream):
    """`claims` is who is signed in next; `fault` is what goes wrong from now on; `metadata` replaces what is announced.

    A member of `metadata` that is None is not announced.
    """

    def __init__(self, claims: Mapping[str, object] = ADA) -> None:
        super().__init__()
        self.client_id = "gatepost+at:upstream"
        self.client_secret = f"s/+ {token_urlsafe(32)}%3A:&="  # RFC 6749 §2.3.1 has it encoded before it is Basic
        self.claims = claims
        self.fault: Fault | None = None
        self.metadata: dict[str, object] = {}
        self.kid = "first"
        self.lives = 300
        self.sent: list[str] = []
        """Every code, token and secret that it has given out, to look for where none may be."""
        self._codes: dict[str, _Code] = {}
        self._spent: set[str] = set()
        self._access: dict[str, str] = {}
        self._refresh: dict[str, str] = {}

    def rotate(self) -> None:
        """Another key signs from now on, and the one before is no longer published."""
        self.kid = f"{self.kid}+"

    def withdraw(self) -> None:
        """No access token of before counts any more."""
        self._access.clear()

    def answer(self, asked: Asked) -> Answer:
        """See `Upstream`."""
        answers: dict[tuple[str, str], Callable[[Asked], Answer]] = {
            ("GET", "/.well-known/openid-configuration"): self._discovery,
            ("GET", "/jwks"): self._jwks,
            ("GET", "/authorize"): self._authorize,
            ("POST", "/token"): self._token,
            ("GET", "/userinfo"): self._userinfo,
        }
        answer = answers.get((asked.method, asked.path))
        return answer(asked) if answer else Answer(404)

    def _discovery(self, asked: Asked) -> Answer:
        announced = {
            "issuer": "https://other.example" if self.fault == "another issuer in metadata" else self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            **self.metadata,
        }
        return json_answer({name: value for name, value in announced.items() if value is not None})

    def _jwks(self, asked: Asked) -> Answer:
        unusable = {"kty": "OKP", "crv": "X25519", "kid": "other", "use": "enc", "x": "A" * 43}  # RFC 7517 §5: ignored
        return json_answer({"keys": [unusable, rsa_key(self.kid).as_dict(private=False)]})

    def _authorize(self, asked: Asked) -> Answer:
        query = asked.query
        wanted = {"response_type": "code", "client_id": self.client_id, "code_challenge_method": "S256"}
        if asked.repeated or any(query.get(name) != value for name, value in wanted.items()):
            return json_answer({"error": "invalid_request", "error_description": f"not {wanted}"}, 400)
        if not query["redirect_uri"] or "openid" not in query["scope"].split():
            return json_answer({"error": "invalid_request"}, 400)
        code = self._new()
        challenge, nonce = query["code_challenge"], query.get("nonce")
        self._codes[code] = _Code(query["redirect_uri"], challenge, nonce, query["scope"])
        back: dict[str, str | None] = {"code": code, "state": query.get("state"), "iss": self.url}
        if self.fault == "denied":
            back |= {"code": None, "error": "access_denied", "error_description": "<b>The person said no</b>"}
        changes: dict[str, dict[str, str | None]] = {
            "wrong iss in callback": {"iss": "https://other.example"},
            "no iss in callback": {"iss": None},
            "wrong state in callback": {"state": token_urlsafe(32)},
        }
        back |= changes.get(self.fault or "", {})
        given = {name: value for name, value in back.items() if value is not None}
        return redirect_to(f"{query['redirect_uri']}{'&' if '?' in query['redirect_uri'] else '?'}{urlencode(given)}")

    def _token(self, asked: Asked) -> Answer:
        form = asked.form
        if asked.query or asked.repeated:
            return json_answer({"error": "invalid_request"}, 400)
        if self._client_of(asked) != (self.client_id, self.client_secret):
            return json_answer({"error": "invalid_client"}, 401, WWW_Authenticate="Basic")
        if form.get("grant_type") == "refresh_token" and (scope := self._refresh.pop(form["refresh_token"], None)):
            return self._tokens(scope, None)
        code = self._codes.get(form.get("code", ""))
        verifier = form.get("code_verifier", "")
        if (
            form.get("grant_type") != "authorization_code"
            or code is None
            or form["code"] in self._spent
            or form.get("redirect_uri") != code.redirect_uri
            or unpadded(hashlib.sha256(verifier.encode()).digest()) != code.challenge
        ):
            return json_answer({"error": "invalid_grant", "error_description": "<b>no</b>"}, 400)
        self._spent.add(form["code"])
        return self._tokens(code.scope, code)

    @staticmethod
    def _client_of(asked: Asked) -> tuple[str, str] | None:
        scheme, _, given = asked.fields.get("authorization", "").partition(" ")
        if scheme == "Basic" and "client_secret" not in asked.form:
            name, _, secret = b64decode(given).decode().partition(":")
            return unquote_plus(name), unquote_plus(secret)
        return (asked.form.get("client_id", ""), asked.form.get("client_secret", "")) if not scheme else None

    def _tokens(self, scope: str, code: _Code | None) -> Answer:
        access = self._new()
        self._access[access] = scope
        given: dict[str, object] = {
            "access_token": access,
            "token_type": "bearer",  # RFC 6749 §5.1: its case says nothing
            "expires_in": self.lives,
            "scope": scope,
        }
        if self.fault != "no id token":
            nonce = code.nonce if code else None
            token = IdToken(self.url, self.client_id, self.claims, nonce, access, self.lives)
            given["id_token"] = token.text(self.kid, client_secret=self.client_secret, fault=self.fault)
            self.sent.append(str(given["id_token"]))
        if "offline_access" in scope.split():
            refresh = self._new()
            self._refresh[refresh] = scope
            given["refresh_token"] = refresh
        return json_answer(given, Cache_Control="no-store")

    def _userinfo(self, asked: Asked) -> Answer:
        scheme, _, token = asked.fields.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self._access or asked.query:
            return json_answer({"error": "invalid_token"}, 401, WWW_Authenticate='Bearer error="invalid_token"')
        other = {"sub": "somebody-else"} if self.fault == "another sub in userinfo" else {}
        return json_answer({**self.claims, **other})

    def _new(self) -> str:
        self.sent.append(token_urlsafe(32))
        return self.sent[-1]
