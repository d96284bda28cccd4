"""What a grant of a person gives to a client, whichever way it came about."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from service.accounts.account import User, Users
from service.bounded import Bounded
from service.clients.client import Client
from service.clients.metadata import REFRESH_TOKEN
from service.codes.grant import AuthorizationGrant
from service.grants.request import Issued, TokenRequest, narrowed
from service.grants.resources import ResourceRule
from service.protocol.errors import StoreUnavailable
from service.sessions.families import Family
from service.sessions.pairs import TokenPairs
from service.tokens.id_token import IdTokens
from service.tokens.issue import AccessTokenDraft, IssuedToken

OPENID = "openid"


class Wanted(NamedTuple):
    """What a client asks of a grant that it has: fewer scopes (None: all), and for whom."""

    client: Client
    scopes: frozenset[str] | None
    resources: tuple[str, ...]


class _Known(NamedTuple):
    family: Family
    wanted: Wanted
    draft: AccessTokenDraft


class PersonTokens:
    """Opens the session of a grant, and says who the person is where `openid` was granted."""

    def __init__(self, pairs: TokenPairs, id_tokens: IdTokens, users: Users, resources: ResourceRule) -> None:
        self._pairs = pairs
        self._id_tokens = id_tokens
        self._users = users
        self._resources = resources
        self._drafts: Bounded[str, _Known] = Bounded()

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

    async def refresh(self, family: Family, successor: str, wanted: Wanted, *, now: datetime) -> Issued:
        """The tokens of a rotated family. Raises as `draft`."""
        draft = self.draft(family, wanted)
        issued = self.refresh_access(draft, family, successor, now=now)
        id_token = await self._told_again(family, wanted.client, issued.access, draft.scopes, now)
        return issued if id_token is None else issued._replace(id_token=id_token)

    def refresh_access(self, draft: AccessTokenDraft, family: Family, successor: str, *, now: datetime) -> Issued:
        """The same without an id_token."""
        return Issued(self._pairs.issue(draft, family, now=now), family.user_id, successor)

    def draft(self, family: Family, wanted: Wanted) -> AccessTokenDraft:
        """What access tokens of a family say; remembered as long as the family and what is wanted are the same objects.
        Raises `InvalidScope`, `InvalidTarget`."""
        known = self._drafts.get(family.id)
        if known is not None and known.family is family and known.wanted is wanted:
            return known.draft
        scopes, client = narrowed(family.scopes, wanted.scopes), wanted.client
        audience = self._resources.of_grant(client, family.audience, wanted.resources)
        draft = self._pairs.draft(family, scopes, audience, client=client)
        self._drafts.keep(family.id, _Known(family, wanted, draft))
        return draft

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
