"""A person's living sessions as the person sees them: what each is, on which device, and whose application has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from service.clients.client import FIRST_PARTY, Client
from service.sessions.device import DeviceWords, describe_device
from service.sessions.session import Session, Sessions


class SessionKind(StrEnum):
    """What a session is: a sign-in at the hosted pages, one by `/auth/login`, or what an application was granted."""

    BROWSER = "browser"
    DIRECT = "direct"
    APPLICATION = "application"


@dataclass(frozen=True, slots=True)
class SeenSession:
    """A living session with its application, which may be gone. `ends_at` is when it ends unless it is used."""

    session: Session
    kind: SessionKind
    client: Client | None
    ends_at: datetime

    @property
    def id(self) -> str:
        """By what a person's sessions are listed."""
        return self.session.id

    @property
    def device(self) -> DeviceWords:
        """From where it was opened."""
        return describe_device(self.session.user_agent)


class FindsClients(Protocol):
    """What the list needs of clients."""

    async def find(self, client_id: str) -> Client | None:
        """By id; a disabled one too. Raises `StoreUnavailable`."""


class SessionOverview:
    """Lists what is alive: neither ended, nor too old, nor unused for too long.

    `idle` is how long a session may be unused, `hosted_idle` the same of a sign-in at the hosted pages.
    """

    def __init__(self, sessions: Sessions, clients: FindsClients, *, idle: timedelta, hosted_idle: timedelta) -> None:
        self._sessions = sessions
        self._clients = clients
        self._idle = idle
        self._hosted_idle = hosted_idle

    async def page(self, user_id: str, *, after: str, limit: int, now: datetime) -> Sequence[SeenSession]:
        """One person's living sessions, newest id last, past `after`. Raises `StoreUnavailable`."""
        found: list[SeenSession] = []
        while len(found) < limit:
            rows = await self._sessions.page(user_id=user_id, after=after, limit=limit, now=now)
            seen = [await self._seen(row) for row in rows]
            found += [one for one in seen if one.ends_at > now]
            if len(rows) < limit:
                break
            after = rows[-1].id
        return found[:limit]

    async def _seen(self, session: Session) -> SeenSession:
        if session.client_id == FIRST_PARTY:  # a hosted sign-in opens nothing by itself: it alone has no scopes
            kind = SessionKind.DIRECT if session.scopes else SessionKind.BROWSER
            idle = self._idle if session.scopes else self._hosted_idle
            return SeenSession(session, kind, None, _end_of(session, idle))
        client = await self._clients.find(session.client_id)
        own = None if client is None else client.metadata.refresh_idle
        return SeenSession(session, SessionKind.APPLICATION, client, _end_of(session, own or self._idle))


def _end_of(session: Session, idle: timedelta) -> datetime:
    return min(session.ends_at, session.last_used_at + idle)
