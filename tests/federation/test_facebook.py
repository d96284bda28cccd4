"""Facebook, asked as its documentation has it: the token is this app's, the app proves itself, no address counts."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from service import clock
from service.federation.facebook import FACEBOOK, FACEBOOK_SCOPES, FacebookProvider
from service.federation.provider import Calls, Identity
from service.federation.refusals import CodeRefused, ForeignAnswer, ProviderFailed
from tests.federation.coming_back import an_attempt, come_back, config_of, sign_in
from tests.servers.facebook import ADA, VERSION, Facebook, Fault
from tests.servers.upstream import standing

pytestmark = pytest.mark.anyio
TOKEN, DEBUG, ME = (f"/{VERSION}/{name}" for name in ("oauth/access_token", "debug_token", "me"))


@pytest.fixture(scope="module")
def stand_in() -> Iterator[Facebook]:
    with standing(Facebook()) as facebook:
        yield facebook


@pytest.fixture
def facebook(stand_in: Facebook) -> Iterator[Facebook]:
    """Facebook without a fault, which has been asked nothing."""
    stand_in.asked.clear()
    stand_in.fault, stand_in.person = None, ADA
    yield stand_in
    stand_in.troubles.clear()


@pytest.fixture
def provider(facebook: Facebook, calls: Calls) -> FacebookProvider:
    return FacebookProvider(config_of(facebook, "facebook", FACEBOOK_SCOPES), calls)


@pytest.mark.spec("SOC-06")
async def test_a_person_is_known_by_number_and_the_address_counts_as_unverified(
    provider: FacebookProvider, facebook: Facebook
) -> None:
    proof = await sign_in(provider)
    assert proof.identity == Identity(
        issuer=facebook.url,
        subject=str(ADA["id"]),
        email="ada@example.org",
        email_verified=False,
        name="Ada Lovelace",
    )
    assert (proof.tokens.access_token, proof.tokens.refresh_token) == (facebook.sent[-1], None)


async def test_no_code_token_or_secret_is_sent_in_an_address(provider: FacebookProvider, facebook: Facebook) -> None:
    await sign_in(provider)
    authorize, *asked = facebook.asked
    assert [(one.method, one.path, one.query) for one in asked] == [("POST", path, {}) for path in (TOKEN, DEBUG, ME)]
    assert authorize.query["scope"] == "email,public_profile"
    assert not [secret for secret in (*facebook.sent, facebook.client_secret) if secret in authorize.query.values()]


@pytest.mark.parametrize(
    ("issuer", "graph"),
    [(FACEBOOK, f"https://graph.facebook.com/{VERSION}"), ("https://fb.example", f"https://fb.example/{VERSION}")],
)
async def test_the_graph_has_a_host_of_its_own(facebook: Facebook, calls: Calls, issuer: str, graph: str) -> None:
    provider = FacebookProvider(config_of(facebook, "facebook", FACEBOOK_SCOPES, issuer=issuer), calls)
    address = await provider.authorization_url(an_attempt(), now=clock.now())
    assert address.startswith(f"{issuer}/{VERSION}/dialog/oauth?")
    assert provider._graph == graph


async def test_who_withholds_the_address_is_known_without_one(provider: FacebookProvider, facebook: Facebook) -> None:
    facebook.fault = "no e-mail"
    identity = (await sign_in(provider)).identity
    assert (identity.subject, identity.email) == (ADA["id"], None)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("token of another app", "another app"),
        ("token of another person", "not whose token"),
        ("token is not valid", "not a valid token"),
        ("no id", "not whose token"),
        ("id is a number", "not whose token"),
        ("no token", "token endpoint"),
        ("right answers with a wrong status", "500"),
    ],
)
async def test_a_token_is_believed_only_when_it_is_this_app_s_and_this_person_s(
    provider: FacebookProvider, facebook: Facebook, fault: Fault, told: str
) -> None:
    facebook.fault = fault
    with pytest.raises(ProviderFailed) as refused:
        await sign_in(provider)
    assert told in refused.value.detail


@pytest.mark.spec("SOC-14")
async def test_a_code_that_came_again_is_refused(provider: FacebookProvider) -> None:
    attempt = an_attempt()
    back = await come_back(provider, attempt)
    await provider.redeem(back["code"], attempt, now=clock.now())
    with pytest.raises(CodeRefused):
        await provider.redeem(back["code"], attempt, now=clock.now())


@pytest.mark.spec("RFC 7636 §4.6")
async def test_a_code_counts_only_for_the_browser_that_has_the_verifier(provider: FacebookProvider) -> None:
    attempt, other = an_attempt(), an_attempt()
    back = await come_back(provider, attempt)
    with pytest.raises(CodeRefused):
        await provider.redeem(back["code"], replace(attempt, code_verifier=other.code_verifier), now=clock.now())


async def test_a_wrong_secret_is_told_apart_from_a_wrong_code(facebook: Facebook, calls: Calls) -> None:
    provider = FacebookProvider(config_of(facebook, "facebook", FACEBOOK_SCOPES, client_secret="another"), calls)
    with pytest.raises(ProviderFailed) as refused:
        await sign_in(provider)
    assert not isinstance(refused.value, CodeRefused)


@pytest.mark.spec("SOC-13")
@pytest.mark.parametrize("path", [TOKEN, DEBUG, ME])
@pytest.mark.parametrize("trouble", ["500", "huge", "gzip bomb", "redirect", "not json", "odd json"])
async def test_trouble_at_any_of_its_endpoints_signs_nobody_in(
    provider: FacebookProvider, facebook: Facebook, path: str, trouble: str
) -> None:
    facebook.troubles[path] = trouble  # type: ignore[assignment]  # each is one
    with pytest.raises(ProviderFailed) as refused:
        await sign_in(provider)
    assert facebook.went_elsewhere == 0
    assert not [secret for secret in (*facebook.sent, facebook.client_secret) if secret in refused.value.detail]


async def test_an_iss_need_not_come_but_must_be_facebook_s(provider: FacebookProvider, facebook: Facebook) -> None:
    for iss in (None, facebook.url):
        await provider.check_issuer(iss, now=clock.now())
    for iss in ("", "https://other.example"):
        with pytest.raises(ForeignAnswer):
            await provider.check_issuer(iss, now=clock.now())


async def test_there_is_nothing_to_refresh(provider: FacebookProvider) -> None:
    with pytest.raises(CodeRefused):
        await provider.refresh("any", now=clock.now())
