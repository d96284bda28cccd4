"""Applications with what they prove themselves by, and what they send to the endpoints of OAuth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from service import clock
from service.clients.client import Client
from service.clients.metadata import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    NO_SECRET,
    REFRESH_TOKEN,
    SECRET_BASIC,
    SECRET_POST,
    ClientMetadata,
)
from tests.web.oauth.browsing import REDIRECT, VERIFIER, Surfer, returned
from tests.web.running import Web, basic

TOKEN, REVOKE, INTROSPECT, USERINFO = "/oauth2/token", "/oauth2/revoke", "/oauth2/introspect", "/userinfo"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SERVICE = frozenset({CLIENT_CREDENTIALS})
PEOPLE = frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN})


@dataclass(frozen=True)
class App:
    """A registered client, with its secret; empty for a public one."""

    web: Web
    client: Client
    secret: str

    @property
    def proof(self) -> dict[str, str]:
        """The fields by which it proves itself, when it is registered to do so in a field."""
        return basic(self.client.id, self.secret) if self.client.metadata.auth_method == SECRET_BASIC else {}

    @property
    def named(self) -> dict[str, str]:
        """The parameters by which it names or proves itself, when it does so in the form."""
        match self.client.metadata.auth_method:
            case "none":
                return {"client_id": self.client.id}
            case "client_secret_post":
                return {"client_id": self.client.id, "client_secret": self.secret}
        return {}

    async def ask(self, path: str, **form: str) -> httpx2.Response:
        """Send a form, proving itself in the way it is registered for."""
        return await self.web.client.post(path, data={**self.named, **form}, headers=self.proof)

    async def redeem(self, code: str, **changed: str | None) -> httpx2.Response:
        """Trade a code in; None leaves a parameter out."""
        form = {"code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER, **changed}
        kept = {name: value for name, value in form.items() if value is not None}
        return await self.ask(TOKEN, grant_type=AUTHORIZATION_CODE, **kept)

    async def refresh(self, token: str, **more: str) -> httpx2.Response:
        """Trade a refresh token in."""
        return await self.ask(TOKEN, grant_type=REFRESH_TOKEN, refresh_token=token, **more)

    async def as_itself(self, **more: str) -> httpx2.Response:
        """Ask for a token of its own."""
        return await self.ask(TOKEN, grant_type=CLIENT_CREDENTIALS, **more)

    async def code(self, browser: Surfer, **changed: str | None) -> str:
        """A code for whoever is signed in in the browser, who agrees if asked."""
        answer = await browser.authorize(self.client, **changed)
        if answer.status_code == 200:
            answer = await browser.allow(answer)
        return returned(answer)["code"]

    async def tokens(self, browser: Surfer, **changed: str | None) -> dict[str, Any]:
        """The tokens for whoever is signed in in the browser."""
        return given(await self.redeem(await self.code(browser, **changed)))

    async def is_active(self, token: str) -> bool:
        """Whether introspection calls the token good."""
        document = given(await self.ask(INTROSPECT, token=token))
        assert document["active"] or document == {"active": False}
        return bool(document["active"])


async def register(
    web: Web,
    name: str,
    *scopes: str,
    method: str = SECRET_BASIC,
    grants: frozenset[str] = PEOPLE,
    **more: Any,
) -> App:
    """A new client; `more` is its metadata. It skips consent unless that says otherwise."""
    metadata = {
        "auth_method": method,
        "grant_types": grants,
        "redirect_uris": (REDIRECT,) if AUTHORIZATION_CODE in grants else (),
        "skips_consent": True,
        **more,
    }
    client, secret = await web.rooms.clients.create(
        name,
        confidential=method != NO_SECRET,
        scopes=scopes or ("orders:read",),
        now=clock.now(),
        metadata=ClientMetadata(**metadata),
    )
    return App(web, client, secret or "")


async def every_kind(web: Web) -> Mapping[str, App]:
    """One application for each way of proof, by its name."""
    return {
        SECRET_BASIC: await register(web, "Basic", method=SECRET_BASIC, grants=PEOPLE | SERVICE),
        SECRET_POST: await register(web, "Post", method=SECRET_POST, grants=PEOPLE | SERVICE),
        NO_SECRET: await register(web, "Public", method=NO_SECRET),
    }


def given(answer: httpx2.Response) -> dict[str, Any]:
    """The document of a success, which nobody keeps (RFC 6749 §5.1)."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    document: dict[str, Any] = answer.json()
    return document


def assert_oauth_error(answer: httpx2.Response, status: int, error: str) -> None:
    """A whole refusal of RFC 6749 §5.2, and no token in it."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json"), answer.text
    assert answer.json().keys() == {"error", "error_description"}
    assert answer.json()["error"] == error, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers.get("www-authenticate", "").startswith("Basic ") == (status == 401)
