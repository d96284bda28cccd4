"""The endpoints of GitHub that a sign-in uses, on loopback, as its documentation has them.

What is peculiar to it is kept: errors of the token endpoint are answers with 200, answers are forms unless JSON is
asked for, scopes are separated by commas, an API call without `User-Agent` is refused, and the e-mail of a profile is
whatever its owner likes to show; who owns which address is told by `/user/emails` alone.
"""

import hashlib
from dataclasses import dataclass
from secrets import token_hex, token_urlsafe
from typing import Literal
from urllib.parse import urlencode

from tests.servers.id_tokens import unpadded
from tests.servers.upstream import Answer, Asked, Upstream, json_answer, redirect_to

Fault = Literal[
    "denied",
    "wrong state in callback",
    "primary unverified",
    "no primary",
    "no e-mails",
    "e-mail scope withheld",
    "no id",
    "id is text",
    "id is zero",
    "emails are an object",
    "token of another type",
    "no token",
    "error of its own",
]

OCTOCAT = {
    "login": "octocat",
    "id": 583231,
    "node_id": "MDQ6VXNlcjU4MzIzMQ==",
    "type": "User",
    "name": "Ada Lovelace",
    "email": "shown@example.org",
}
EMAILS: list[dict[str, object]] = [
    {"email": "old@example.org", "verified": False, "primary": False, "visibility": None},
    {"email": "ada@example.org", "verified": True, "primary": True, "visibility": "private"},
    {"email": "583231+octocat@users.noreply.github.com", "verified": True, "primary": False, "visibility": None},
]


@dataclass(frozen=True)
class _Code:
    redirect_uri: str
    challenge: str | None
    scope: list[str]


class GitHub(Upstream):
    """`user` and `emails` are who is signed in next; `fault` is what goes wrong from now on."""

    def __init__(self) -> None:
        super().__init__()
        self.client_id = "Iv1.8a61f9b3a7aba766"
        self.client_secret = token_hex(20)
        self.user: dict[str, object] = dict(OCTOCAT)
        self.emails = EMAILS
        self.fault: Fault | None = None
        self.sent: list[str] = []
        """Every code and token that it has given out, to look for where none may be."""
        self._codes: dict[str, _Code] = {}
        self._tokens: dict[str, list[str]] = {}

    def answer(self, asked: Asked) -> Answer:
        """See `Upstream`."""
        match asked.method, asked.path:
            case "GET", "/login/oauth/authorize":
                return self._authorize(asked)
            case "POST", "/login/oauth/access_token":
                return self._token(asked)
            case "GET", "/api/v3/user":
                return self._user(asked)
            case "GET", "/api/v3/user/emails":
                return self._emails(asked)
        return json_answer({"message": "Not Found", "status": "404"}, 404)

    def _authorize(self, asked: Asked) -> Answer:
        query = asked.query
        if asked.repeated or query.get("client_id") != self.client_id or not query.get("redirect_uri"):
            return Answer(404)
        if query.get("code_challenge_method", "S256") != "S256":
            return Answer(400)
        state = token_urlsafe(9) if self.fault == "wrong state in callback" else query.get("state", "")
        back = {"code": self._new(token_hex(10)), "state": state}
        if self.fault == "denied":
            said = "The user has denied your application access."
            back = {"error": "access_denied", "error_description": said, "state": state}
        else:
            scope = [] if self.fault == "e-mail scope withheld" else query.get("scope", "").split()
            self._codes[back["code"]] = _Code(query["redirect_uri"], query.get("code_challenge"), scope)
        return redirect_to(f"{query['redirect_uri']}?{urlencode(back)}")

    def _token(self, asked: Asked) -> Answer:
        form = asked.form
        if self.fault == "error of its own":
            return _said(asked, error=f"{form['client_secret']} is wrong")
        code = self._codes.get(form.get("code", ""))
        verifier = unpadded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return _said(asked, error="incorrect_client_credentials", error_description="Incorrect client credentials.")
        if code is None or (code.challenge and code.challenge != verifier):
            return _said(asked, error="bad_verification_code", error_description="The code is incorrect or expired.")
        if form.get("redirect_uri") != code.redirect_uri:
            return _said(asked, error="redirect_uri_mismatch", error_description="The redirect_uri MUST match.")
        del self._codes[form["code"]]
        token = self._new(f"gho_{token_hex(18)}")
        self._tokens[token] = code.scope
        kind = "mac" if self.fault == "token of another type" else "bearer"
        given = {"access_token": token, "scope": ",".join(code.scope), "token_type": kind}
        return _said(
            asked, **{name: text for name, text in given.items() if self.fault != "no token" or name == "scope"}
        )

    def _user(self, asked: Asked) -> Answer:
        if (refusal := self._refusal(asked)) is not None:
            return refusal
        changes: dict[str | None, dict[str, object]] = {"id is text": {"id": "583231"}, "id is zero": {"id": 0}}
        user = self.user | changes.get(self.fault, {})
        return json_answer({name: value for name, value in user.items() if (self.fault, name) != ("no id", "id")})

    def _emails(self, asked: Asked) -> Answer:
        refusal = self._refusal(asked)
        if refusal is not None:
            return refusal
        if "user:email" not in self._tokens[_token_of(asked)]:
            return json_answer({"message": "Not Found", "status": "404"}, 404, X_Accepted_OAuth_Scopes="user:email")
        match self.fault:
            case "no e-mails":
                return json_answer([])
            case "emails are an object":
                return json_answer({"email": "ada@example.org", "verified": True, "primary": True})
            case "primary unverified":
                return json_answer([one | {"verified": one["verified"] and not one["primary"]} for one in self.emails])
            case "no primary":
                return json_answer([one | {"primary": False} for one in self.emails])
        return json_answer(self.emails)

    def _refusal(self, asked: Asked) -> Answer | None:
        if "user-agent" not in asked.fields:
            return Answer(403, b"Request forbidden by administrative rules.", {"Content-Type": "text/html"})
        if _token_of(asked) not in self._tokens:
            return json_answer({"message": "Bad credentials", "status": "401"}, 401)
        return None

    def _new(self, text: str) -> str:
        self.sent.append(text)
        return text


def _token_of(asked: Asked) -> str:
    scheme, _, token = asked.fields.get("authorization", "").partition(" ")
    return token if scheme.lower() in ("bearer", "token") else ""


def _said(asked: Asked, **what: str) -> Answer:
    """A form, unless JSON was asked for; also of errors, and always 200."""
    if "application/json" in asked.fields.get("accept", ""):
        return json_answer(what)
    return Answer(200, urlencode(what).encode(), {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
