"""The provider as it is shipped, behind an https address; relying parties, and people's browsers."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from service import clock
from service.accounts.account import User
from service.clients.metadata import AUTHORIZATION_CODE, REFRESH_TOKEN, ClientMetadata
from service.storage.sql.database import opened
from service.storage.sql.tables import USERS
from tests.conformance.relying_party import AFTER_LOGOUT, REDIRECT, Asked, RelyingParty, Tokens
from tests.servers.valkey import ValkeyServer
from tests.web.oauth.browsing import Surfer, surfing
from tests.web.running import Web, as_served, running_web

_number = count(1)
PROFILE: dict[str, Any] = {
    "name": "Ada Lovelace",
    "given_name": "Ada",
    "middle_name": "King",
    "family_name": "Lovelace",
    "nickname": "Ada",
    "preferred_username": "ada",
    "profile": "https://people.example/ada",
    "picture": "https://people.example/ada.png",
    "website": "https://ada.example",
    "gender": "female",
    "birthdate": "1815-12-10",
    "zoneinfo": "Europe/London",
    "locale": "en-GB",
    "phone_number": "+44 20 7946 0000",
    "phone_number_verified": True,
    "address": {"formatted": "12 St James's Square\nLondon", "locality": "London", "country": "United Kingdom"},
}


@dataclass
class Play:
    """One person's browser, and the application that sends it to the provider."""

    surfer: Surfer
    rp: RelyingParty

    async def begin(self, asked: Asked) -> httpx2.Response:
        """The first page of ours, or the way out."""
        return await self.surfer.follow(
            await self.surfer.client.get(self.rp.metadata["authorization_endpoint"], params=asked.parameters)
        )

    async def through(self, answer: httpx2.Response) -> tuple[httpx2.Response, list[str]]:
        """Sign in and agree wherever that is asked for; the way out, and the pages that were shown."""
        shown = []
        while answer.status_code == 200:
            shown.append(answer.request.url.path)
            if shown[-1] == "/sign-in":
                answer = await self.surfer.sign_in(answer, "ada")
            else:
                assert shown[-1] == "/consent"
                answer = await self.surfer.allow(answer)
        return answer, shown

    async def authorize(self, asked: Asked) -> tuple[httpx2.Response, list[str]]:
        """A whole authorization request."""
        return await self.through(await self.begin(asked))

    async def tokens(self, **changed: str | None) -> Tokens:
        """A whole flow, with everything checked on the way."""
        asked = self.rp.ask(**changed)
        answer, _ = await self.authorize(asked)
        return await self.rp.redeem(self.rp.code(answer, asked), asked)

    async def silently(self, **changed: str | None) -> str | Tokens:
        """A flow with `prompt=none`: the error, or the tokens. No page is shown."""
        asked = self.rp.ask(prompt="none", **changed)
        answer, shown = await self.authorize(asked)
        assert shown == []
        if "error=" in answer.headers["location"]:
            return self.rp.error(answer, asked)
        return await self.rp.redeem(self.rp.code(answer, asked), asked)


@pytest.fixture(scope="module")
def op_sqlite_url(server_folder: Path, sqlite_template: Path) -> Iterator[str]:
    """A migrated SQLite database for a whole module."""
    file = server_folder / f"op{next(_number)}.sqlite"
    file.write_bytes(sqlite_template.read_bytes())
    yield f"sqlite+aiosqlite:///{file}"
    for left in file.parent.glob(f"{file.name}*"):
        left.unlink()


@pytest.fixture(scope="module")
async def web(op_sqlite_url: str, valkey_server: ValkeyServer) -> AsyncIterator[Web]:
    """One provider for each module: every address of it has to be https for the suite."""
    valkey_server.flush()
    async with running_web(op_sqlite_url, valkey_server.url, PUBLIC_URL="https://op.example") as running:
        yield running


@pytest.fixture(scope="module")
async def ada(web: Web) -> User:
    """A person of whom everything is known."""
    now = clock.now()
    directory = web.rooms.directory
    user = await directory.create(
        "ada", "tall giraffes eat acacia", email="ada@people.example", roles=(), scopes=(), now=now
    )
    async with web.rooms.acts.begin(now) as act:
        known = {"profile": PROFILE, "email_verified_at": now}
        await opened(act.tx).run(update(USERS).where(USERS.c.id == user.id).values(**known))
    return user


@pytest.fixture(scope="module")
async def line(web: Web) -> AsyncIterator[httpx2.AsyncClient]:
    """What relying parties reach the provider by."""
    transport = httpx2.ASGITransport(as_served(web.edge))
    async with httpx2.AsyncClient(transport=transport, base_url=web.settings.public_url) as client:
        yield client


async def registered(web: Web, line: httpx2.AsyncClient, name: str, **more: Any) -> RelyingParty:
    """A relying party of this name; `more` is its metadata."""
    metadata: dict[str, Any] = {
        "redirect_uris": (REDIRECT,),
        "post_logout_redirect_uris": (AFTER_LOGOUT,),
        "grant_types": frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN}),
        **more,
    }
    client, secret = await web.rooms.clients.create(
        name, confidential=True, scopes=(), now=clock.now(), metadata=ClientMetadata(**metadata)
    )
    assert secret is not None
    discovered = (await line.get("/.well-known/openid-configuration")).json()
    auth_method, alg = client.metadata.auth_method, client.metadata.id_token_alg
    return RelyingParty(line, client.id, secret, discovered, auth_method, alg)


@pytest.fixture(scope="module")
async def rp(web: Web, line: httpx2.AsyncClient, ada: User) -> RelyingParty:
    """The suite's first client: code flow, client_secret_basic."""
    return await registered(web, line, "Suite")


@pytest.fixture
async def play(web: Web, rp: RelyingParty) -> AsyncIterator[Play]:
    """A browser without cookies, at the first client."""
    async with surfing(web) as surfer:
        yield Play(surfer, rp)
