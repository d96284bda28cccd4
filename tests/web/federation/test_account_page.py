"""Linked accounts on their page: linking one more, unlinking, and the last way in."""

import httpx2
import pytest
from sqlalchemy import update

from service import clock
from service.storage.sql.database import opened
from service.storage.sql.tables import SESSIONS
from tests.servers.openid_provider import OpenIdProvider
from tests.web.federation.journey import add_person, arrived, hidden_of, somebody, visit
from tests.web.oauth.browsing import Surfer
from tests.web.reading import read_page
from tests.web.running import Web

pytestmark = pytest.mark.anyio
PATH, LINK = "/account/linked", "/sign-in/with/acme/link"


async def linked(web: Web, username: str) -> list[str]:
    """The ids of what is linked to an account."""
    user = await web.rooms.directory.get_named(username)
    return [one.id for one in await web.rooms.identities.identities_of(user.id)]


async def go_and_come_back(surfer: Surfer, page: httpx2.Response) -> httpx2.Response:
    """Press the first service's button on the page of the account, and follow all the way."""
    sent = await surfer.client.post(LINK, data=hidden_of(page))
    return await surfer.follow(await surfer.client.get(await visit(sent)))


@pytest.mark.spec("SOC-10")
async def test_a_person_links_another_service_sees_it_and_unlinks_it(
    web: Web, surfer: Surfer, upstream: OpenIdProvider
) -> None:
    await add_person(web, "linker", "linker@example.org", proven=True)
    await surfer.signed_in("linker")
    page = await surfer.get(PATH)
    assert "No account at another service is linked." in page.text
    assert f"form-action 'self' {'http:' if upstream.url.startswith('http:') else ''}" in policy_of(page)
    upstream.claims = somebody(email="linker@elsewhere.example")
    page = await go_and_come_back(surfer, page)
    assert (page.status_code, page.request.url.path) == (200, PATH)
    for words in ("Acme", "linker@elsewhere.example", "just now", "Unlink"):
        assert words in page.text
    (identity,) = await linked(web, "linker")

    own = {"csrf": token_of(page), "identity": identity}
    told = await surfer.follow(await surfer.client.post(PATH, data=own))
    assert "It is linked no longer." in told.text
    assert await linked(web, "linker") == []
    assert (await surfer.client.post(PATH, data=own)).status_code == 404


@pytest.mark.spec("SOC-10")
async def test_the_last_way_in_stays_and_nobody_unlinks_what_is_anothers(
    web: Web, surfer: Surfer, other_surfer: Surfer, upstream: OpenIdProvider
) -> None:
    upstream.claims = somebody(preferred_username="only-there")
    await arrived(surfer)
    (identity,) = await linked(web, "only-there")
    page = await surfer.get(PATH)
    own = {"csrf": token_of(page), "identity": identity}
    told = await surfer.follow(await surfer.client.post(PATH, data=own))
    assert "This is the last way in to your account, so it stays." in told.text
    assert await linked(web, "only-there") == [identity]

    upstream.claims = somebody(preferred_username="mallory")
    await arrived(other_surfer)
    theirs = await other_surfer.get(PATH)
    csrf = token_of(theirs)
    for wanted in (identity, "", "x", "<b>"):
        answer = await other_surfer.client.post(PATH, data={"csrf": csrf, "identity": wanted})
        assert answer.status_code == 404, wanted
    for forged in (own["csrf"], hidden_of(theirs)["csrf"][:-1], ""):
        answer = await other_surfer.client.post(PATH, data={"csrf": forged, "identity": identity})
        assert answer.status_code == 403
    assert await linked(web, "only-there") == [identity]


async def test_whoever_has_no_password_sets_one_and_may_then_unlink_the_last_service(
    web: Web, surfer: Surfer, upstream: OpenIdProvider
) -> None:
    upstream.claims = somebody(preferred_username="settling")
    await arrived(surfer)
    new = {"password": "a sentence of their own", "password_again": "a sentence of their own"}
    page = await surfer.get("/account/password")
    assert (await surfer.client.post("/account/password", data={**hidden_of(page), **new})).status_code == 303
    page, (identity,) = await surfer.get(PATH), await linked(web, "settling")
    own = {"csrf": token_of(page), "identity": identity}
    told = await surfer.follow(await surfer.client.post(PATH, data=own))
    assert "It is linked no longer." in told.text
    await web.sign_in("settling", new["password"])


@pytest.mark.spec("ASVS 7.5.1")
async def test_who_signed_in_long_ago_signs_in_again_before_anything_is_linked(
    web: Web, surfer: Surfer, upstream: OpenIdProvider
) -> None:
    user = await add_person(web, "sleepy", "sleepy@example.org", proven=True)
    await surfer.signed_in("sleepy")
    page = await surfer.get(PATH)
    async with web.rooms.acts.begin(clock.now()) as act:
        since = clock.now() - web.settings.browser.recent_sign_in
        await opened(act.tx).run(update(SESSIONS).where(SESSIONS.c.user_id == user.id).values(auth_time=since))
    answer = await surfer.client.post(LINK, data=hidden_of(page))
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in")
    page = await surfer.sign_in(await surfer.follow(answer), "sleepy")
    assert (page.status_code, page.request.url.path) == (200, PATH)
    answer = await surfer.client.post(LINK, data=hidden_of(page))
    assert answer.headers["location"].startswith(upstream.url)


def token_of(page: httpx2.Response) -> str:
    """The token of the form by which something is unlinked."""
    return read_page(page.text.partition("/sign-in/with/")[0]).inputs["csrf"]["value"]


def policy_of(page: httpx2.Response) -> str:
    """The content security policy."""
    return page.headers["content-security-policy"]
