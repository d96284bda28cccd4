"""Ending sessions: in the ledger first, with a revocation for each, so that every token of theirs dies too."""

from datetime import datetime

from service.protocol.errors import NotFound
from service.revocation.acts import Act, Acts
from service.sessions.session import Sessions


class SessionEnding:
    """Ends one, some or all sessions of a person."""

    def __init__(self, acts: Acts, sessions: Sessions) -> None:
        self._acts = acts
        self._sessions = sessions

    async def end(self, session_id: str, *, user_id: str, why: str, now: datetime) -> None:
        """End one session. Raises `NotFound` when it is not a living session of this person."""
        async with self._acts.begin(now) as act:
            await self.end_in(act, session_id, user_id=user_id, why=why, now=now)

    async def end_in(self, act: Act, session_id: str, *, user_id: str, why: str, now: datetime) -> None:
        """The same as part of another act."""
        if not await self._sessions.end(act.tx, session_id, user_id=user_id, why=why, now=now):
            raise NotFound(public="There is no such session.")
        await act.revoke_session(session_id, user_id=user_id, why=why)

    async def end_if_living(self, session_id: str, *, user_id: str, why: str, now: datetime) -> bool:
        """End one session, if it has not ended yet; whether this call ended it."""
        try:
            await self.end(session_id, user_id=user_id, why=why, now=now)
        except NotFound:
            return False
        return True

    async def end_all(self, user_id: str, *, why: str, now: datetime, but: str | None = None) -> int:
        """End all of a person's sessions, except `but`; how many."""
        async with self._acts.begin(now) as act:
            return await self.end_all_in(act, user_id, why=why, now=now, but=but)

    async def end_all_in(self, act: Act, user_id: str, *, why: str, now: datetime, but: str | None = None) -> int:
        """The same as part of another act."""
        ended = await self._sessions.end_all(act.tx, user_id=user_id, why=why, now=now, but=but)
        for session_id in ended:
            await act.revoke_session(session_id, user_id=user_id, why=why)
        return len(ended)
