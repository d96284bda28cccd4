"""The buttons of the sign-in page: to a provider and back, and on to what the sign-in was for."""

import asyncio
from datetime import timedelta

import pytest

from service import clock
from service.accounts.change import UserChange
from service.audit.search import Sought
from service.clients.client import Client
from service.federation import Identity
from service.federation.transaction import LIFE
from service.protocol.errors import Refusal
from tests.servers.gatepost import PASSWORD
from tests.servers.openid_provider import OpenIdProvider
from tests.web.federation.journey import (
    CALLBACK,
    add_person,
    arrived,
    hidden_of,
    press,
    query_of,
    sign_in_with,
    signed_in_as,
    somebody,
    visit,
)
from tests.web.oauth.browsing import Surfer, returned, taken
from tests.web.reading import read_page
from tests.web.running import Web

pytestmark = pytest.mark.anyio


async def test_a_new_person_gets_an_account_with_the_proven_address_and_no_password(
    web: Web, surfer: Surfer, upstream: OpenIdProvider
) -> None:
    upstream.claims = somebody(preferred_username="Zoë the Great", email="zoe@example.org")
    page = await arrived(surfer)

    assert page.status_code == 200
    assert await signed_in_as(surfer) == "Zoe.the.Great"
    user = await web.rooms.directory.get_named("zoe@example.org")
    assert (user.username, user.password_hash, user.roles) == ("Zoe.the.Great", None, {"clerk"})
    assert user.email_verified_at is not None
    assert user.profile == {"name": "Ada Lovelace"}


async def test_the_same_identity_is_the_same_account_whatever_address_it_has_by_then(
    web: Web, surfer: Surfer, other_surfer: Surfer, upstream: OpenIdProvider
) -> None:
    first = somebody()
    upstream.claims = first
    await arrived(surfer)
    upstream.claims = {**first, "email": "moved@example.org", "email_verified": False}
    await arrived(other_surfer)

    assert await signed_in_as(other_surfer) == await signed_in_as(surfer) is not None
    [linked] = await web.rooms.identities.identities_of((await web.rooms.directory.get_named(str(first["email"]))).id)
    assert (linked.issuer, linked.subject, linked.account) == (upstream.url, first["sub"], "moved@example.org")


@pytest.mark.spec("RFC 6749 §4.1")
async def test_the_application_that_asked_gets_its_code_after_the_callback(
    web: Web, surfer: Surfer, trusted: Client, upstream: OpenIdProvider
) -> None:
    upstream.claims = somebody()
    page = await surfer.authorize(trusted)
    assert "Go on with <bdi>Acme</bdi>" in page.text
    fields = returned(await sign_in_with(surfer, page))

    grant = await taken(web, fields["code"])
    assert (fields["state"], grant.amr, grant.acr) == ("st-1", (), None)
    assert (await web.rooms.directory.get(grant.user_id)).email == upstream.claims["email"]


async def test_the_page_lets_its_forms_lead_to_providers_and_still_loads_nothing(surfer: Surfer) -> None:
    page = await surfer.get("/sign-in")
    policy = page.headers["content-security-policy"]
    assert "form-action 'self' http: https:;" in policy
    assert "default-src 'none'" in policy
    assert read_page(page.text).inline == []


async def test_a_form_of_another_page_sends_nobody_anywhere(surfer: Surfer, other_surfer: Surfer) -> None:
    page, theirs = await surfer.get("/sign-in"), await other_surfer.get("/sign-in")
    for fields in ({}, {"csrf": "x"}, {"csrf": hidden_of(theirs)["csrf"]}):
        answer = await surfer.client.post("/sign-in/with/acme", data={"request": "", **fields})
        assert answer.status_code == 403
    assert (await press(surfer, page)).status_code == 303


@pytest.mark.spec("RFC 9700 §4.7.1")
async def test_an_answer_counts_in_the_browser_that_was_sent_and_nowhere_else(
    surfer: Surfer, other_surfer: Surfer, upstream: OpenIdProvider
) -> None:
    upstream.claims = somebody()
    await other_surfer.get("/sign-in")
    back = await visit(await press(surfer, await surfer.get("/sign-in")))

    forged = await other_surfer.get(back)
    assert (forged.status_code, await signed_in_as(other_surfer)) == (400, None)
    assert "This sign-in does not belong here" in forged.text
    assert upstream.asked_at("/token") == []
    assert (await surfer.follow(await surfer.get(back))).status_code == 200  # and it was not used up by the other
    assert await signed_in_as(surfer) is not None


@pytest.mark.spec("SOC-14")
async def test_an_answer_counts_once_though_it_comes_ten_times_at_the_same_moment(
    surfer: Surfer, upstream: OpenIdProvider
) -> None:
    upstream.claims = somebody()
    back = await visit(await press(surfer, await surfer.get("/sign-in")))
    answers = await asyncio.gather(*(surfer.get(back) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [303] + [400] * 9
    assert len(upstream.asked_at("/token")) == 1
    assert (await surfer.get(back)).status_code == 400


async def test_an_answer_without_its_state_or_with_one_twice_is_none(surfer: Surfer, upstream: OpenIdProvider) -> None:
    back = await visit(await press(surfer, await surfer.get("/sign-in")))
    state = query_of(back)["state"]
    for wrong in (
        CALLBACK,
        f"{CALLBACK}?code=x",
        f"{CALLBACK}?code=x&state=",
        f"{CALLBACK}?code=x&state=y",
        f"{back}&state={state}",
        back.replace("/acme/", "/keeper/"),
        f"{CALLBACK}?{'&'.join(['a=b'] * 50)}",
        f"{CALLBACK}?code=x&state=%ff",
    ):
        assert (await surfer.get(wrong)).status_code == 400
    assert await signed_in_as(surfer) is None


async def test_an_answer_after_the_time_that_it_may_take_is_none(
    web: Web, surfer: Surfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = await visit(await press(surfer, await surfer.get("/sign-in")))
    late = clock.now() + LIFE + timedelta(seconds=1)
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: late)
        assert (await surfer.get(back)).status_code == 400


@pytest.mark.spec("SOC-04")
@pytest.mark.parametrize("fault", ["wrong iss in callback", "no iss in callback", "wrong state in callback"])
async def test_an_answer_of_somebody_else_signs_nobody_in(surfer: Surfer, upstream: OpenIdProvider, fault: str) -> None:
    upstream.fault = fault  # type: ignore[assignment]  # one of the faults
    back = await visit(await press(surfer, await surfer.get("/sign-in")))
    assert (await surfer.get(back)).status_code == 400
    assert await signed_in_as(surfer) is None
    assert upstream.asked_at("/token") == []


async def test_a_person_who_says_no_there_is_back_at_the_sign_in_and_can_go_another_way(
    web: Web, surfer: Surfer, trusted: Client, upstream: OpenIdProvider
) -> None:
    await add_person(web, "norma", "norma@example.com", proven=True, roles=("clerk",))
    upstream.fault = "denied"
    page = await sign_in_with(surfer, await surfer.authorize(trusted))

    assert page.status_code == 403
    assert "You did not go on at <bdi>Acme</bdi>" in page.text
    assert "The person said no" not in page.text
    answer = await surfer.client.post("/sign-in", data={**hidden_of(page), "username": "norma", "password": PASSWORD})
    assert returned(await surfer.follow(answer))["state"] == "st-1"


@pytest.mark.spec("SOC-03")
@pytest.mark.parametrize("fault", ["wrong nonce", "wrong aud", "alg none", "foreign key", "HS256 with client secret"])
async def test_a_token_with_a_fault_leads_to_a_page_and_to_no_session(
    surfer: Surfer, upstream: OpenIdProvider, fault: str
) -> None:
    upstream.claims, upstream.fault = somebody(), fault  # type: ignore[assignment]  # one of the faults
    page = await arrived(surfer)
    assert page.status_code == 502
    assert "gave an answer that cannot be used" in page.text
    assert await signed_in_as(surfer) is None


@pytest.mark.spec("SOC-13")
@pytest.mark.parametrize(
    ("trouble", "status"), [("500", 502), ("huge", 502), ("redirect", 502), ("silent", 504), ("hangs up", 504)]
)
async def test_a_provider_in_trouble_is_a_page_and_its_secrets_are_in_no_log(
    surfer: Surfer,
    upstream: OpenIdProvider,
    trouble: str,
    status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    upstream.claims, upstream.troubles = somebody(), {"/token": trouble}  # type: ignore[dict-item]  # as above
    page = await arrived(surfer)

    assert (page.status_code, upstream.went_elsewhere) == (status, 0)
    assert ("retry-after" in page.headers) == (status == 504)
    written = "".join(capsys.readouterr())
    assert "acme" in written
    [asked] = upstream.asked_at("/token")
    secrets = [upstream.client_secret, asked.form["code"], asked.form["code_verifier"], *upstream.sent]
    assert [secret for secret in secrets if secret in written] == []


async def test_a_provider_that_cannot_be_reached_is_a_page_before_anybody_is_sent_there(
    web: Web, surfer: Surfer, upstream: OpenIdProvider
) -> None:
    web.rooms.providers._known.clear()
    web.rooms.providers._read_at = None
    upstream.troubles["/.well-known/openid-configuration"] = "500"
    page = await press(surfer, await surfer.get("/sign-in"))
    assert page.status_code == 502
    upstream.troubles.clear()
    assert (await press(surfer, page)).status_code == 303


async def test_an_unknown_provider_is_a_page(surfer: Surfer) -> None:
    page = await press(surfer, await surfer.get("/sign-in"), "nobody")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.spec("AUD-01")
async def test_a_disabled_person_does_not_get_in(
    web: Web, surfer: Surfer, other_surfer: Surfer, upstream: OpenIdProvider
) -> None:
    upstream.claims = somebody()
    await arrived(surfer)
    user = await web.rooms.directory.get_named(str(upstream.claims["email"]))
    await web.rooms.directory.change(user.id, UserChange(disabled=True), now=clock.now())

    page = await arrived(other_surfer)
    assert page.status_code == 403
    assert "There is no account here" in page.text
    assert (await signed_in_as(surfer), await signed_in_as(other_surfer)) == (None, None)
    [row, *before] = await web.rooms.audit.find(Sought(subject=user.id), before="", limit=9)
    assert (row.kind, row.outcome, row.actor_kind, row.detail["provider"]) == ("sign_in", "refused", "nobody", "acme")
    assert [one.kind for one in before] == ["user.changed", "sign_in", "user.registered"]


@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_a_request_for_a_fresh_sign_in_is_passed_on_and_an_old_one_is_not_taken_for_it(
    web: Web, surfer: Surfer, trusted: Client, upstream: OpenIdProvider
) -> None:
    now = int(clock.now().timestamp())
    upstream.claims = somebody(auth_time=now - 3600)
    page = await surfer.authorize(trusted, prompt="login")
    sent = await press(surfer, page)
    assert (query_of(sent.headers["location"])["prompt"], query_of(sent.headers["location"])["max_age"]) == (
        "login",
        "0",
    )
    stale = await surfer.follow(await surfer.get(await visit(sent)))
    assert stale.status_code == 403
    assert "did not ask you to sign in again" in stale.text

    upstream.claims = {**upstream.claims, "auth_time": now}
    fields = returned(await sign_in_with(surfer, stale))
    assert (await taken(web, fields["code"])).auth_time.timestamp() >= now


@pytest.mark.spec("OIDC Core §2")
async def test_a_session_is_as_old_as_the_provider_says_the_sign_in_is(
    web: Web, surfer: Surfer, trusted: Client, upstream: OpenIdProvider
) -> None:
    earlier = int(clock.now().timestamp()) - 600
    upstream.claims = somebody(auth_time=earlier)
    fields = returned(await sign_in_with(surfer, await surfer.authorize(trusted, max_age="3600")))
    assert (await taken(web, fields["code"])).auth_time.timestamp() == earlier

    page = await surfer.authorize(trusted, max_age="60")
    sent = await press(surfer, page)
    assert query_of(sent.headers["location"])["max_age"] == "60"
    again = await surfer.follow(await surfer.get(await visit(sent)))
    assert again.status_code == 403


async def test_an_account_is_chosen_by_signing_in_to_it_though_that_was_long_ago(
    surfer: Surfer, trusted: Client, upstream: OpenIdProvider
) -> None:
    upstream.claims = somebody(auth_time=int(clock.now().timestamp()) - 600)
    page = await surfer.authorize(trusted, prompt="select_account")
    assert "code" in returned(await sign_in_with(surfer, page))


async def test_the_sign_in_before_ends_when_somebody_signs_in_elsewhere(
    web: Web, surfer: Surfer, trusted: Client, upstream: OpenIdProvider
) -> None:
    await add_person(web, "former", "former@example.com", proven=True)
    await surfer.signed_in("former")
    before = surfer.client.cookies["gp_session"]
    upstream.claims = somebody()
    await sign_in_with(surfer, await surfer.authorize(trusted, prompt="login"))

    assert surfer.client.cookies["gp_session"] != before
    assert await web.rooms.browser_sessions.find(before, now=clock.now()) is None


@pytest.mark.parametrize("racers", [8])
async def test_racing_first_sign_ins_of_one_identity_make_one_account(
    web: Web, upstream: OpenIdProvider, racers: int
) -> None:
    config = (await web.rooms.providers.get("acme", now=clock.now())).config
    identity = Identity(upstream.url, "racing", "racing@example.org", True, username="racer")

    async def come() -> str:
        try:
            return (await web.rooms.arrivals.arrive(identity, config, now=clock.now())).id
        except Refusal as refusal:
            return refusal.code

    found = await asyncio.gather(*(come() for _ in range(racers)))
    assert len(set(found)) == 1
    assert len(await web.rooms.identities.identities_of(found[0])) == 1
