"""What a presented refresh token leads to (RFC 6749 §6, RFC 9700 §4.14.2).

The engine decides in one atomic step. When it cannot be sure (Redis was lost, restarted or restored, or the owner has
changed) SQL is asked once, the family is stamped anew, and the engine decides again.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import lru_cache

import structlog

from gatepost.revocation import RevocationSet
from service.access.catalogue import OPENID, Catalogue
from service.audit.event import Event, Kind
from service.clients.client import FIRST_PARTY
from service.pending import Pending
from service.protocol.errors import InvalidGrant, StoreUnavailable
from service.sessions.ending import SessionEnding
from service.sessions.families import (
    Closed,
    Family,
    Foreign,
    Outcome,
    RefreshFamilies,
    Repeated,
    Reused,
    Rotated,
    Terms,
    Unsure,
)
from service.sessions.refresh_token import MAX_GENERATION, RefreshToken
from service.sessions.session import Reached, Sessions, SessionStanding
from service.sessions.write_behind import WriteBehind
from service.tally import Tally

_log = structlog.get_logger("gatepost.sessions")
_outcomes = Tally("refresh_tokens", "Genuine refresh tokens that came, by what they led to", "outcome")
_ATTEMPTS = 3
_shared_terms = lru_cache(10_000)(Terms)
"""The same ones again, as they are for most."""


class Rotation:
    """Trades a refresh token for its successor. `grace` is how long the same token may come again; 0 is strict.

    `idle` is that of clients without one of their own; `preset` are the ids of clients that are no rows.
    """

    def __init__(
        self,
        families: RefreshFamilies,
        sessions: Sessions,
        ending: SessionEnding,
        revoked: RevocationSet,
        reached: WriteBehind[Reached],
        catalogue: Catalogue,
        *,
        grace: timedelta,
        idle: timedelta,
        preset: Collection[str] = (),
    ) -> None:
        self._families = families
        self._sessions = sessions
        self._ending = ending
        self._revoked = revoked
        self._reached = reached
        self._catalogue = catalogue
        self._grace = grace
        self._idle = idle
        self._without_row = frozenset({FIRST_PARTY, *preset})

    async def rotate(
        self, presented: RefreshToken, *, client_id: str, now: datetime, idle: timedelta | None = None
    ) -> Rotated | Repeated:
        """The family and the generation of the successor. `idle` is the client's own.

        Any number of racing calls agree on one successor. Raises `InvalidGrant`; after reuse the session has ended,
        with its access tokens, before this returns. Raises `StoreUnavailable`.
        """
        terms = self._terms(presented, client_id, idle)
        return await self._settle(presented, now, idle, terms, await self._families.rotate(presented, terms))

    def begin(
        self, presented: RefreshToken, *, client_id: str, now: datetime, idle: timedelta | None = None
    ) -> Pending[Rotated | Repeated] | None:
        """The same, for who cannot wait; None where asking takes waiting, and nothing was asked. Raises as it does."""
        terms = self._terms(presented, client_id, idle)
        outcome = self._families.begin(presented, terms)
        if outcome is None:
            return None
        return outcome.then(
            lambda found: self._take(now, found), lambda found: self._settle(presented, now, idle, terms, found)
        )

    async def _settle(
        self, presented: RefreshToken, now: datetime, idle: timedelta | None, terms: Terms, outcome: Outcome
    ) -> Rotated | Repeated:
        """What comes of any outcome; of one that is unsure, after SQL was asked, of the next."""
        client_id = terms.client_id
        for attempt in range(_ATTEMPTS):
            if attempt:
                outcome = await self._families.rotate(presented, self._terms(presented, client_id, idle))
            successor = self._take(now, outcome)
            if successor is not None:
                return successor
            _outcomes.add(type(outcome).__name__.lower())
            match outcome:
                case Reused(current):
                    await self._end_for_reuse(presented, current, now=now)
                    raise InvalidGrant(detail=f"generation {presented.generation} returned after {current}")
                case Closed():
                    await self._end_closed(presented, now=now)
                    raise InvalidGrant(detail="the family has ended")
                case Foreign():
                    raise InvalidGrant(detail="the family belongs to another client")
                case Unsure(why):
                    _log.info("family held against SQL", why=why, session_id=presented.family_id)
                    await self._hold_against_sql(presented, client_id=client_id, now=now)
        raise StoreUnavailable("redis", detail="the family does not hold still")

    def _take(self, now: datetime, outcome: Outcome) -> Rotated | Repeated | None:
        """Note an outcome that has a successor; None for any other."""
        if isinstance(outcome, Rotated):
            _outcomes.add("rotated")
            self._reached.put(outcome.family.id, Reached(outcome.generation, now))
            return outcome
        if isinstance(outcome, Repeated):
            _outcomes.add("repeated")
            return outcome
        return None

    def _terms(self, presented: RefreshToken, client_id: str, idle: timedelta | None) -> Terms:
        if presented.generation >= MAX_GENERATION:
            raise InvalidGrant(detail="a family has no more generations")
        epoch, client_epoch = self._revoked.user_epoch(presented.user_id), self._revoked.client_epoch(client_id)
        return _shared_terms(client_id, epoch, client_epoch, self._grace, idle or self._idle)

    async def find_living(self, presented: RefreshToken, *, now: datetime) -> tuple[Family, datetime] | None:
        """The family of a token that would be traded in, and when that ends; None for one that would not, and for one
        that has had its successor, inside the grace window too. Changes nothing. Raises `StoreUnavailable`."""
        standing = await self._sessions.find_standing(presented.family_id)
        family = self._living_family(standing, presented, now=now)
        if standing is None or family is None:
            return None
        reached = await self._families.find_generation(presented.user_id, presented.family_id)
        if presented.generation < max(standing.session.floor, reached or 0):
            return None
        return family, min(family.ends_at, standing.session.last_used_at + self._idle_of(standing))

    async def _hold_against_sql(self, presented: RefreshToken, *, client_id: str, now: datetime) -> None:
        standing = await self._sessions.find_standing(presented.family_id)
        if standing is not None and standing.session.client_id != client_id:
            raise InvalidGrant(detail="the session belongs to another client")
        family = self._living_family(standing, presented, now=now)
        if standing is None or family is None:
            raise InvalidGrant(detail="SQL knows no living session of this token")
        session = standing.session
        generation = max(session.floor, presented.generation)
        reached_at = session.floor_at if generation == session.floor else None
        idle = self._idle_of(standing)
        await self._families.restore(family, generation=generation, reached_at=reached_at, idle=idle)

    def _living_family(
        self, standing: SessionStanding | None, presented: RefreshToken, *, now: datetime
    ) -> Family | None:
        if standing is None or not standing.user.active:
            return None
        session, user, client = standing.session, standing.user, standing.client
        if session.user_id != presented.user_id or session.ended_at is not None:
            return None
        if session.client_id not in self._without_row and (client is None or not client.active):
            return None
        if now >= min(session.ends_at, session.last_used_at + self._idle_of(standing)):
            return None
        scopes = session.scopes & (self._catalogue.effective(user.roles, user.scopes) | OPENID.keys())
        return Family(
            id=session.id,
            user_id=user.id,
            client_id=session.client_id,
            scopes=scopes if client is None else scopes & (client.scopes | OPENID.keys()),
            epoch=user.epoch,
            client_epoch=client.epoch if client is not None else 0,
            auth_time=session.auth_time,
            amr=session.amr,
            acr=session.acr,
            ends_at=session.ends_at,
            audience=session.audience,
        )

    def _idle_of(self, standing: SessionStanding) -> timedelta:
        own = None if standing.client is None else standing.client.metadata.refresh_idle
        return own or self._idle

    async def _end_for_reuse(self, presented: RefreshToken, current: int, *, now: datetime) -> None:
        _log.warning(
            "refresh token reuse",
            user_id=presented.user_id,
            session_id=presented.family_id,
            generation=presented.generation,
            current=current,
        )
        standing = await self._sessions.find_standing(presented.family_id)
        session = None if standing is None else standing.session
        reuse = Event(
            Kind.REFRESH_REUSED,
            subject=presented.user_id,
            target=f"session:{presented.family_id}",
            detail={
                "client_id": "" if session is None else session.client_id,
                "generation": presented.generation,
                "current": current,
            },
            personal={} if session is None else {"session_address": session.address},
        )
        await self._ending.end_if_living(
            presented.family_id, user_id=presented.user_id, why="refresh token reuse", now=now, more=reuse
        )

    async def _end_closed(self, presented: RefreshToken, *, now: datetime) -> None:
        """A family that the engine closed for reuse while SQL was away is ended there now."""
        await self._ending.end_if_living(presented.family_id, user_id=presented.user_id, why="family ended", now=now)
