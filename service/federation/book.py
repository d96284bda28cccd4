"""An account's linked identities, as its owner sees them: listing, unlinking, and what is kept of their tokens."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from service.accounts.account import User, Users
from service.audit.event import Event, Kind
from service.federation.directory import ProviderDirectory
from service.federation.identities import Identities, LinkedIdentity
from service.federation.provider import UpstreamTokens
from service.federation.refusals import CodeRefused, LastWayIn
from service.protocol.errors import NotFound
from service.revocation.acts import Acts

_REFRESHED_BEFORE = timedelta(seconds=30)


class IdentityBook:
    """Every act of a person on their own identities, but for linking one (`desk.py`, `arrivals.py`)."""

    def __init__(self, acts: Acts, users: Users, identities: Identities, providers: ProviderDirectory) -> None:
        self._acts = acts
        self._users = users
        self._identities = identities
        self._providers = providers
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def identities_of(self, user_id: str) -> Sequence[LinkedIdentity]:
        """In the order in which they were linked."""
        return await self._identities.of(user_id)

    async def unlink(self, user_id: str, identity_id: str, *, now: datetime) -> None:
        """Raises `NotFound`, and `LastWayIn` when the account would have neither a password nor another identity of a
        provider that is offered, also under racing calls."""
        offered = {config.name for config in await self._providers.offered(now=now)}
        async with self._acts.begin(now) as act:
            user = await self._users.find_locked(act.tx, user_id)
            linked = await self._identities.of_locked(act.tx, user_id) if user is not None else ()
            if user is None or not any(one.id == identity_id for one in linked):
                raise NotFound(public="There is no such identity.")
            if not _has_another_way(user, [one for one in linked if one.id != identity_id], offered):
                raise LastWayIn
            await self._identities.remove(act.tx, identity_id)
            await act.note(Event(Kind.IDENTITY_UNLINKED, subject=user_id, target=f"identity:{identity_id}"))

    async def upstream_token(self, user_id: str, identity_id: str, *, now: datetime) -> UpstreamTokens:
        """The access token that is kept for an identity, refreshed when it is about to end.

        Raises `NotFound` when none is kept, or the provider refreshes it no longer; `ProviderFailed`, `ProviderSilent`.
        """
        async with self._turns.setdefault(identity_id, asyncio.Lock()):  # a refresh token may be good for once
            found = await self._identities.find_tokens(identity_id, user_id=user_id)
            if found is None:
                raise _no_token()
            linked, tokens = found
            if tokens.expires_at is None or tokens.expires_at > now + _REFRESHED_BEFORE:
                return tokens
            return await self._refreshed(linked, tokens, now)

    async def _refreshed(self, linked: LinkedIdentity, tokens: UpstreamTokens, now: datetime) -> UpstreamTokens:
        if tokens.refresh_token is None:
            raise _no_token()
        provider = await self._providers.get(linked.provider, now=now)
        try:
            fresh = await provider.refresh(tokens.refresh_token, now=now)
        except CodeRefused:
            raise _no_token() from None
        kept = replace(fresh, refresh_token=fresh.refresh_token or tokens.refresh_token)
        async with self._acts.begin(now) as act:
            await self._identities.keep_tokens(act.tx, linked.id, kept)
        return kept


def _has_another_way(user: User, others: Sequence[LinkedIdentity], offered: set[str]) -> bool:
    return user.password_hash is not None or any(one.provider in offered for one in others)


def _no_token() -> NotFound:
    return NotFound(public="No token is kept for this identity. Sign in with it again.")
