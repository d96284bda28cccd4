"""What a thief finds after sign-ins elsewhere, good and bad ones: nothing of theirs, and nothing that opens ours."""

import json
from collections.abc import Iterator
from urllib.parse import quote_plus

import pytest

from service import clock
from tests.servers.facebook import Facebook
from tests.servers.github import GitHub
from tests.servers.openid_provider import Fault, OpenIdProvider
from tests.servers.upstream import Trouble, Upstream, standing
from tests.servers.valkey import ValkeyServer
from tests.telemetry.spans import Spans
from tests.web.federation.journey import arrived, press, query_of, somebody, visit
from tests.web.oauth.browsing import Surfer, surfing
from tests.web.oauth.test_secrets_at_rest import in_redis, in_sql
from tests.web.running import Web

pytestmark = pytest.mark.anyio
FAULTS: tuple[Fault, ...] = (
    "wrong nonce",
    "bad signature",
    "denied",
    "wrong iss in callback",
    "another sub in userinfo",
)
TROUBLES: tuple[Trouble, ...] = ("500", "huge", "redirect", "hangs up", "not json")
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def hub() -> Iterator[GitHub]:
    with standing(GitHub()) as hub:
        yield hub


@pytest.fixture(scope="module")
def book() -> Iterator[Facebook]:
    with standing(Facebook()) as book:
        yield book


@pytest.fixture(scope="module")
def web_settings(upstream: OpenIdProvider, hub: GitHub, book: Facebook, spans: Spans) -> dict[str, str]:
    def told(provider: OpenIdProvider | GitHub | Facebook, **more: object) -> dict[str, object]:
        secret = {"client_id": provider.client_id, "client_secret": provider.client_secret}
        return {**secret, "issuer": provider.url, **more}

    providers = {
        "acme": told(upstream),
        "keeper": told(upstream, keep_tokens=True, scopes=["openid", "email", "offline_access"]),
        "hub": told(hub, kind="github"),
        "book": told(book, kind="facebook"),
    }
    return {
        "FEDERATION__PROVIDERS": json.dumps(providers),
        "ACCOUNTS__REGISTRATION": "open",
        "TELEMETRY__TRACES": spans.url,
    }


async def comes(web: Web, name: str = "acme") -> int:
    """Somebody at a new browser presses a button; the status of the page at the end."""
    async with surfing(web) as surfer:
        return (await arrived(surfer, name)).status_code


async def use_everything(
    web: Web, surfer: Surfer, upstream: OpenIdProvider, hub: GitHub, book: Facebook
) -> dict[str, str]:
    """What opens something, or did, or what only the two sides know; each kind of failure comes once."""
    hub.emails = [{"email": "hub@example.org", "verified": True, "primary": True}]
    for name in ("acme", "keeper", "hub", "book"):
        upstream.claims = somebody()
        assert await comes(web, name) == 200, name
    for fault in FAULTS:
        upstream.fault, upstream.claims = fault, {"sub": "without an address"}
        assert await comes(web) >= 400, fault
    upstream.fault, upstream.claims = None, somebody()
    for trouble in TROUBLES:
        for provider, path, name in (
            (upstream, "/token", "acme"),
            (hub, "/api/v3/user", "hub"),
            (book, "/v24.0/debug_token", "book"),
        ):
            provider.troubles[path] = trouble
            assert await comes(web, name) in (502, 504), (name, trouble)
            provider.troubles.clear()
    back = await visit(await press(surfer, await surfer.get("/sign-in")))  # this one is never gone
    waiting = upstream.asked_at("/authorize")[-1].query
    assert query_of(back)["state"] == waiting["state"]
    return {"waiting state": waiting["state"], "waiting nonce": waiting["nonce"], "browser": _cookie(surfer)}


def _cookie(surfer: Surfer) -> str:
    return next(value for name, value in surfer.client.cookies.items() if name.endswith("gp_browser"))


def sent_by(provider: OpenIdProvider | GitHub | Facebook) -> list[str]:
    """The client's secret, the codes and tokens of the provider, and the verifiers that it was shown."""
    verifiers = [one.form["code_verifier"] for one in provider.asked if "code_verifier" in one.form]
    assert verifiers
    return [provider.client_secret, quote_plus(provider.client_secret), *provider.sent, *verifiers]


@pytest.mark.spec("SOC-13")
@pytest.mark.spec("TIM-03")
async def test_neither_the_stores_nor_the_log_nor_an_address_holds_what_is_between_us_and_a_provider(
    web: Web,
    surfer: Surfer,
    upstream: OpenIdProvider,
    hub: GitHub,
    book: Facebook,
    spans: Spans,
    valkey_server: ValkeyServer,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    ours = await use_everything(web, surfer, upstream, hub, book)
    providers: list[Upstream] = [upstream, hub, book]
    asked = [
        one for provider in providers for one in provider.asked if not one.path.endswith(("authorize", "/dialog/oauth"))
    ]
    records = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx2", "httpcore2"))]
    places = {
        "the log": "".join([*capsys.readouterr(), *records]).encode(),
        "SQL": in_sql(web),
        "Redis": in_redis(valkey_server),
        "an address": repr([(one.path, one.query) for one in asked]).encode(),
        **await web.shown_to_operators(spans),
    }
    assert b"server.port" in places["traces"]
    assert b"hub@example.org" in places["SQL"]
    assert b"provider_failed" in places["the log"]
    theirs = [*sent_by(upstream), *sent_by(hub), *sent_by(book)]
    assert len(theirs) > 60
    for place, content in places.items():
        assert [secret for secret in [*theirs, *ours.values()] if secret.encode() in content] == [], place


async def test_what_is_kept_on_purpose_is_what_the_provider_gave_and_can_be_used(
    web: Web, surfer: Surfer, upstream: OpenIdProvider
) -> None:
    upstream.claims = somebody()
    await arrived(surfer, "keeper")
    [user] = list(await web.rooms.directory.page(search=str(upstream.claims["email"]), after="", limit=9))
    [linked] = await web.rooms.identities.identities_of(user.id)
    kept = await web.rooms.identities.upstream_token(user.id, linked.id, now=clock.now())
    assert kept.access_token in upstream.sent
