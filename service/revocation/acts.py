"""A security act: its rows, its revocations and its audit row commit together, then all are shown it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from gatepost.revocation import Revocation, RevocationKind
from service.audit.event import Event
from service.audit.journal import Journal, count_event
from service.ledger import Ledger, Transaction
from service.protocol.errors import StoreUnavailable
from service.revocation.entry import Entry, Recorded, RevocationEngine, RevocationLedger
from service.revocation.feed import RevocationFeed
from service.tally import Tally

_log = structlog.get_logger("gatepost.acts")
_revoked = Tally("revocations", "Revocations that were committed", "kind")


class Act:
    """An act in progress: hand `tx` to stores, say what it revokes, and note what it is."""

    def __init__(
        self, tx: Transaction, revocations: RevocationLedger, journal: Journal, *, now: datetime, until: datetime
    ) -> None:
        self.tx = tx
        self._journal = journal
        self._now = now
        self._revocations = revocations
        self._until = until
        self.recorded: list[Recorded] = []
        self.noted: list[Event] = []

    async def note(self, event: Event) -> None:
        """Write down what this act does: once in each act, and never a secret. Raises `StoreUnavailable`."""
        await self._journal.note(self.tx, event, now=self._now)
        self.noted.append(event)

    async def revoke_token(self, jti: str, *, owner: str, expires_at: datetime, why: str) -> None:
        """Refuse one access token until it has expired."""
        await self._record(Revocation(RevocationKind.TOKEN, jti, expires_at), owner, why)

    async def revoke_sessions(self, session_ids: Sequence[str], *, user_id: str, why: str) -> None:
        """Refuse all that carries one of these sessions, and close their refresh families."""
        await self._record_all(
            [Revocation(RevocationKind.SESSION, one, self._until) for one in session_ids], user_id, why
        )

    async def revoke_api_key(self, key_id: str, *, user_id: str, why: str) -> None:
        """Refuse an API key that some worker may still remember as good."""
        await self._record(Revocation(RevocationKind.API_KEY, key_id, self._until), user_id, why)

    async def raise_user_epoch(self, user_id: str, epoch: int, *, why: str) -> None:
        """Refuse what was issued to a person under an older epoch."""
        await self._record(Revocation(RevocationKind.USER, user_id, self._until, epoch), user_id, why)

    async def raise_client_epoch(self, client_id: str, epoch: int, *, why: str) -> None:
        """Refuse what was issued to a client under an older epoch."""
        await self._record(Revocation(RevocationKind.CLIENT, client_id, self._until, epoch), client_id, why)

    async def raise_secret_epoch(self, owner: str, epoch: int, *, why: str) -> None:
        """Have passwords and client secrets that a worker remembers as right checked anew; tokens are not touched."""
        await self._record(Revocation(RevocationKind.SECRET, owner, self._until, epoch), owner, why)

    async def revoke_signing_key(self, kid: str, *, why: str) -> None:
        """Refuse every token that this key has signed."""
        await self._record(Revocation(RevocationKind.SIGNING_KEY, kid, self._until), kid, why)

    async def _record(self, revocation: Revocation, owner: str, why: str) -> None:
        await self._record_all([revocation], owner, why)

    async def _record_all(self, revocations: Sequence[Revocation], owner: str, why: str) -> None:
        entries = [Entry(revocation, owner, why) for revocation in revocations]
        self.recorded += map(Recorded, await self._revocations.add(self.tx, entries), entries)


class Acts:
    """Opens acts. What commits is shown to this worker's near-cache, the engine and the stream before `begin` returns.

    When the engine is away the act still stands: the entries stay in the outbox, other workers read them from SQL
    within a second, and they are pushed before the engine is used again.
    """

    def __init__(
        self,
        ledger: Ledger,
        revocations: RevocationLedger,
        engine: RevocationEngine,
        feed: RevocationFeed,
        journal: Journal,
    ) -> None:
        self._ledger = ledger
        self._revocations = revocations
        self._engine = engine
        self._feed = feed
        self._journal = journal

    @asynccontextmanager
    async def begin(self, now: datetime) -> AsyncIterator[Act]:
        """One transaction with its revocations. Raises `StoreUnavailable` when the ledger cannot commit."""
        async with self._ledger.begin() as tx:
            act = Act(tx, self._revocations, self._journal, now=now, until=self._feed.horizon(now))
            yield act
        for event in act.noted:
            count_event(event)
        if act.recorded:
            await self._publish(act.recorded)

    async def _publish(self, recorded: list[Recorded]) -> None:
        for one in recorded:
            _revoked.add(one.entry.revocation.kind)
        self._feed.take_in(recorded)
        try:
            await self._engine.push(recorded)
        except StoreUnavailable as refusal:
            _log.warning("revocations stay in the outbox", count=len(recorded), reason=refusal.detail)
            return
        self._feed.pushed(recorded)
