"""The endpoints of Facebook's Login and Graph API that a sign-in uses, on loopback, as their documentation has them.

The app is one that requires `appsecret_proof` of calls from servers. E-mail comes without a word on whether it has been
verified, and does not come at all from who has none or withholds it.
"""

import hashlib
import hmac
from dataclasses import dataclass, replace
from secrets import token_hex, token_urlsafe
from typing import Literal
from urllib.parse import urlencode

from tests.servers.id_tokens import unpadded
from tests.servers.upstream import Answer, Asked, Upstream, json_answer, redirect_to

Fault = Literal[
    "denied",
    "wrong state in callback",
    "no e-mail",
    "no id",
    "id is a number",
    "token of another app",
    "token of another person",
    "token is not valid",
    "no token",
    "right answers with a wrong status",
]

VERSION = "v24.0"
ADA: dict[str, object] = {"id": "10159875312345678", "name": "Ada Lovelace", "email": "ada@example.org"}


@dataclass(frozen=True)
class _Code:
    redirect_uri: str
    challenge: str | None
    scopes: list[str]


@dataclass(frozen=True)
class _Token:
    app_id: str
    scopes: list[str]


class Facebook(Upstream):
    """`person` is who is signed in next; `fault` is what goes wrong from now on. Site and Graph are one host."""

    def __init__(self) -> None:
        super().__init__()
        self.client_id = "1029384756102938"
        self.client_secret = token_hex(16)
        self.person = ADA
        self.fault: Fault | None = None
        self.sent: list[str] = []
        """Every code and token that it has given out, to look for where none may be."""
        self._codes: dict[str, _Code] = {}
        self._tokens: dict[str, _Token] = {}

    def answer(self, asked: Asked) -> Answer:
        """See `Upstream`."""
        answers = {
            "dialog/oauth": self._authorize,
            "oauth/access_token": self._token,
            "debug_token": self._debug,
            "me": self._me,
        }
        if asked.method == "POST" and asked.form.get("method") == "GET":  # what is asked travels in the body
            asked = replace(asked, method="GET", query={**asked.query, **asked.form}, form={})
        answer = answers.get(asked.path.removeprefix(f"/{VERSION}/"))
        return answer(asked) if answer else _error("Unknown path components", 2500, 400)

    def _authorize(self, asked: Asked) -> Answer:
        query = asked.query
        if asked.repeated or query.get("client_id") != self.client_id or not query.get("redirect_uri"):
            return Answer(400, b"App not active", {"Content-Type": "text/html"})
        state = token_urlsafe(9) if self.fault == "wrong state in callback" else query.get("state", "")
        back = {"code": self._new(f"AQ{token_urlsafe(120)}"), "state": state}
        if self.fault == "denied":
            said = {"error": "access_denied", "error_code": "200", "error_description": "Permissions error"}
            back = said | {"error_reason": "user_denied", "state": state}
        else:
            scopes = query.get("scope", "").replace(",", " ").split()
            self._codes[back["code"]] = _Code(query["redirect_uri"], query.get("code_challenge"), scopes)
        return redirect_to(f"{query['redirect_uri']}?{urlencode(back)}#_=_")

    def _token(self, asked: Asked) -> Answer:
        given = {**asked.query, **asked.form}  # documented as a GET; a POST does as well
        if (given.get("client_id"), given.get("client_secret")) != (self.client_id, self.client_secret):
            return _error("Error validating client secret.", 1, 400)
        code = self._codes.pop(given.get("code", ""), None)
        verifier = unpadded(hashlib.sha256(given.get("code_verifier", "").encode()).digest())
        if (
            code is None
            or given.get("redirect_uri") != code.redirect_uri
            or (code.challenge and code.challenge != verifier)
        ):
            return _error("This authorization code has been used.", 100, 400)
        if self.fault == "no token":
            return json_answer({})
        token = self._new(f"EAA{token_urlsafe(90)}")
        self._tokens[token] = _Token("99" if self.fault == "token of another app" else self.client_id, code.scopes)
        return json_answer({"access_token": token, "token_type": "bearer", "expires_in": 5183944})

    def _debug(self, asked: Asked) -> Answer:
        """What a token is, told to who shows the app's id and secret as a token."""
        if _token_of(asked) != f"{self.client_id}|{self.client_secret}":
            return _error("Invalid OAuth access token signature.", 190, 400)
        token = self._tokens.get(asked.query.get("input_token", ""))
        if token is None or self.fault == "token is not valid":
            error = {"code": 190, "message": "Error validating access token"}
            return json_answer({"data": {"error": error, "is_valid": False, "scopes": []}})
        user = "4" if self.fault == "token of another person" else self.person["id"]
        data = {"app_id": token.app_id, "type": "USER", "is_valid": True, "user_id": user, "scopes": token.scopes}
        status = 500 if self.fault == "right answers with a wrong status" else 200
        return json_answer({"data": data | {"application": "Gatepost", "issued_at": 1, "expires_at": 1 << 33}}, status)

    def _me(self, asked: Asked) -> Answer:
        text = _token_of(asked)
        proof = hmac.new(self.client_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        token = self._tokens.get(text)
        if token is None:
            return _error("Invalid OAuth access token.", 190, 401)
        if "appsecret_proof" not in asked.query:
            return _error("API calls from the server require an appsecret_proof argument", 100, 400)
        if not hmac.compare_digest(asked.query["appsecret_proof"], proof):
            return _error("Invalid appsecret_proof provided in the API argument", 100, 400)
        shown = {"id", *asked.query.get("fields", "name").split(",")}
        if "email" not in token.scopes or self.fault == "no e-mail":
            shown.discard("email")
        if self.fault == "no id":
            shown.discard("id")
        person = {name: value for name, value in self.person.items() if name in shown}
        return json_answer(person | ({"id": 10159875312345678} if self.fault == "id is a number" else {}))

    def _new(self, text: str) -> str:
        self.sent.append(text)
        return text


def _token_of(asked: Asked) -> str:
    """From the field or the query: both are taken."""
    scheme, _, token = asked.fields.get("authorization", "").partition(" ")
    return token if scheme in ("Bearer", "OAuth") else asked.query.get("access_token", "")


def _error(message: str, code: int, status: int) -> Answer:
    """As the Graph API says it."""
    trace = {"type": "OAuthException", "fbtrace_id": "AbCdEfGhIjKlMnOpQrStUv"}
    return json_answer({"error": {"message": message, "code": code, **trace}}, status)
