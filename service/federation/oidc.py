"""Any OpenID provider, by what it announces: authorization code, PKCE, nonce, id_token (OpenID Connect Core §3.1)."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import quote_plus, urlencode

from service.federation.discovery import Discovery, Metadata
from service.federation.id_token import (
    Expected,
    auth_time_of,
    check_id_token,
    kid_of,
    parse_id_token,
)
from service.federation.provider import Attempt, Calls, Identity, Proof, ProviderConfig, Reply, UpstreamTokens
from service.federation.refusals import CodeRefused, ForeignAnswer, ProviderFailed

_LONGEST_TOKEN = 16 * 1024
_LONGEST_TEXT = 500


class OpenIdProvider:
    """Keeps `Provider` for every provider with discovery."""

    def __init__(self, config: ProviderConfig, calls: Calls) -> None:
        self.config = config
        self._calls = calls
        self._discovery = Discovery(config.issuer, calls)

    async def authorization_url(self, attempt: Attempt, *, now: datetime) -> str:
        """See `Provider.authorization_url`."""
        endpoint = (await self._discovery.metadata(now=now)).authorization_endpoint
        asked = {
            "response_type": "code",
            "client_id": self.config.client_id,
            "redirect_uri": attempt.redirect_uri,
            "scope": " ".join(self.config.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.code_challenge,
            "code_challenge_method": "S256",
        }
        if attempt.fresh:
            asked |= {"prompt": "login", "max_age": "0"}
        elif attempt.max_age is not None:
            asked["max_age"] = str(int(attempt.max_age.total_seconds()))
        if attempt.login_hint:
            asked["login_hint"] = attempt.login_hint
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def check_issuer(self, iss: str | None, *, now: datetime) -> None:
        """See `Provider.check_issuer`."""
        if iss is None and not (await self._discovery.metadata(now=now)).sends_issuer:
            return
        if iss != self.config.issuer:
            raise ForeignAnswer(detail=f"{self.config.name}: iss is missing or another's")

    async def redeem(self, code: str, attempt: Attempt, *, now: datetime) -> Proof:
        """See `Provider.redeem`. UserInfo is asked when the id_token tells no address."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": attempt.redirect_uri,
            "code_verifier": attempt.code_verifier,
        }
        metadata = await self._discovery.metadata(now=now)
        answer = await self._token(metadata, form)
        tokens = tokens_of(answer, now=now)
        parsed = parse_id_token(answer.get("id_token"))
        keys = await self._discovery.keys(kid_of(parsed), now=now)
        expected = Expected(metadata.issuer, self.config.client_id, attempt.nonce, tokens.access_token)
        claims = check_id_token(parsed, keys, expected, now=now)
        if "email" not in claims and metadata.userinfo_endpoint is not None:
            claims = {**await self._userinfo(metadata.userinfo_endpoint, tokens, str(claims["sub"])), **claims}
        return Proof(identity_of(claims, metadata.issuer), tokens, auth_time_of(claims))

    async def refresh(self, refresh_token: str, *, now: datetime) -> UpstreamTokens:
        """See `Provider.refresh`."""
        metadata = await self._discovery.metadata(now=now)
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return tokens_of(await self._token(metadata, form), now=now)

    async def _token(self, metadata: Metadata, form: Mapping[str, str]) -> Mapping[str, object]:
        headers, form = authenticated(self.config, form, secret_in_form=metadata.secret_in_form)
        return token_answer(await self._calls.post(metadata.token_endpoint, form, headers=headers))

    async def _userinfo(self, uri: str, tokens: UpstreamTokens, subject: str) -> Mapping[str, object]:
        """The claims of UserInfo, which count only when they are about the same person (§5.3.2)."""
        reply = await self._calls.get(uri, headers={"Authorization": f"Bearer {tokens.access_token}"})
        if reply.status != 200:
            raise ProviderFailed(detail=f"UserInfo answers {reply.status}")
        if reply.document.get("sub") != subject:
            raise ProviderFailed(detail="UserInfo is about somebody else")
        return reply.document


def authenticated(
    config: ProviderConfig, form: Mapping[str, str], *, secret_in_form: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """Fields and form of a request to a token endpoint, with what proves that it is we (RFC 6749 §2.3.1)."""
    if not config.client_secret:
        return {}, {**form, "client_id": config.client_id}
    if secret_in_form:
        return {}, {**form, "client_id": config.client_id, "client_secret": config.client_secret}
    pair = f"{quote_plus(config.client_id)}:{quote_plus(config.client_secret)}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}, dict(form)


def token_answer(reply: Reply) -> Mapping[str, object]:
    """The members of a token answer. Raises `CodeRefused` for `invalid_grant`, `ProviderFailed` for all else but a 200
    (RFC 6749 §5)."""
    if reply.status == 400 and reply.document.get("error") == "invalid_grant":
        raise CodeRefused(detail="the token endpoint answers invalid_grant")
    if reply.status != 200 or not reply.document:
        raise ProviderFailed(detail=f"the token endpoint answers {reply.status}")
    return reply.document


def tokens_of(answer: Mapping[str, object], *, now: datetime) -> UpstreamTokens:
    """The tokens of a token answer (RFC 6749 §5.1). Raises `ProviderFailed`."""
    access, refresh, lives = answer.get("access_token"), answer.get("refresh_token"), answer.get("expires_in")
    is_bearer = str(answer.get("token_type", "")).lower() == "bearer"
    if not isinstance(access, str) or not 0 < len(access) <= _LONGEST_TOKEN or not access.isascii() or not is_bearer:
        raise ProviderFailed(detail="the token endpoint gives no bearer token")
    is_span = isinstance(lives, int) and not isinstance(lives, bool) and 0 < lives < 10**9
    return UpstreamTokens(
        access_token=access,
        refresh_token=refresh if isinstance(refresh, str) and 0 < len(refresh) <= _LONGEST_TOKEN else None,
        expires_at=now + timedelta(seconds=lives) if is_span and isinstance(lives, int) else None,
        scope=text_of(answer, "scope"),
    )


def identity_of(claims: Mapping[str, object], issuer: str) -> Identity:
    """The identity in standard claims (§5.1). An address counts as verified by a JSON true and by nothing else."""
    email = text_of(claims, "email")
    return Identity(
        issuer=issuer,
        subject=str(claims["sub"]),
        email=email or None,
        email_verified=bool(email) and claims.get("email_verified") is True,
        username=text_of(claims, "preferred_username"),
        name=text_of(claims, "name"),
        picture=text_of(claims, "picture"),
    )


def text_of(claims: Mapping[str, object], name: str) -> str:
    """A claim that is a text of one printable line; empty for anything else."""
    value = claims.get(name)
    is_line = isinstance(value, str) and len(value) <= _LONGEST_TEXT and value.isprintable()
    return value.strip() if is_line and isinstance(value, str) else ""
