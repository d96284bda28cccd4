"""What a grant of a person gives to a client, whichever way it came about."""

from collections.abc import Mapping
from datetime import datetime

from service.accounts.account import User, Users
from service.clients.client import Client
from service.clients.metadata import REFRESH_TOKEN
from service.codes.grant import AuthorizationGrant
from service.grants.request import Issued, TokenRequest
from service.grants.resources import ResourceRule
from service.protocol.errors import StoreUnavailable
from service.sessions.families import Family
from service.sessions.pairs import TokenPairs
from service.tokens.id_token import IdTokens
from service.tokens.issue import IssuedToken

OPENID = "openid"


class PersonTokens:
    """Opens the session of a grant, and says who the person is where `openid` was granted."""

    def __init__(self, pairs: TokenPairs, id_tokens: IdTokens, users: Users, resources: ResourceRule) -> None:
        self._pairs = pairs
        self._id_tokens = id_tokens
        self._users = users
        self._resources = resources

    async def open(self, grant: AuthorizationGrant, request: TokenRequest) -> Issued:
        """The tokens of a grant that was taken from its desk.

        Raises `InvalidTarget` before anything is opened, and as `TokenPairs.open_granted`: `InvalidGrant`, `Conflict`,
        `StoreUnavailable`.
        """
        client, now = request.client, request.now
        audience = self._resources.of_grant(client, grant.audience, request.resources)
        with_refresh = REFRESH_TOKEN in client.metadata.grant_types
        granted = await self._pairs.open_granted(grant, client, with_refresh=with_refresh, audience=audience, now=now)
        id_token = None
        if OPENID in grant.scopes:
            id_token = self._id_token(
                granted.user, client, grant, nonce=grant.nonce, claims=grant.claims, access=granted.access, now=now
            )
        return Issued(granted.access, granted.user.id, granted.refresh_token, id_token)

    async def refresh(self, family: Family, successor: str, request: TokenRequest, scopes: frozenset[str]) -> Issued:
        """The tokens of a rotated family. Raises `InvalidTarget`."""
        client, now = request.client, request.now
        audience = self._resources.of_grant(client, family.audience, request.resources)
        access = self._pairs.access(family, scopes, audience, client=client, now=now)
        id_token = await self._told_again(family, client, access, scopes, now)
        return Issued(access, family.user_id, successor, id_token)

    async def _told_again(
        self, family: Family, client: Client, access: IssuedToken, scopes: frozenset[str], now: datetime
    ) -> str | None:
        """An id_token as after the sign-in, but for the nonce (OpenID Connect Core §12.2). It may be left out, and is
        while the ledger is away: the common refresh must not need it."""
        if OPENID not in scopes:
            return None
        try:
            user = await self._users.find(family.user_id)
        except StoreUnavailable:
            return None
        if user is None:
            return None
        return self._id_token(user, client, family, nonce=None, claims={}, access=access, now=now)

    def _id_token(
        self,
        user: User,
        client: Client,
        of: AuthorizationGrant | Family,
        *,
        nonce: str | None,
        claims: Mapping[str, object],
        access: IssuedToken,
        now: datetime,
    ) -> str:
        return self._id_tokens.issue(
            user=user,
            client=client,
            nonce=nonce,
            auth_time=of.auth_time,
            amr=of.amr,
            acr=of.acr,
            session_id=of.id if isinstance(of, Family) else of.session_id,
            claims=claims,
            access_token=access.token,
            now=now,
        )
