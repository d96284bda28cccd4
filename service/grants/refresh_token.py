"""Trading a refresh token for its successor and a new access token (RFC 6749 §6, RFC 9700 §4.14.2)."""

from datetime import datetime

from service.clients.metadata import REFRESH_TOKEN
from service.grants.person import OPENID, PersonTokens, Wanted
from service.grants.request import Issued, TokenRequest
from service.pending import Pending
from service.sessions.families import Repeated, Rotated
from service.sessions.pairs import TokenPairs


class RefreshTokenGrant:
    """Scopes and resources may narrow, for the access token alone: the family keeps what was granted."""

    grant_type = REFRESH_TOKEN
    parameters = frozenset({"refresh_token"})

    def __init__(self, pairs: TokenPairs, tokens: PersonTokens) -> None:
        self._pairs = pairs
        self._tokens = tokens

    async def redeem(self, request: TokenRequest) -> Issued:
        """The tokens. Raises `InvalidGrant`, and after reuse the session has ended; `StoreUnavailable`; `InvalidScope`
        and `InvalidTarget`: the successor is not told then, and inside the grace window the same token may come again.
        """
        wanted, presented, now = self.wanted(request), request.form.get("refresh_token"), request.now
        return await self._issue_in_time(wanted, now, await self._pairs.rotate(presented, wanted.client, now=now))

    def wanted(self, request: TokenRequest) -> Wanted:
        """What a request asks for, whichever token comes with it. Raises `InvalidScope`."""
        return Wanted(request.client, request.scopes, request.resources)

    def begin(self, presented: str, wanted: Wanted, *, now: datetime) -> Pending[Issued] | None:
        """What `redeem` does, for who cannot wait; None where asking takes waiting, and nothing was asked. Raises as it
        does."""
        rotated = self._pairs.begin(presented, wanted.client, now=now)
        if rotated is None:
            return None
        return rotated.then(
            lambda found: self._issue(wanted, now, found), lambda found: self._issue_in_time(wanted, now, found)
        )

    def _issue(self, wanted: Wanted, now: datetime, rotated: Rotated | Repeated) -> Issued | None:
        """The tokens, unless one of them tells of the person."""
        family = rotated.family
        draft = self._tokens.draft(family, wanted)
        if OPENID in draft.scopes:
            return None
        return self._tokens.refresh_access(draft, family, self._pairs.successor(rotated), now=now)

    async def _issue_in_time(self, wanted: Wanted, now: datetime, rotated: Rotated | Repeated) -> Issued:
        return await self._tokens.refresh(rotated.family, self._pairs.successor(rotated), wanted, now=now)
