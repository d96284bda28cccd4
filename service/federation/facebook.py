"""Facebook, whose Graph API tells who signed in, to an app that proves its secret.

What is peculiar to it: a token is asked about before it is believed, because a token of any other app looks the same
(`debug_token`); every call carries a proof of the app's secret (`appsecret_proof`); and nothing documented says that an
address has been verified, so that none counts as such. Source: Facebook's documentation, "Manually build a login flow"
and "Secure Graph API calls".
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from service.federation.oidc import text_of, token_answer, tokens_of
from service.federation.provider import Attempt, Calls, Identity, Proof, ProviderConfig, UpstreamTokens
from service.federation.refusals import CodeRefused, ForeignAnswer, ProviderFailed

FACEBOOK = "https://www.facebook.com"
FACEBOOK_SCOPES = ("email", "public_profile")
_GRAPH = "https://graph.facebook.com"
_VERSION = "v24.0"
_INVALID_PARAMETER = 100  # what a used or outlived code is


class FacebookProvider:
    """Keeps `Provider` for Facebook. An identity is the number of a person in this app."""

    def __init__(self, config: ProviderConfig, calls: Calls) -> None:
        self.config = config
        self._calls = calls
        self._site = config.issuer.rstrip("/")
        self._graph = f"{_GRAPH if self._site == FACEBOOK else self._site}/{_VERSION}"

    async def authorization_url(self, attempt: Attempt, *, now: datetime) -> str:
        """See `Provider.authorization_url`."""
        asked = {
            "response_type": "code",
            "client_id": self.config.client_id,
            "redirect_uri": attempt.redirect_uri,
            "scope": ",".join(self.config.scopes),
            "state": attempt.state,
            "code_challenge": attempt.code_challenge,
            "code_challenge_method": "S256",
        } | ({"auth_type": "reauthenticate"} if attempt.fresh else {})
        return f"{self._site}/{_VERSION}/dialog/oauth?{urlencode(asked)}"

    async def check_issuer(self, iss: str | None, *, now: datetime) -> None:
        """See `Provider.check_issuer`."""
        if iss is not None and iss != self._site:
            raise ForeignAnswer(detail="iss is not Facebook's")

    async def redeem(self, code: str, attempt: Attempt, *, now: datetime) -> Proof:
        """See `Provider.redeem`."""
        tokens = await self._tokens(code, attempt, now=now)
        subject = await self._subject_of(tokens.access_token)
        person = await self._person(tokens.access_token)
        if person.get("id") != subject:
            raise ProviderFailed(detail="/me is not whose token it is")
        email, name = text_of(person, "email") or None, text_of(person, "name")
        return Proof(Identity(self._site, subject, email=email, name=name), tokens)

    async def refresh(self, refresh_token: str, *, now: datetime) -> UpstreamTokens:
        """See `Provider.refresh`. Facebook gives out no refresh tokens."""
        raise CodeRefused(detail="Facebook has no refresh tokens")

    async def _tokens(self, code: str, attempt: Attempt, *, now: datetime) -> UpstreamTokens:
        asked = {
            "client_id": self.config.client_id,
            "client_secret": self.config.client_secret,
            "redirect_uri": attempt.redirect_uri,
            "code": code,
            "code_verifier": attempt.code_verifier,
        }
        reply = await self._calls.post(f"{self._graph}/oauth/access_token", asked)
        error = reply.document.get("error")
        if isinstance(error, dict) and error.get("code") == _INVALID_PARAMETER:
            raise CodeRefused(detail=f"the token endpoint answers error {_INVALID_PARAMETER}")
        return tokens_of(token_answer(reply), now=now)

    async def _subject_of(self, access_token: str) -> str:
        """Whose token this is, if it is a good one and this app's."""
        app = f"{self.config.client_id}|{self.config.client_secret}"
        told = (await self._graph_get("debug_token", input_token=access_token, access_token=app)).get("data")
        if not isinstance(told, dict) or told.get("is_valid") is not True:
            raise ProviderFailed(detail="debug_token: not a valid token")
        if told.get("app_id") != self.config.client_id:
            raise ProviderFailed(detail="debug_token: a token of another app")
        subject = told.get("user_id")
        if not isinstance(subject, str) or not subject.isdecimal() or not subject.isascii():
            raise ProviderFailed(detail="debug_token: nobody's token")
        return subject

    async def _person(self, access_token: str) -> Mapping[str, object]:
        proof = hmac.new(self.config.client_secret.encode(), access_token.encode(), hashlib.sha256).hexdigest()
        return await self._graph_get("me", fields="id,name,email", access_token=access_token, appsecret_proof=proof)

    async def _graph_get(self, path: str, **asked: str) -> Mapping[str, object]:
        """A GET that travels as a POST, as Facebook's own libraries send it: what is asked holds secrets, and an
        address is no place for them."""
        reply = await self._calls.post(f"{self._graph}/{path}", {"method": "GET", **asked})
        if reply.status != 200:
            error = reply.document.get("error")
            number = error.get("code") if isinstance(error, dict) else None
            raise ProviderFailed(detail=f"{path}: {reply.status}, error {number if type(number) is int else None}")
        return reply.document
