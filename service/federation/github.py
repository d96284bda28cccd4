"""GitHub, which speaks OAuth 2.0 without OpenID Connect: who signed in is asked of its API.

What is peculiar to it: errors of the token endpoint come with status 200, and the address in a profile is whatever its
owner likes to show; which addresses are whose is told by `/user/emails` alone. Source: GitHub's documentation,
"Authorizing OAuth apps", "REST API endpoints for users" and "… for emails".
"""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from service.federation.oidc import text_of, token_answer, tokens_of
from service.federation.provider import Attempt, Calls, Identity, Proof, ProviderConfig, Reply, UpstreamTokens
from service.federation.refusals import CodeRefused, ForeignAnswer, ProviderFailed

GITHUB = "https://github.com"
GITHUB_SCOPES = ("read:user", "user:email")
_DATA_RESIDENCY = ".ghe.com"
_SPENT = ("bad_verification_code", "bad_refresh_token")
_OTHERS = ("incorrect_client_credentials", "redirect_uri_mismatch", "unverified_user_email", "unsupported_grant_type")


class GitHubProvider:
    """Keeps `Provider` for github.com, or for the GitHub Enterprise whose address is the issuer.

    An identity is the number of an account: a login name can be given up and taken by somebody else.
    """

    def __init__(self, config: ProviderConfig, calls: Calls) -> None:
        self.config = config
        self._calls = calls
        self._site = config.issuer.rstrip("/")
        self._api = _api_of(self._site)

    async def authorization_url(self, attempt: Attempt, *, now: datetime) -> str:
        """See `Provider.authorization_url`. It cannot be told to ask for the password again, only which account."""
        asked = {
            "response_type": "code",
            "client_id": self.config.client_id,
            "redirect_uri": attempt.redirect_uri,
            "scope": " ".join(self.config.scopes),
            "state": attempt.state,
            "code_challenge": attempt.code_challenge,
            "code_challenge_method": "S256",
        } | ({"prompt": "select_account"} if attempt.fresh else {})
        return f"{self._site}/login/oauth/authorize?{urlencode(asked)}"

    async def check_issuer(self, iss: str | None, *, now: datetime) -> None:
        """See `Provider.check_issuer`. Its authorization server calls itself by the address and `/login/oauth`."""
        if iss is not None and iss not in (self._site, f"{self._site}/login/oauth"):
            raise ForeignAnswer(detail="iss is not GitHub's")

    async def redeem(self, code: str, attempt: Attempt, *, now: datetime) -> Proof:
        """See `Provider.redeem`."""
        asked = {"code": code, "redirect_uri": attempt.redirect_uri, "code_verifier": attempt.code_verifier}
        tokens = await self._tokens(asked, now=now)
        headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Authorization": f"Bearer {tokens.access_token}",
        }
        user = await self._calls.get(f"{self._api}/user", headers=headers)
        emails = await self._calls.get(f"{self._api}/user/emails", query={"per_page": "100"}, headers=headers)
        return Proof(self._identity(user, _primary_of(emails)), tokens)

    async def refresh(self, refresh_token: str, *, now: datetime) -> UpstreamTokens:
        """See `Provider.refresh`. Only apps whose tokens expire are given any."""
        asked = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._tokens(asked, now=now)

    async def _tokens(self, asked: Mapping[str, str], *, now: datetime) -> UpstreamTokens:
        client = {"client_id": self.config.client_id, "client_secret": self.config.client_secret}
        reply = await self._calls.post(f"{self._site}/login/oauth/access_token", {**client, **asked})
        error = reply.document.get("error")
        if error in _SPENT:
            raise CodeRefused(detail=f"the token endpoint answers {error}")
        if error is not None:
            known = error if error in _OTHERS else "an error that is not documented"
            raise ProviderFailed(detail=f"the token endpoint answers {known}")
        return tokens_of(token_answer(reply), now=now)

    def _identity(self, reply: Reply, primary: tuple[str | None, bool]) -> Identity:
        user, number = reply.document, reply.document.get("id")
        if reply.status != 200 or type(number) is not int or number < 1:
            raise ProviderFailed(detail=f"/user: {reply.status}, without a number")
        email, verified = primary
        return Identity(
            issuer=self._site,
            subject=str(number),
            email=email,
            email_verified=verified,
            username=text_of(user, "login"),
            name=text_of(user, "name"),
            picture=text_of(user, "avatar_url"),
        )


def _primary_of(reply: Reply) -> tuple[str | None, bool]:
    """The primary address, and whether it has been verified. None when the person did not let us see any."""
    if reply.status in (403, 404):
        return None, False
    if reply.status != 200 or not isinstance(reply.value, list):
        raise ProviderFailed(detail=f"/user/emails: {reply.status}, or not a list")
    for one in reply.value:
        if isinstance(one, dict) and one.get("primary") is True:
            return text_of(one, "email") or None, one.get("verified") is True
    return None, False


def _api_of(site: str) -> str:
    """Where the REST API is: github.com and its tenants have a host for it, an Enterprise Server a path."""
    parts = urlsplit(site)
    own_host = site == GITHUB or (parts.hostname or "").endswith(_DATA_RESIDENCY)
    return f"{parts.scheme}://api.{parts.netloc}" if own_host else f"{site}/api/v3"
