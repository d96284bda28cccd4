"""A client gives a token back (RFC 7009)."""

from datetime import UTC, datetime

from service.audit.event import Actor, Event, Kind
from service.clients.client import Client
from service.credentials.bearer import BearerCredential
from service.protocol.errors import InvalidGrant, InvalidToken
from service.revocation.acts import Acts
from service.sessions.ending import SessionEnding
from service.sessions.refresh_token import PREFIX as REFRESH_PREFIX
from service.sessions.refresh_token import RefreshTokenMint
from service.sessions.session import Sessions


class TokenRevocation:
    """Revokes what clients no longer want. `access` judges access tokens for any audience."""

    def __init__(
        self,
        access: BearerCredential,
        mint: RefreshTokenMint,
        acts: Acts,
        sessions: Sessions,
        ending: SessionEnding,
    ) -> None:
        self._access = access
        self._mint = mint
        self._acts = acts
        self._sessions = sessions
        self._ending = ending

    async def revoke(self, token: str, *, client: Client, now: datetime) -> None:
        """End a token of this client: a refresh token with its whole grant, access tokens too, an access token alone.

        Nothing happens, and nothing is told, for a token that is another's, no longer good or none of ours (§2.2). When
        this returns every worker has been told. Raises `StoreUnavailable`: then nothing was revoked.
        """
        if token.startswith(REFRESH_PREFIX):
            await self._end_grant(token, client, now)
            return
        try:
            read = (await self._access.judge(token, now=now)).token
        except InvalidToken:
            return
        if read.client_id == client.id:
            expires_at = datetime.fromtimestamp(read.expires_at, UTC)
            async with self._acts.begin(now) as act:
                await act.revoke_token(read.jti, owner=read.subject, expires_at=expires_at, why="revoked by its client")
                by = Actor("client", client.id, "client", client.id, client.id)
                await act.note(Event(Kind.TOKEN_REVOKED, subject=read.subject, target=f"token:{read.jti}", by=by))

    async def _end_grant(self, token: str, client: Client, now: datetime) -> None:
        """A spent generation ends the grant as well: whoever holds it was its client once."""
        try:
            presented = self._mint.read(token)
        except InvalidGrant:
            return
        standing = await self._sessions.find_standing(presented.family_id)
        if standing is None or standing.session.client_id != client.id:
            return
        if standing.session.user_id == presented.user_id:
            await self._ending.end_if_living(
                presented.family_id, user_id=presented.user_id, why="revoked by its client", now=now
            )
