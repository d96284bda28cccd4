"""Ending sessions: in the ledger first, with a revocation for each, so that every token of theirs dies too.

What was granted in a hosted sign-in ends with it, except what the person granted for when they are away. Applications
that asked to be told of it are told: the notices are part of the act, their delivery is not.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from service.audit.event import Event, Kind
from service.ledger import Transaction
from service.protocol.errors import NotFound
from service.revocation.acts import Act, Acts
from service.sessions.crowd import crowded_out
from service.sessions.session import Sessions

_UNWATCHED = 64
"""So far below the bound sign-ins of one person do not wait for each other to be counted."""

_REPLAYS = frozenset({"code replayed", "code in doubt", "device code replayed", "device code in doubt"})


class LogoutNotes(Protocol):
    """What applications are to be told of ended sessions."""

    async def note(self, tx: Transaction, session_ids: Sequence[str], *, now: datetime) -> None:
        """Keep a notice for each of these sessions whose client wants to be told, and for each offline one that was
        granted in them: it goes on, but the person has signed out (OpenID Connect Back-Channel Logout §2.7)."""


class SessionEnding:
    """Ends one, some or all sessions of a person, who has `at_most` so many."""

    def __init__(self, acts: Acts, sessions: Sessions, notes: LogoutNotes, *, at_most: int) -> None:
        self._acts = acts
        self._sessions = sessions
        self._notes = notes
        self._at_most = at_most

    async def end(self, session_id: str, *, user_id: str, why: str, now: datetime) -> None:
        """End one session. Raises `NotFound` when it is not a living session of this person."""
        async with self._acts.begin(now) as act:
            await self.end_in(act, session_id, user_id=user_id, why=why, now=now)
            await act.note(_ended(session_id, user_id, why))

    async def end_in(self, act: Act, session_id: str, *, user_id: str, why: str, now: datetime) -> None:
        """The same as part of another act."""
        if not await self.end_if_living_in(act, session_id, user_id=user_id, why=why, now=now):
            raise NotFound(public="There is no such session.")

    async def end_if_living(
        self, session_id: str, *, user_id: str, why: str, now: datetime, more: Event | None = None
    ) -> bool:
        """End one session, if it has not ended yet; whether this call ended it. `more` is told in its audit row."""
        async with self._acts.begin(now) as act:
            ended = await self.end_if_living_in(act, session_id, user_id=user_id, why=why, now=now)
            if ended:
                await act.note(more or _ended(session_id, user_id, why))
        return ended

    async def end_if_living_in(self, act: Act, session_id: str, *, user_id: str, why: str, now: datetime) -> bool:
        """The same as part of another act."""
        ended = await self._sessions.end(act.tx, session_id, user_id=user_id, why=why, now=now)
        await self._follow(act, ended, user_id=user_id, why=why, now=now)
        return bool(ended)

    async def end_all(self, user_id: str, *, why: str, now: datetime, but: str | None = None) -> int:
        """End all of a person's sessions, except `but`; how many."""
        async with self._acts.begin(now) as act:
            count = await self.end_all_in(act, user_id, why=why, now=now, but=but)
            detail: dict[str, object] = {"why": why, "count": count, "but": but or ""}
            await act.note(Event(Kind.SESSIONS_ENDED, subject=user_id, detail=detail))
        return count

    async def end_all_in(self, act: Act, user_id: str, *, why: str, now: datetime, but: str | None = None) -> int:
        """The same as part of another act."""
        ended = await self._sessions.end_all(act.tx, user_id=user_id, why=why, now=now, but=but)
        await self._follow(act, ended, user_id=user_id, why=why, now=now)
        return len(ended)

    async def end_of_client_in(self, act: Act, *, user_id: str, client_id: str, why: str, now: datetime) -> int:
        """End all that a person has granted to one client, as part of another act; how many."""
        ended = await self._sessions.end_of_client(act.tx, user_id=user_id, client_id=client_id, why=why, now=now)
        await self._follow(act, ended, user_id=user_id, why=why, now=now)
        return len(ended)

    async def make_room_in(self, act: Act, user_id: str, *, keep: Collection[str], now: datetime) -> None:
        """End what is unused for longest where a session that this act has opened is one too many; none of `keep`.

        Exact unless more than 64 sessions of one person are opened in the same moment; the next one finds the rest.
        """
        sessions = self._sessions
        if await sessions.count(act.tx, user_id=user_id, now=now) <= self._at_most - _UNWATCHED:
            return
        living = await sessions.crowd(act.tx, user_id=user_id, now=now)
        surplus, why = crowded_out(living, at_most=self._at_most, keep=keep), "too many sessions"
        if surplus:
            ended = await sessions.end_idle(act.tx, surplus, user_id=user_id, why=why, now=now)
            await self._follow(act, ended, user_id=user_id, why=why, now=now)

    async def _follow(self, act: Act, ended: Sequence[str], *, user_id: str, why: str, now: datetime) -> None:
        if ended:
            await act.revoke_sessions(ended, user_id=user_id, why=why)
            await self._notes.note(act.tx, ended, now=now)


def _ended(session_id: str, user_id: str, why: str) -> Event:
    kind = Kind.CODE_REPLAYED if why in _REPLAYS else Kind.SESSION_ENDED
    return Event(kind, subject=user_id, target=f"session:{session_id}", detail={"why": why})
