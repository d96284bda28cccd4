"""The hosted sign-in: a browser in which a person has signed in at Gatepost's own pages, and what that browser shows.

It is a first-party session without scopes: it opens nothing by itself, and what applications are granted in it are
sessions of their own whose parent it is.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.accounts.account import User, Users
from service.clients.client import FIRST_PARTY
from service.identifiers import new_id, packed_id, unpacked_id
from service.protocol.errors import InvalidLogin
from service.revocation.acts import Acts
from service.sessions.ending import SessionEnding
from service.sessions.events import signed_in
from service.sessions.pairs import MAX_USER_AGENT, Device
from service.sessions.session import Reached, Session, Sessions
from service.sessions.write_behind import WriteBehind
from service.signed_text import MacKey, SignedText

PREFIX = "gp_bs_"
_BODY = struct.Struct(">16s16s")


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """Who is signed in in a browser, and since when and how: `session.auth_time`, `session.amr`."""

    user: User
    session: Session


class BrowserSessions:
    """Opens and finds hosted sign-ins. `idle` and `absolute` are the two ends of one; for `recent` after it began,
    the person is taken to be the one who signed in.

    A cookie's text names person and session under a MAC, so that a forged one reaches no store.
    """

    def __init__(
        self,
        acts: Acts,
        users: Users,
        sessions: Sessions,
        ending: SessionEnding,
        reached: WriteBehind[Reached],
        keys: Sequence[MacKey],
        *,
        idle: timedelta,
        absolute: timedelta,
        recent: timedelta,
    ) -> None:
        self._acts = acts
        self._users = users
        self._sessions = sessions
        self._ending = ending
        self._reached = reached
        self._signed = SignedText(PREFIX, _BODY.size, keys)
        self._idle = idle
        self._absolute = absolute
        self._recent = recent

    async def open(
        self,
        user: User,
        *,
        amr: tuple[str, ...],
        device: Device,
        before: BrowserSession | None,
        now: datetime,
        auth_time: datetime | None = None,
        session_id: str | None = None,
    ) -> str:
        """A new hosted sign-in of a person who has just proved who they are, or did at `auth_time` elsewhere: the text
        of its cookie. `session_id` is a new id that somebody wants to know beforehand.

        `before` is who was signed in in this browser. It ends: a sign-in never goes on under an old name (ASVS 7.2.4).
        What the same person had granted goes on under the new one; what another had ends too, and what is unused for
        longest where the person has too many sessions. Raises `InvalidLogin` when the account has changed since it was
        read, `StoreUnavailable`.
        """
        session = Session(
            id=session_id or new_id(),
            user_id=user.id,
            client_id=FIRST_PARTY,
            scopes=frozenset(),
            created_at=now,
            auth_time=auth_time or now,
            amr=amr,
            acr=None,
            ends_at=now + self._absolute,
            last_used_at=now,
            user_agent=device.user_agent[:MAX_USER_AGENT],
            address=device.address,
        )
        async with self._acts.begin(now) as act:
            if not await self._users.is_current(act.tx, user.id, user.epoch):
                raise InvalidLogin(detail="the account has changed during the sign-in")
            await self._sessions.add(act.tx, session)
            if before is not None:
                owner, why = before.session.user_id, "signed in again"
                if owner == user.id:
                    await self._sessions.adopt(act.tx, before.session.id, session.id, user_id=owner)
                await self._ending.end_if_living_in(act, before.session.id, user_id=owner, why=why, now=now)
            await self._ending.make_room_in(act, user.id, keep={session.id}, now=now)
            await act.note(signed_in(session, "hosted"))
        return self._signed.issue(_BODY.pack(packed_id(user.id), packed_id(session.id)))

    async def find(self, cookie: str, *, now: datetime) -> BrowserSession | None:
        """Whose cookie this is, while the session lives and its owner may sign in. Raises `StoreUnavailable`."""
        try:
            user, session = _BODY.unpack(self._signed.read(cookie))
        except ValueError:
            return None
        standing = await self._sessions.find_standing(unpacked_id(session))
        if standing is None or standing.session.user_id != unpacked_id(user):
            return None
        found = standing.session
        if not standing.user.active or found.ended_at is not None or found.client_id != FIRST_PARTY:
            return None
        if now >= min(found.ends_at, found.last_used_at + self._idle):
            return None
        self._reached.put(found.id, Reached(0, now))
        return BrowserSession(standing.user, found)

    def is_recent(self, signed_in: BrowserSession, *, now: datetime) -> bool:
        """Whether the person proved who they are so lately that they need not do so again for a change on which the
        safety of the account rests (ASVS 7.5.1)."""
        return now < signed_in.session.auth_time + self._recent
