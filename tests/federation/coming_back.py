"""One provider asked without a house: what it is sent, and what comes back to the callback."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from secrets import token_urlsafe
from urllib.parse import parse_qs, urlsplit

import httpx2

from service import clock
from service.federation.provider import Attempt, Calls, Proof, Provider, ProviderConfig
from service.outgoing.http import OutgoingHttp
from service.outgoing.providers import ProviderCalls
from tests.servers.facebook import Facebook
from tests.servers.github import GitHub
from tests.servers.id_tokens import unpadded
from tests.servers.openid_provider import OpenIdProvider

Known = GitHub | Facebook | OpenIdProvider
CALLBACK = "https://auth.example/callback"


@asynccontextmanager
async def asking(within: timedelta = timedelta(seconds=5)) -> AsyncIterator[Calls]:
    """What the room asks with, as local mode has it."""
    http = OutgoingHttp()
    try:
        yield ProviderCalls(http, within=within, local=True)
    finally:
        await http.close()


def config_of(upstream: Known, kind: str, scopes: tuple[str, ...], /, **changed: object) -> ProviderConfig:
    """What an operator writes about a stand-in."""
    config = ProviderConfig(
        name=kind,
        kind=kind,
        client_id=upstream.client_id,
        client_secret=upstream.client_secret,
        issuer=upstream.url,
        label=kind.title(),
        scopes=scopes,
    )
    return replace(config, **changed)  # type: ignore[arg-type]  # the fields that a test is about


def an_attempt(*, fresh: bool = False) -> Attempt:
    """One that nobody has made before."""
    verifier = token_urlsafe(32)
    return Attempt(
        redirect_uri=CALLBACK,
        state=token_urlsafe(32),
        nonce=token_urlsafe(16),
        code_verifier=verifier,
        code_challenge=unpadded(hashlib.sha256(verifier.encode()).digest()),
        fresh=fresh,
    )


async def come_back(provider: Provider, attempt: Attempt) -> dict[str, str]:
    """What the provider sends the browser back with."""
    async with httpx2.AsyncClient() as browser:
        answer = await browser.get(await provider.authorization_url(attempt, now=clock.now()))
    assert answer.status_code == 302, answer.text
    address = urlsplit(answer.headers["Location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == CALLBACK
    return {name: value for name, (value,) in parse_qs(address.query, strict_parsing=True).items()}


async def sign_in(provider: Provider) -> Proof:
    """Who it was."""
    attempt = an_attempt()
    back = await come_back(provider, attempt)
    assert back["state"] == attempt.state
    await provider.check_issuer(back.get("iss"), now=clock.now())
    return await provider.redeem(back["code"], attempt, now=clock.now())
