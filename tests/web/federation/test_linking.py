"""An identity and an account that is there already: who may join them, and who is kept out."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from service import clock
from service.clients.client import Client
from service.federation import Identity
from service.federation.refusals import NoAccount, SignInFirst
from service.limits.known_devices import Source
from service.protocol.errors import InvalidLogin
from service.sessions.browser import BrowserSession
from service.web.oauth.browser import Browser, Carried
from tests.servers.gatepost import PASSWORD
from tests.servers.openid_provider import OpenIdProvider
from tests.servers.valkey import ValkeyServer
from tests.web.federation.journey import (
    add_person,
    arrived,
    hidden_of,
    sign_in_with,
    signed_in_as,
    somebody,
    visit,
)
from tests.web.oauth.browsing import Surfer, returned, surfing
from tests.web.running import Web, bearer, running_web

pytestmark = pytest.mark.anyio


async def identities_of(web: Web, login: str) -> list[str]:
    """The subjects that are linked to an account."""
    user = await web.rooms.directory.get_named(login)
    return [one.subject for one in await web.rooms.identities.identities_of(user.id)]


@pytest.mark.spec("SOC-06")
@pytest.mark.spec("VER-02")
@pytest.mark.parametrize("said", [False, None, "true"])
async def test_an_address_that_is_not_proven_joins_nothing_and_is_nobodys(
    web: Web, surfer: Surfer, upstream: OpenIdProvider, said: object
) -> None:
    name = f"victim-{said}".lower()
    await add_person(web, name, f"{name}@example.org", proven=True)
    upstream.claims = somebody(email=f"{name}@example.org", email_verified=said, preferred_username=f"{name}-2")
    page = await arrived(surfer)

    assert page.status_code == 200
    assert await signed_in_as(surfer) == f"{name}-2"
    assert (await web.rooms.directory.get_named(f"{name}-2")).email is None
    assert await identities_of(web, name) == []


@pytest.mark.spec("SOC-06")
async def test_a_proven_address_alone_does_not_open_the_account_that_has_it(
    web: Web, surfer: Surfer, trusted: Client, upstream: OpenIdProvider
) -> None:
    await add_person(web, "edith", "Edith@example.org", proven=True, roles=("clerk",))
    upstream.claims = somebody(email="edith@EXAMPLE.org")
    page = await sign_in_with(surfer, await surfer.authorize(trusted))

    assert page.status_code == 409
    assert await signed_in_as(surfer) is None
    assert await identities_of(web, "edith") == []
    assert 'value="edith@EXAMPLE.org"' in page.text

    answer = await surfer.client.post("/sign-in", data={**hidden_of(page), "username": "edith", "password": PASSWORD})
    question = await surfer.follow(answer)
    assert "Link your account with <bdi>Acme</bdi>?" in question.text
    assert await identities_of(web, "edith") == []

    agreed = await surfer.client.post("/sign-in/link", data={**hidden_of(question), "choice": "link"})
    assert returned(await surfer.follow(agreed))["state"] == "st-1"
    assert await identities_of(web, "edith") == [upstream.claims["sub"]]


async def test_who_does_not_want_to_link_goes_on_all_the_same(
    web: Web, surfer: Surfer, trusted: Client, upstream: OpenIdProvider
) -> None:
    await add_person(web, "nina", "nina@example.org", proven=True, roles=("clerk",))
    upstream.claims = somebody(email="nina@example.org")
    page = await sign_in_with(surfer, await surfer.authorize(trusted))
    question = await surfer.follow(
        await surfer.client.post("/sign-in", data={**hidden_of(page), "username": "nina", "password": PASSWORD})
    )
    for choice, status in (("", 400), ("else", 400), ("leave", 303)):
        answer = await surfer.client.post("/sign-in/link", data={**hidden_of(question), "choice": choice})
        assert answer.status_code == status
    assert returned(await surfer.follow(answer))["state"] == "st-1"
    assert await identities_of(web, "nina") == []


async def test_the_question_is_this_browsers_and_its_form_this_identitys(
    web: Web, surfer: Surfer, other_surfer: Surfer, upstream: OpenIdProvider
) -> None:
    await add_person(web, "olga", "olga@example.org", proven=True)
    upstream.claims = somebody(email="olga@example.org")
    sent = hidden_of(await arrived(surfer))
    await surfer.client.post("/sign-in", data={**sent, "username": "olga", "password": PASSWORD})
    await other_surfer.signed_in("olga")

    assert (await other_surfer.get("/sign-in/link", request=sent["request"])).status_code == 400
    forged = await surfer.client.post("/sign-in/link", data={"request": sent["request"], "csrf": "x", "choice": "link"})
    assert forged.status_code == 403
    browsers = web.app.state.browsers
    other = browsers.seal(_browser(surfer), Carried("authorize", "", clock.now()))
    assert (await surfer.get("/sign-in/link", request=other)).status_code == 400
    assert await identities_of(web, "olga") == []


@pytest.mark.spec("SOC-09")
async def test_who_proves_an_address_gets_its_account_and_nothing_of_before_opens_it(
    web: Web, surfer: Surfer, other_surfer: Surfer, upstream: OpenIdProvider
) -> None:
    victim = await add_person(web, "victoria", "victoria@example.org", proven=False, roles=("clerk",))
    before = await web.sign_in("victoria")
    await other_surfer.signed_in("victoria")
    made = {"name": "laptop", "scopes": ["orders:read"]}
    key = (await web.client.post("/users/me/api-keys", json=made, headers=bearer(before["access_token"]))).json()
    config = (await web.rooms.providers.get("acme", now=clock.now())).config
    trojan = Identity(upstream.url, "trojan", "attacker@example.org", True)
    await web.rooms.arrivals.arrive(trojan, config, links_to=victim.id, now=clock.now())
    change = {"email": "attacker@example.net", "current_password": PASSWORD}
    asked = await web.client.post("/users/me/email", json=change, headers=bearer(before["access_token"]))
    assert asked.status_code == 202
    assert (await web.client.get("/users/me", headers={"X-API-Key": key["api_key"]})).status_code == 200

    upstream.claims = somebody(email="Victoria@example.org")
    await arrived(surfer)

    assert await signed_in_as(surfer) == "victoria"
    owner = await web.rooms.directory.get(victim.id)
    assert (owner.password_hash, owner.roles, owner.email) == (None, {"clerk"}, "victoria@example.org")
    assert owner.email_verified_at is not None
    assert await identities_of(web, "victoria") == [upstream.claims["sub"]]
    with pytest.raises(InvalidLogin):
        await web.rooms.sign_in.check("victoria", PASSWORD, source=Source("192.0.2.7"))
    assert await signed_in_as(other_surfer) is None
    for presented in (bearer(before["access_token"]), {"X-API-Key": key["api_key"]}):
        assert (await web.client.get("/users/me", headers=presented)).status_code == 401
    renewed = await web.client.post("/auth/refresh", json={"refresh_token": before["refresh_token"]})
    assert renewed.status_code == 401


async def test_the_account_of_an_administrator_is_never_taken_over(web: Web, upstream: OpenIdProvider) -> None:
    await add_person(web, "chief", "chief@example.org", proven=False, roles=("admin",))
    config = (await web.rooms.providers.get("acme", now=clock.now())).config
    with pytest.raises(SignInFirst):
        await web.rooms.arrivals.arrive(
            Identity(upstream.url, "chief", "chief@example.org", True), config, now=clock.now()
        )
    assert (await web.rooms.sign_in.check("chief", PASSWORD, source=Source("192.0.2.7"))).username == "chief"


@pytest.mark.spec("SOC-10")
async def test_a_link_is_asked_for_in_this_session_and_made_in_no_other(
    web: Web, surfer: Surfer, upstream: OpenIdProvider
) -> None:
    await add_person(web, "luise", "luise@example.com", proven=True)
    await add_person(web, "mallory", "mallory@example.com", proven=True)
    await surfer.signed_in("luise")
    upstream.claims = somebody()
    back = await visit(await _ask_link(web, surfer))

    await surfer.client.get("/oauth2/logout")
    await _sign_in_again(surfer, "mallory")
    assert (await surfer.get(back)).status_code == 400
    assert (await identities_of(web, "luise"), await identities_of(web, "mallory")) == ([], [])

    back = await visit(await _ask_link(web, surfer))
    assert (await surfer.get(back)).status_code == 303
    assert await identities_of(web, "mallory") == [upstream.claims["sub"]]
    assert await signed_in_as(surfer) == "mallory"


async def test_a_link_needs_the_form_of_who_is_signed_in(web: Web, surfer: Surfer) -> None:
    await add_person(web, "paula", "paula@example.com", proven=True)
    await surfer.get("/sign-in")
    csrf = web.app.state.browsers.csrf(_browser(surfer), "link")
    assert (await surfer.client.post("/sign-in/with/acme/link", data={"request": "", "csrf": csrf})).headers[
        "location"
    ] == "/sign-in"
    await surfer.signed_in("paula")
    for wrong in ("", csrf, "x"):
        answer = await surfer.client.post("/sign-in/with/acme/link", data={"request": "", "csrf": wrong})
        assert answer.status_code == 403


async def test_an_identity_belongs_to_one_account(web: Web, surfer: Surfer, upstream: OpenIdProvider) -> None:
    upstream.claims = somebody()
    await arrived(surfer)
    first = await signed_in_as(surfer)
    await add_person(web, "second", "second@example.com", proven=True)
    async with surfing(web) as other:
        await other.signed_in("second")
        page = await other.follow(await other.get(await visit(await _ask_link(web, other))))
        assert page.status_code == 409
        assert "It belongs to another account here" in page.text
    assert await identities_of(web, "second") == []
    assert await identities_of(web, first or "") == [upstream.claims["sub"]]


async def test_who_says_no_there_is_back_where_the_link_was_asked_for(
    web: Web, surfer: Surfer, upstream: OpenIdProvider
) -> None:
    await add_person(web, "quinn", "quinn@example.com", proven=True)
    await surfer.signed_in("quinn")
    upstream.fault = "denied"
    assert (await surfer.get(await visit(await _ask_link(web, surfer)))).headers["location"] == "/sign-in"
    upstream.fault = "wrong nonce"
    page = await surfer.get(await visit(await _ask_link(web, surfer)))
    assert (page.status_code, "The other service cannot be used" in page.text) == (502, True)
    assert await identities_of(web, "quinn") == []


@pytest.fixture
async def closed_web(sqlite_url: str, valkey_server: ValkeyServer, web_settings: dict[str, str]) -> AsyncIterator[Web]:
    """The same where nobody registers uninvited."""
    settings = {**web_settings, "ACCOUNTS__REGISTRATION": "invitation"}
    async with running_web(sqlite_url, valkey_server.url, **settings) as running:
        yield running


@pytest.mark.spec("ENUM-09")
async def test_where_nobody_registers_uninvited_an_unknown_person_hears_the_same_whatever_address_they_claim(
    closed_web: Web, upstream: OpenIdProvider, sqlite_url: str
) -> None:
    await add_person(closed_web, "known", "known@example.org", proven=True)
    heard: list[httpx2.Response] = []
    for address in ("known@example.org", "unknown@example.org"):
        upstream.claims = somebody(email=address, email_verified=False)
        async with surfing(closed_web) as browser:
            heard.append(await arrived(browser))
            assert await signed_in_as(browser) is None
    assert [page.status_code for page in heard] == [403, 403]
    first, second = (_without_secrets(page) for page in heard)
    assert first == second

    config = (await closed_web.rooms.providers.get("acme", now=clock.now())).config
    with pytest.raises(NoAccount):
        await closed_web.rooms.arrivals.arrive(
            Identity(upstream.url, "new", "new@example.org", True), config, now=clock.now()
        )
    for secret in [*upstream.sent, upstream.client_secret]:
        assert secret.encode() not in Path(sqlite_url.partition(":///")[2]).read_bytes()


async def _ask_link(web: Web, surfer: Surfer) -> httpx2.Response:
    """Press the button of the account's page, whose form is made here."""
    cookie = surfer.client.cookies["gp_session"]
    signed_in = await web.rooms.browser_sessions.find(cookie, now=clock.now())
    csrf = web.app.state.browsers.csrf(_browser(surfer, signed_in), "link")
    return await surfer.client.post("/sign-in/with/acme/link", data={"request": "", "csrf": csrf})


async def _sign_in_again(surfer: Surfer, username: str) -> None:
    surfer.client.cookies.delete("gp_session")
    await surfer.signed_in(username)


def _browser(surfer: Surfer, signed_in: BrowserSession | None = None) -> Browser:
    return Browser(surfer.client.cookies["gp_browser"], False, signed_in)


def _without_secrets(page: httpx2.Response) -> str:
    text = page.text
    for secret in filter(None, hidden_of(page).values()):
        text = text.replace(secret, "…")
    return text
