"""The consents of all people: remembering, widening and withdrawing them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from service.audit.event import Event, Kind
from service.consents.consent import Consent, Consents
from service.protocol.errors import NotFound
from service.revocation.acts import Act, Acts


class EndsSessions(Protocol):
    """What consents need of sessions."""

    async def end_of_client_in(self, act: Act, *, user_id: str, client_id: str, why: str, now: datetime) -> int:
        """End all that a person has granted to one client, as part of an act; how many."""


class ConsentBook:
    """Every act on consents. Each is one transaction with its revocations."""

    def __init__(self, acts: Acts, consents: Consents, ending: EndsSessions) -> None:
        self._acts = acts
        self._consents = consents
        self._ending = ending

    async def find(self, user_id: str, client_id: str) -> Consent | None:
        """What this person has agreed to for this client."""
        return await self._consents.find(user_id, client_id)

    async def page(self, user_id: str, *, after: str, limit: int) -> Sequence[Consent]:
        """One person's consents in order of client id, past `after`."""
        return await self._consents.page(user_id=user_id, after=after, limit=limit)

    async def grant(
        self, user_id: str, client_id: str, scopes: Iterable[str], audience: Iterable[str], now: datetime
    ) -> Consent:
        """Remember that the person agrees to this, beside what they agreed to before. Racing grants add up.

        Raises `NotFound` when there is no such person.
        """
        scopes, audience = frozenset(scopes), frozenset(audience)
        async with self._acts.begin(now) as act:
            before = await self._consents.find_locked(act.tx, user_id, client_id)
            if before is None:
                before = Consent(user_id, client_id, {}, granted_at=now, updated_at=now)
            after = before.with_more(scopes, audience, now=now)
            await self._consents.put(act.tx, after)
            detail = {"scopes": sorted(scopes), "audience": sorted(audience)}
            await act.note(Event(Kind.CONSENT_GRANTED, subject=user_id, target=f"client:{client_id}", detail=detail))
        return after

    async def withdraw(
        self, user_id: str, client_id: str, now: datetime, *, why: str = "consent withdrawn by its giver"
    ) -> Consent:
        """Forget a consent and end all that was granted on it: this client's sessions of this person, in one act. What
        it was.

        Raises `NotFound` when there is no such consent.
        """
        async with self._acts.begin(now) as act:
            before = await self._consents.find_locked(act.tx, user_id, client_id)
            if before is None:
                raise NotFound(public="There is no such consent.")
            await self._consents.remove(act.tx, user_id, client_id)
            await self._ending.end_of_client_in(act, user_id=user_id, client_id=client_id, why=why, now=now)
            event = Event(Kind.CONSENT_WITHDRAWN, subject=user_id, target=f"client:{client_id}", detail={"why": why})
            await act.note(event)
        return before
