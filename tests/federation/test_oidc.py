"""A plain OpenID provider, asked over loopback: what is believed of it, and each thing that is not."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import get_args
from urllib.parse import parse_qs, urlsplit

import pytest

from service import clock
from service.federation.discovery import KEYS_LIFE, LOOK_AGAIN_AFTER, METADATA_LIFE
from service.federation.kinds import OPENID_SCOPES
from service.federation.oidc import OpenIdProvider
from service.federation.provider import Calls
from service.federation.refusals import CodeRefused, ForeignAnswer, ProviderFailed, ProviderSilent
from service.protocol.errors import Refusal
from tests.federation.coming_back import CALLBACK, an_attempt, asking, come_back, config_of, sign_in
from tests.servers.id_tokens import TokenFault
from tests.servers.openid_provider import ADA, Fault
from tests.servers.openid_provider import OpenIdProvider as Upstream
from tests.servers.upstream import Trouble, standing

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)
PATIENCE = timedelta(milliseconds=400)
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with standing(Upstream()) as upstream:
        yield upstream


@pytest.fixture(scope="module")
async def hasty_calls() -> AsyncIterator[Calls]:
    async with asking(PATIENCE) as calls:
        yield calls


def provider_of(upstream: Upstream, calls: Calls, **changed: object) -> OpenIdProvider:
    return OpenIdProvider(config_of(upstream, "oidc", OPENID_SCOPES, **changed), calls)


@pytest.mark.spec("OIDC Core §3.1.3.7")
async def test_a_person_is_whom_the_id_token_names_at_this_issuer(upstream: Upstream, calls: Calls) -> None:
    proof = await sign_in(provider_of(upstream, calls))

    assert (proof.identity.issuer, proof.identity.subject) == (upstream.url, ADA["sub"])
    assert (proof.identity.email, proof.identity.email_verified) == ("ada@example.org", True)
    assert proof.identity.name == "Ada Lovelace"
    assert proof.tokens.access_token in upstream.sent
    assert upstream.asked_at("/userinfo") == []


@pytest.mark.spec("RFC 7636 §4.3")
async def test_the_browser_is_sent_with_state_nonce_and_pkce_and_asks_for_a_fresh_sign_in_when_that_is_due(
    upstream: Upstream, calls: Calls
) -> None:
    provider = provider_of(upstream, calls)
    attempt = an_attempt(fresh=True)
    asked = parse_qs(urlsplit(await provider.authorization_url(attempt, now=clock.now())).query)
    aged = replace(attempt, fresh=False, max_age=timedelta(minutes=5), login_hint="ada")
    later = parse_qs(urlsplit(await provider.authorization_url(aged, now=clock.now())).query)

    assert asked == {
        "response_type": ["code"],
        "client_id": [upstream.client_id],
        "redirect_uri": [CALLBACK],
        "scope": ["openid email profile"],
        "state": [attempt.state],
        "nonce": [attempt.nonce],
        "code_challenge": [attempt.code_challenge],
        "code_challenge_method": ["S256"],
        "prompt": ["login"],
        "max_age": ["0"],
    }
    assert (later["max_age"], later["login_hint"], "prompt" in later) == (["300"], ["ada"], False)


@pytest.mark.spec("SOC-03")
@pytest.mark.spec("SOC-05")
@pytest.mark.spec("OIDC Core §3.1.3.7")
@pytest.mark.parametrize("fault", [*get_args(TokenFault), "no id token"])
async def test_an_id_token_with_anything_wrong_in_it_signs_nobody_in(
    upstream: Upstream, calls: Calls, fault: Fault
) -> None:
    provider = provider_of(upstream, calls)
    await sign_in(provider)
    upstream.fault = fault
    with pytest.raises(ProviderFailed) as refused:
        await sign_in(provider)

    upstream.fault = None
    await sign_in(provider)
    for secret in upstream.sent:
        assert secret not in refused.value.detail


@pytest.mark.spec("SOC-04")
@pytest.mark.spec("RFC 9207 §2.4")
async def test_an_answer_of_another_issuer_is_refused_and_so_is_one_of_nobody_where_the_provider_names_itself(
    upstream: Upstream, calls: Calls
) -> None:
    provider = provider_of(upstream, calls)
    await provider.check_issuer(upstream.url, now=clock.now())
    for iss in (None, "", "https://other.example", f"{upstream.url}/"):
        with pytest.raises(ForeignAnswer):
            await provider.check_issuer(iss, now=clock.now())

    upstream.metadata = {"authorization_response_iss_parameter_supported": None}
    silent = provider_of(upstream, calls)
    await silent.check_issuer(None, now=clock.now())
    with pytest.raises(ForeignAnswer):
        await silent.check_issuer("https://other.example", now=clock.now())


async def test_a_code_is_redeemed_once(upstream: Upstream, calls: Calls) -> None:
    provider, attempt = provider_of(upstream, calls), an_attempt()
    back = await come_back(provider, attempt)
    await provider.redeem(back["code"], attempt, now=clock.now())
    with pytest.raises(CodeRefused):
        await provider.redeem(back["code"], attempt, now=clock.now())


@pytest.mark.spec("OIDC Core §5.3.2")
async def test_user_info_is_asked_for_an_address_and_counts_only_when_it_is_about_the_same_person(
    upstream: Upstream, calls: Calls
) -> None:
    provider = provider_of(upstream, calls)
    upstream.claims = {"sub": ADA["sub"]}
    poor = await sign_in(provider)
    assert (poor.identity.email, len(upstream.asked_at("/userinfo"))) == (None, 1)
    assert upstream.asked_at("/userinfo")[0].fields["authorization"] == f"Bearer {poor.tokens.access_token}"

    upstream.fault = "another sub in userinfo"
    with pytest.raises(ProviderFailed):
        await sign_in(provider)


@pytest.mark.spec("VER-02")
@pytest.mark.parametrize("said", [None, False, "true", 1, "yes", {}])
async def test_an_address_is_verified_by_a_json_true_and_by_nothing_else(
    upstream: Upstream, calls: Calls, said: object
) -> None:
    upstream.claims = {**ADA, "email_verified": said}
    proof = await sign_in(provider_of(upstream, calls))

    assert (proof.identity.email, proof.identity.email_verified) == ("ada@example.org", False)


@pytest.mark.spec("OIDC Discovery §4.3")
async def test_metadata_of_another_issuer_or_without_an_endpoint_is_not_used(upstream: Upstream, calls: Calls) -> None:
    for change in (
        {"issuer": "https://other.example"},
        {"issuer": f"{upstream.url}/"},
        {"token_endpoint": None},
        {"authorization_endpoint": 1},
        {"jwks_uri": ""},
        {"userinfo_endpoint": ["x"]},
    ):
        upstream.metadata = change
        with pytest.raises(ProviderFailed):
            await provider_of(upstream, calls).authorization_url(an_attempt(), now=clock.now())


async def test_an_endpoint_that_is_not_https_is_not_asked_though_the_metadata_names_it(
    upstream: Upstream, calls: Calls
) -> None:
    for place in ("http://192.0.2.7/token", "ftp://127.0.0.1/", "https://user@192.0.2.7/", "//x", "https://[::1"):
        upstream.metadata = {"token_endpoint": place}
        with pytest.raises(ProviderFailed):
            await sign_in(provider_of(upstream, calls))


async def test_metadata_and_keys_are_asked_for_once_and_again_when_they_are_old(
    upstream: Upstream, calls: Calls
) -> None:
    provider = provider_of(upstream, calls)
    for _ in range(3):
        await sign_in(provider)
    assert (len(upstream.asked_at(DISCOVERY)), len(upstream.asked_at("/jwks"))) == (1, 1)

    now = clock.now() + METADATA_LIFE + SECOND
    await provider.authorization_url(an_attempt(), now=now)
    await provider._discovery.keys("first", now=clock.now() + KEYS_LIFE + SECOND)
    assert (len(upstream.asked_at(DISCOVERY)), len(upstream.asked_at("/jwks"))) == (2, 2)


async def test_who_comes_while_a_provider_is_asked_waits_for_the_same_answer(upstream: Upstream, calls: Calls) -> None:
    upstream.troubles[DISCOVERY] = "500"
    provider = provider_of(upstream, calls)
    asked = [provider.authorization_url(an_attempt(), now=clock.now()) for _ in range(20)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(answer) for answer in answers} == {ProviderFailed}
    assert len(upstream.asked_at(DISCOVERY)) == 1

    upstream.troubles.clear()
    (gone, *others) = [
        asyncio.ensure_future(provider.authorization_url(an_attempt(), now=clock.now())) for _ in range(3)
    ]
    await asyncio.sleep(0)
    gone.cancel()
    assert len(await asyncio.gather(*others)) == 2
    assert len(upstream.asked_at(DISCOVERY)) == 2


async def test_a_new_key_is_looked_for_and_not_each_time_that_a_token_names_an_unknown_one(
    upstream: Upstream, calls: Calls
) -> None:
    provider, now = provider_of(upstream, calls), clock.now()
    await provider._discovery.keys("first", now=now)
    for _ in range(5):
        await provider._discovery.keys("unknown", now=now + LOOK_AGAIN_AFTER)
    assert len(upstream.asked_at("/jwks")) == 1

    upstream.rotate()
    found = await provider._discovery.keys(upstream.kid, now=now + LOOK_AGAIN_AFTER + SECOND)
    assert found.find(upstream.kid) is not None
    assert found.find("first") is None
    assert len(upstream.asked_at("/jwks")) == 2


@pytest.mark.spec("RFC 6749 §2.3.1")
async def test_the_secret_goes_where_the_provider_takes_it(upstream: Upstream, calls: Calls) -> None:
    await sign_in(provider_of(upstream, calls))
    upstream.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    await sign_in(provider_of(upstream, calls))

    first, second = upstream.asked_at("/token")
    assert first.fields["authorization"].startswith("Basic ")
    assert "client_secret" not in first.form
    assert second.form["client_secret"] == upstream.client_secret
    assert "authorization" not in second.fields


@pytest.mark.spec("SOC-13")
@pytest.mark.spec("SSRF-04")
@pytest.mark.parametrize("path", [DISCOVERY, "/token", "/jwks", "/userinfo"])
@pytest.mark.parametrize("trouble", get_args(Trouble))
async def test_a_provider_in_trouble_is_given_up_in_bounded_time_and_space(
    upstream: Upstream, calls: Calls, hasty_calls: Calls, path: str, trouble: Trouble
) -> None:
    upstream.claims = {"sub": "1"}
    upstream.troubles[path] = trouble
    waits = trouble in ("silent", "dribbles")
    began = time.monotonic()
    with pytest.raises((ProviderFailed, ProviderSilent)) as refused:
        await sign_in(provider_of(upstream, hasty_calls if waits else calls))

    assert time.monotonic() - began < 30
    assert upstream.went_elsewhere == 0
    assert isinstance(refused.value, ProviderSilent) == (waits or trouble == "hangs up")
    _tells_no_secret(refused.value, upstream)


@pytest.mark.spec("SOC-13")
async def test_an_answer_is_read_up_to_a_hundred_kilobytes_and_no_further(upstream: Upstream, calls: Calls) -> None:
    upstream.metadata = {"padding": "x" * 99_000}
    await sign_in(provider_of(upstream, calls))
    upstream.metadata = {"padding": "x" * 100_000}
    with pytest.raises(ProviderFailed):
        await sign_in(provider_of(upstream, calls))


async def test_kept_tokens_are_refreshed_and_a_refused_refresh_token_is_told_apart(
    upstream: Upstream, calls: Calls
) -> None:
    provider = provider_of(upstream, calls, scopes=(*OPENID_SCOPES, "offline_access"))
    before = (await sign_in(provider)).tokens
    assert before.refresh_token is not None
    assert before.expires_at is not None
    after = await provider.refresh(before.refresh_token, now=clock.now())
    assert after.access_token != before.access_token
    with pytest.raises(CodeRefused):
        await provider.refresh(before.refresh_token, now=clock.now())


def _tells_no_secret(refusal: Refusal, upstream: Upstream) -> None:
    told = f"{refusal.detail} {refusal.public}"
    assert not any(secret in told for secret in [*upstream.sent, upstream.client_secret])
