"""GitHub, asked as its documentation has it: who it was, whose address is taken for verified, and what is refused."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from service import clock
from service.federation.github import GITHUB_SCOPES, GitHubProvider
from service.federation.provider import Calls, Identity
from service.federation.refusals import CodeRefused, ForeignAnswer, ProviderFailed
from tests.federation.coming_back import an_attempt, come_back, config_of, sign_in
from tests.servers.github import EMAILS, OCTOCAT, Fault, GitHub
from tests.servers.upstream import standing

pytestmark = pytest.mark.anyio
TOKEN, USER, USER_EMAILS = "/login/oauth/access_token", "/api/v3/user", "/api/v3/user/emails"


@pytest.fixture(scope="module")
def stand_in() -> Iterator[GitHub]:
    with standing(GitHub()) as github:
        yield github


@pytest.fixture
def github(stand_in: GitHub) -> Iterator[GitHub]:
    """GitHub without a fault, which has been asked nothing."""
    stand_in.asked.clear()
    stand_in.fault, stand_in.emails, stand_in.user = None, EMAILS, dict(OCTOCAT)
    yield stand_in
    stand_in.troubles.clear()


@pytest.fixture
def provider(github: GitHub, calls: Calls) -> GitHubProvider:
    return GitHubProvider(config_of(github, "github", GITHUB_SCOPES), calls)


async def test_an_account_is_its_number_and_its_address_the_primary_one_that_was_verified(
    provider: GitHubProvider, github: GitHub
) -> None:
    proof = await sign_in(provider)
    assert proof.identity == Identity(
        issuer=github.url,
        subject="583231",
        email="ada@example.org",
        email_verified=True,
        username="octocat",
        name="Ada Lovelace",
    )
    assert proof.auth_time is None
    assert (proof.tokens.access_token, proof.tokens.refresh_token) == (github.sent[-1], None)


async def test_every_request_is_one_that_github_documents(provider: GitHubProvider, github: GitHub) -> None:
    await sign_in(provider)
    authorize, token, user, emails = github.asked
    assert authorize.query["scope"] == "read:user user:email"
    assert (authorize.query["code_challenge_method"], authorize.query["response_type"]) == ("S256", "code")
    assert token.form.keys() == {"client_id", "client_secret", "code", "redirect_uri", "code_verifier"}
    assert token.fields["accept"] == "application/json"
    assert [one.query for one in (token, user, emails)] == [{}, {}, {"per_page": "100"}]
    for one in (user, emails):
        assert one.fields["authorization"] == f"Bearer {github.sent[-1]}"
        assert one.fields["x-github-api-version"] == "2022-11-28"
    sent_in_addresses = [value for one in github.asked for value in one.query.values()]
    assert github.client_secret not in sent_in_addresses


@pytest.mark.parametrize(
    ("issuer", "site", "api"),
    [
        ("https://github.com", "https://github.com", "https://api.github.com"),
        ("https://octo.ghe.com", "https://octo.ghe.com", "https://api.octo.ghe.com"),
        ("https://git.example.org", "https://git.example.org", "https://git.example.org/api/v3"),
        ("https://git.example.org:8443", "https://git.example.org:8443", "https://git.example.org:8443/api/v3"),
    ],
)
async def test_each_installation_has_its_own_addresses(
    github: GitHub, calls: Calls, issuer: str, site: str, api: str
) -> None:
    provider = GitHubProvider(config_of(github, "github", GITHUB_SCOPES, issuer=issuer), calls)
    address = await provider.authorization_url(an_attempt(), now=clock.now())
    assert address.startswith(f"{site}/login/oauth/authorize?")
    assert provider._api == api


@pytest.mark.spec("SOC-06")
@pytest.mark.parametrize(
    ("fault", "email"),
    [("primary unverified", "ada@example.org"), ("no primary", None), ("no e-mails", None)],
)
async def test_no_other_address_takes_the_place_of_a_verified_primary_one(
    provider: GitHubProvider, github: GitHub, fault: Fault, email: str | None
) -> None:
    """Neither another verified one, nor that which the profile shows."""
    github.fault = fault
    identity = (await sign_in(provider)).identity
    assert (identity.subject, identity.email, identity.email_verified) == ("583231", email, False)


async def test_who_withholds_the_addresses_is_known_without_one(provider: GitHubProvider, github: GitHub) -> None:
    github.fault = "e-mail scope withheld"
    identity = (await sign_in(provider)).identity
    assert (identity.subject, identity.email, identity.email_verified) == ("583231", None, False)


@pytest.mark.parametrize("truth", ["true", 1, None])
async def test_an_address_is_verified_by_a_json_true_and_nothing_else(
    provider: GitHubProvider, github: GitHub, truth: object
) -> None:
    github.emails = [{"email": "ada@example.org", "verified": truth, "primary": True}]
    assert not (await sign_in(provider)).identity.email_verified


@pytest.mark.spec("SOC-14")
async def test_a_code_that_came_again_is_refused(provider: GitHubProvider) -> None:
    attempt = an_attempt()
    back = await come_back(provider, attempt)
    await provider.redeem(back["code"], attempt, now=clock.now())
    with pytest.raises(CodeRefused, check=lambda refused: "bad_verification_code" in refused.detail):
        await provider.redeem(back["code"], attempt, now=clock.now())


@pytest.mark.spec("RFC 7636 §4.6")
async def test_a_code_counts_only_for_the_browser_that_has_the_verifier(provider: GitHubProvider) -> None:
    attempt, other = an_attempt(), an_attempt()
    back = await come_back(provider, attempt)
    with pytest.raises(CodeRefused):
        await provider.redeem(back["code"], replace(attempt, code_verifier=other.code_verifier), now=clock.now())


async def test_a_wrong_secret_is_told_apart_from_a_wrong_code(github: GitHub, calls: Calls) -> None:
    provider = GitHubProvider(config_of(github, "github", GITHUB_SCOPES, client_secret="another"), calls)
    with pytest.raises(ProviderFailed) as refused:
        await sign_in(provider)
    assert not isinstance(refused.value, CodeRefused)
    assert "incorrect_client_credentials" in refused.value.detail


@pytest.mark.parametrize(
    "fault",
    [
        "no id",
        "id is text",
        "id is zero",
        "emails are an object",
        "token of another type",
        "no token",
        "error of its own",
    ],
)
async def test_an_answer_that_is_not_documented_signs_nobody_in(
    provider: GitHubProvider, github: GitHub, fault: Fault
) -> None:
    github.fault = fault
    with pytest.raises(ProviderFailed) as refused:
        await sign_in(provider)
    assert not [secret for secret in (*github.sent, github.client_secret) if secret in refused.value.detail]


@pytest.mark.spec("SOC-13")
@pytest.mark.parametrize("path", [TOKEN, USER, USER_EMAILS])
@pytest.mark.parametrize("trouble", ["500", "huge", "gzip bomb", "redirect", "not json", "odd json"])
async def test_trouble_at_any_of_its_endpoints_signs_nobody_in(
    provider: GitHubProvider, github: GitHub, path: str, trouble: str
) -> None:
    github.troubles[path] = trouble  # type: ignore[assignment]  # each is one
    with pytest.raises(ProviderFailed) as refused:
        await sign_in(provider)
    assert github.went_elsewhere == 0
    assert not [secret for secret in (*github.sent, github.client_secret) if secret in refused.value.detail]


async def test_an_iss_need_not_come_but_must_be_github_s(provider: GitHubProvider, github: GitHub) -> None:
    for iss in (None, github.url, f"{github.url}/login/oauth"):
        await provider.check_issuer(iss, now=clock.now())
    for iss in ("", "https://other.example", f"{github.url}/", f"{github.url}.example.org"):
        with pytest.raises(ForeignAnswer):
            await provider.check_issuer(iss, now=clock.now())


async def test_a_fresh_sign_in_lets_the_person_choose_the_account(provider: GitHubProvider) -> None:
    asked = [await provider.authorization_url(an_attempt(fresh=fresh), now=clock.now()) for fresh in (True, False)]
    assert [parse_qs(urlsplit(one).query).get("prompt") for one in asked] == [["select_account"], None]


async def test_a_refusal_of_a_refresh_token_is_told(provider: GitHubProvider) -> None:
    with pytest.raises(CodeRefused):
        await provider.refresh("ghr_unknown", now=clock.now())
