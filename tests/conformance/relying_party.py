"""A relying party: what an application knows and checks, with libraries of others and none of the provider's code."""

import base64
import hashlib
import json
import secrets
import string
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlsplit

import httpx2
from joserfc import jws
from joserfc.jwk import KeySet

REDIRECT = "https://rp.example/cb"
AFTER_LOGOUT = "https://rp.example/post_logout_redirect"
_TOKEN_CHARACTERS = frozenset(string.ascii_letters + string.digits + string.punctuation)


@dataclass(frozen=True)
class Asked:
    """One authorization request: what was sent, and what is kept to check the answer with."""

    parameters: dict[str, str]
    verifier: str


@dataclass(frozen=True)
class Tokens:
    """The answer of the token endpoint, its id_token read and checked."""

    answer: dict[str, Any]
    header: dict[str, Any]
    claims: dict[str, Any]

    @property
    def access(self) -> str:
        """The access token."""
        token: str = self.answer["access_token"]
        return token


@dataclass
class RelyingParty:
    """One registered application. `http` is its own line to the provider: no cookies of any browser are on it."""

    http: httpx2.AsyncClient
    client_id: str
    secret: str
    metadata: dict[str, Any]
    auth_method: str = "client_secret_basic"
    alg: str = "RS256"
    used: set[str] = field(default_factory=set)

    def ask(self, **changed: str | None) -> Asked:
        """A request with fresh state, nonce and PKCE; None leaves a parameter out."""
        verifier = secrets.token_urlsafe(48)
        whole = {
            "client_id": self.client_id,
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": "openid",
            "state": secrets.token_urlsafe(96),
            "nonce": secrets.token_urlsafe(24),
            "code_challenge": _unpadded(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
            **changed,
        }
        return Asked({name: value for name, value in whole.items() if value is not None}, verifier)

    def callback(self, answer: httpx2.Response, asked: Asked) -> dict[str, str]:
        """The fields that the browser brings to the redirect URI, `state` and `iss` checked (RFC 9207 §2.4)."""
        assert answer.status_code in (302, 303), (answer.status_code, answer.text)
        address, _, query = answer.headers["location"].partition("?")
        assert address == REDIRECT
        assert not urlsplit(answer.headers["location"]).fragment
        pairs = parse_qsl(query, strict_parsing=True, keep_blank_values=True)
        fields = dict(pairs)
        assert len(fields) == len(pairs)
        assert fields.pop("state", None) == asked.parameters.get("state")
        assert fields.pop("iss") == self.metadata["issuer"]
        return fields

    def code(self, answer: httpx2.Response, asked: Asked) -> str:
        """The code of a good answer; nothing else is in it."""
        fields = self.callback(answer, asked)
        assert fields.keys() == {"code"}, fields
        return fields["code"]

    def error(self, answer: httpx2.Response, asked: Asked) -> str:
        """The error of a refusal, of the characters that RFC 6749 §4.1.2.1 allows."""
        fields = self.callback(answer, asked)
        assert fields.keys() <= {"error", "error_description", "error_uri"}, fields
        assert all(" " <= char <= "~" and char not in '"\\' for text in fields.values() for char in text)
        return fields["error"]

    async def token(self, **fields: str) -> httpx2.Response:
        """Ask the token endpoint, as the client is registered to."""
        headers = {}
        if self.auth_method == "client_secret_basic":
            pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            fields |= {"client_id": self.client_id, "client_secret": self.secret}
        return await self.http.post(self.metadata["token_endpoint"], data=fields, headers=headers)

    async def send_code(self, code: str, asked: Asked) -> httpx2.Response:
        """Trade a code in."""
        return await self.token(
            grant_type="authorization_code",
            code=code,
            redirect_uri=asked.parameters["redirect_uri"],
            code_verifier=asked.verifier,
        )

    async def redeem(self, code: str, asked: Asked) -> Tokens:
        """The tokens of a code, all of them checked."""
        return await self.read(await self.send_code(code, asked), nonce=asked.parameters.get("nonce"))

    async def read(self, answer: httpx2.Response, *, nonce: str | None) -> Tokens:
        """A good answer of the token endpoint (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3)."""
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].partition(";")[0] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        document = answer.json()
        assert document["token_type"].lower() == "bearer"
        assert isinstance(document["expires_in"], int)
        assert document["expires_in"] > 0
        for name in {"access_token", "refresh_token"} & document.keys():
            assert set(document[name]) <= _TOKEN_CHARACTERS
            assert document[name] not in self.used
            self.used.add(document[name])
        header, claims = await self.verified(document["id_token"])
        self._check_id_token(claims, document["access_token"], nonce)
        return Tokens(document, header, claims)

    async def verified(self, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims of a token that a published key has signed, with the algorithm that we registered for."""
        published = (await self.http.get(self.metadata["jwks_uri"])).json()
        read = jws.deserialize_compact(text, KeySet.import_key_set(published), algorithms=[self.alg])
        header = dict(read.headers())
        assert header["alg"] == self.alg
        assert [key["kid"] for key in published["keys"]].count(header["kid"]) == 1
        return header, json.loads(read.payload)

    async def userinfo(self, token: str) -> dict[str, Any]:
        """What the UserInfo endpoint says."""
        answer = await self.http.get(self.metadata["userinfo_endpoint"], headers=self.bearer(token))
        return self.read_userinfo(answer)

    def read_userinfo(self, answer: httpx2.Response) -> dict[str, Any]:
        """A good answer of the UserInfo endpoint (OpenID Connect Core §5.3.2)."""
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].partition(";")[0] == "application/json"
        claims: dict[str, Any] = answer.json()
        assert None not in claims.values()
        return claims

    async def logged_out(self, text: str) -> dict[str, Any]:
        """The claims of a logout token for us (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6)."""
        header, claims = await self.verified(text)
        now = time.time()
        assert header["typ"] == "logout+jwt"
        assert claims["iss"] == self.metadata["issuer"]
        assert claims["aud"] in (self.client_id, [self.client_id])
        assert now - 60 < claims["iat"] < now + 5
        assert now < claims["exp"] <= claims["iat"] + 120
        assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
        assert "nonce" not in claims
        assert claims["jti"] not in self.used
        self.used.add(claims["jti"])
        return claims

    def bearer(self, token: str) -> dict[str, str]:
        """The Authorization field of an access token."""
        return {"Authorization": f"Bearer {token}"}

    def _check_id_token(self, claims: dict[str, Any], access_token: str, nonce: str | None) -> None:
        """OpenID Connect Core §3.1.3.7 and §3.1.3.8."""
        now = time.time()
        assert claims["iss"] == self.metadata["issuer"]
        assert claims["aud"] in (self.client_id, [self.client_id])
        assert claims.get("azp", self.client_id) == self.client_id
        assert {type(claims[name]) for name in ("exp", "iat", "auth_time")} == {int}
        assert claims["exp"] > now
        assert now - 300 < claims["iat"] < now + 5
        assert claims.get("nonce") == nonce
        assert 1 <= len(claims["sub"]) <= 255
        assert claims["sub"].isascii()
        assert claims["at_hash"] == _unpadded(hashlib.sha256(access_token.encode()).digest()[:16])


def _unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
