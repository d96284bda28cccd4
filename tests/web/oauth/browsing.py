"""A browser that tests drive through the hosted pages: it keeps cookies, follows our own redirects, fills in forms."""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

from service import clock
from service.clients.client import Client
from service.clients.metadata import AUTHORIZATION_CODE, NO_SECRET, REFRESH_TOKEN, SECRET_BASIC, ClientMetadata
from service.codes.desk import CodeDesk
from service.codes.grant import AuthorizationGrant
from tests.servers.gatepost import PASSWORD
from tests.web.reading import read_page
from tests.web.running import Web, as_served

REDIRECT = "https://app.example/cb"
VERIFIER = "a" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Surfer:
    """One browser. `client` keeps its cookies."""

    client: httpx2.AsyncClient

    async def get(self, path: str, **params: str) -> httpx2.Response:
        """Ask once, without following."""
        return await self.client.get(path, params=params or None)

    async def follow(self, answer: httpx2.Response) -> httpx2.Response:
        """Go on while the redirects are our own: a page, or the way out to an application."""
        while answer.status_code == 303 and answer.headers["location"].startswith("/"):
            answer = await self.client.get(answer.headers["location"])
        return answer

    async def authorize(self, client: Client, **changed: str | None) -> httpx2.Response:
        """Begin a request, and go on to the first page or the way out."""
        return await self.follow(await self.get("/oauth2/authorize", **asked(client, **changed)))

    async def submit(self, page: httpx2.Response, **fields: str) -> httpx2.Response:
        """Send the page's own form, with these fields filled in."""
        return await self.client.post(page.request.url.path, data={**hidden(page), **fields})

    async def sign_in(self, page: httpx2.Response, username: str, password: str = PASSWORD) -> httpx2.Response:
        """Fill in the sign-in page, and go on."""
        return await self.follow(await self.submit(page, username=username, password=password))

    async def allow(self, page: httpx2.Response) -> httpx2.Response:
        """Say yes on the consent page."""
        return await self.submit(page, choice="allow")

    async def signed_in(self, username: str) -> "Surfer":
        """The browser, in which this person has signed in."""
        answer = await self.sign_in(await self.get("/sign-in"), username)
        assert answer.status_code == 200, answer.text
        return self


@asynccontextmanager
async def surfing(web: Web) -> AsyncIterator[Surfer]:
    """A new browser, without cookies."""
    transport = httpx2.ASGITransport(as_served(web.edge))
    async with httpx2.AsyncClient(transport=transport, base_url=web.settings.public_url) as client:
        yield Surfer(client)


def asked(client: Client, **changed: str | None) -> dict[str, str]:
    """The parameters of a good request; None leaves one out."""
    whole = {
        "client_id": client.id,
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": "openid orders:read",
        "state": "st-1",
        "nonce": "n-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changed,
    }
    return {name: value for name, value in whole.items() if value is not None}


def hidden(page: httpx2.Response) -> dict[str, str]:
    """What the page's form sends by itself."""
    assert page.status_code in (200, 422), (page.status_code, page.headers.get("location"))
    inputs = read_page(page.text).inputs
    return {name: inputs[name]["value"] for name in ("request", "csrf") if name in inputs}


def returned(answer: httpx2.Response, to: str = REDIRECT) -> dict[str, str]:
    """The fields with which the browser is sent back to the application."""
    assert answer.status_code == 303, (answer.status_code, answer.text)
    location = answer.headers["location"]
    assert location.partition("?")[0] == to.partition("?")[0], location
    pairs = parse_qsl(urlsplit(location).query, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


async def add_application(
    web: Web,
    name: str = "Orders",
    *,
    confidential: bool = True,
    scopes: tuple[str, ...] = ("orders:read",),
    **more: Any,
) -> Client:
    """A client with the redirect URI `REDIRECT`; `more` is its metadata."""
    metadata: dict[str, Any] = {
        "redirect_uris": (REDIRECT,),
        "grant_types": frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN}),
        "auth_method": SECRET_BASIC if confidential else NO_SECRET,
        **more,
    }
    client, _ = await web.rooms.clients.create(
        name, confidential=confidential, scopes=scopes, now=clock.now(), metadata=ClientMetadata(**metadata)
    )
    return client


async def taken(web: Web, code: str) -> AuthorizationGrant:
    """What a code stands for; it is spent by that."""
    desk = web.rooms.authorization._codes
    assert isinstance(desk, CodeDesk)
    return await desk.take(code, now=clock.now())
