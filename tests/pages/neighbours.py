"""A Gatepost among others: providers of every kind, providers that err, and an application, all on loopback."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from service.clients.metadata import AUTHORIZATION_CODE, ClientMetadata
from tests.pages.conftest import serving
from tests.real_clients.conftest import Served
from tests.servers.facebook import Facebook
from tests.servers.github import GitHub
from tests.servers.node_provider import NodeProvider
from tests.servers.openid_provider import Fault, OpenIdProvider
from tests.servers.process import free_ports
from tests.servers.upstream import Answer, Asked, Trouble, Upstream, standing
from tests.servers.valkey import ValkeyServer

FAULTS: tuple[Fault, ...] = ("denied", "wrong iss in callback", "wrong nonce", "alg none")
TROUBLES: tuple[Trouble, ...] = ("500", "silent", "redirect")
SAME_ADDRESS, ANOTHER = "same-address", "another"


class Application(Upstream):
    """Where people come to in the end."""

    def answer(self, asked: Asked) -> Answer:
        """See `Upstream`."""
        page = b"<!doctype html><html lang=en><title>Arrived</title><main><h1>Arrived</h1></main>"
        return Answer(200, page, {"Content-Type": "text/html"})


@dataclass
class Neighbourhood:
    """Gatepost with all its providers, and every origin that its pages may lead to."""

    issuer: Served
    application: Application
    origins: list[str]
    upstreams: list[OpenIdProvider | GitHub | Facebook]
    log: Path


def _openid(name: str, fault: Fault | None = None, trouble: Trouble | None = None, **claims: object) -> OpenIdProvider:
    person = {"sub": name, "name": f"Ada of {name}", "email": f"{name}@elsewhere.example", "email_verified": True}
    provider = OpenIdProvider(person | claims)
    provider.fault = fault
    if trouble is not None:
        provider.troubles["/token"] = trouble
    return provider


def _openids() -> dict[str, OpenIdProvider]:
    """By the names of their buttons."""
    faulty = {slug(fault): _openid(slug(fault), fault) for fault in FAULTS}
    troubled = {slug(trouble): _openid(slug(trouble), trouble=trouble) for trouble in TROUBLES}
    same = _openid(SAME_ADDRESS, email="ada@example.org")
    return {"stand-in": _openid("stand-in"), ANOTHER: _openid(ANOTHER), SAME_ADDRESS: same, **faulty, **troubled}


def slug(text: str) -> str:
    """A fault as a provider's name."""
    return text.lower().replace(" ", "-")


def _told(kind: str, provider: Upstream | NodeProvider, client_id: str, client_secret: str) -> dict[str, str]:
    return {"kind": kind, "issuer": provider.url, "client_id": client_id, "client_secret": client_secret}


@contextmanager
def neighbourhood(folder: Path, template: Path, valkey: ValkeyServer) -> Iterator[Neighbourhood]:
    """All of it, standing."""
    url, other = (f"http://{host}:{port}" for host, port in zip(("localhost", "127.0.0.1"), free_ports(2), strict=True))
    with ExitStack() as stack:
        application = stack.enter_context(standing(Application()))
        openids = {name: stack.enter_context(standing(one)) for name, one in _openids().items()}
        hub, book = stack.enter_context(standing(GitHub())), stack.enter_context(standing(Facebook()))
        hub.emails = [{"email": "hub@elsewhere.example", "verified": True, "primary": True}]
        node = NodeProvider(folder / "node", redirect_uri=f"{url}/sign-in/with/node/callback")
        stack.callback(node.kill)
        node.start()
        there = {"url": other, "email": "neighbour@elsewhere.example", "REDIS_PREFIX": "other:"}
        neighbour = stack.enter_context(serving(folder / "neighbour", template, valkey.url, **there))
        client_id, secret = neighbour.register("Harbour", metadata=_metadata(f"{url}/sign-in/with/gatepost/callback"))
        providers = {name: _told("oidc", one, one.client_id, one.client_secret) for name, one in openids.items()}
        providers |= {
            "node": _told("oidc", node, node.client_id, node.client_secret),
            "gatepost": {"issuer": other, "client_id": client_id, "client_secret": str(secret)},
            "github": _told("github", hub, hub.client_id, hub.client_secret),
            "facebook": _told("facebook", book, book.client_id, book.client_secret),
        }
        issuer = stack.enter_context(serving(folder / "issuer", template, valkey.url, url=url, **_settings(providers)))
        upstreams = [*openids.values(), hub, book]
        origins = [url, other, application.url, node.url, *(one.url for one in upstreams)]
        yield Neighbourhood(issuer, application, origins, upstreams, log=folder / "issuer" / "log")


def _settings(providers: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {"FEDERATION__PROVIDERS": json.dumps(providers), "ACCOUNTS__REGISTRATION": "open"}


def _metadata(redirect_uri: str) -> ClientMetadata:
    return ClientMetadata(
        redirect_uris=(redirect_uri,), grant_types=frozenset({AUTHORIZATION_CODE}), skips_consent=True
    )
