"""Trading a refresh token for its successor and a new access token (RFC 6749 §6, RFC 9700 §4.14.2)."""

from service.clients.metadata import REFRESH_TOKEN
from service.grants.person import PersonTokens
from service.grants.request import Issued, TokenRequest, narrowed
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
        asked, presented = request.scopes, request.form.get("refresh_token")
        family, successor = await self._pairs.rotate(presented, request.client, now=request.now)
        return await self._tokens.refresh(family, successor, request, narrowed(family.scopes, asked))
