"""What Gatepost has revoked, followed from another service: one small poll, twice a second, for the whole process."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx2

from gatepost.fetch import FetchError, fetch_json, require_secure_url
from gatepost.refusals import RevocationsUnknown
from gatepost.revocation import Revocation, RevocationKind, RevocationSet

POLL_EVERY = timedelta(milliseconds=500)
MAX_AGE = timedelta(seconds=30)
MAX_PAGE_LENGTH = 1_000_000
_LAST_NUMERIC_DATE = 253_402_300_799
_CURSOR_GONE = frozenset({400, 410, 422})  # 422: not one of its own; 410: its ledger was put back to an older state

_log = logging.getLogger("gatepost.feed")


class RevocationFeed:
    """Keeps a `RevocationSet` current from `{issuer}/auth/revocations`. Belongs to one event loop.

    The first poll takes a full snapshot, later ones what is new after the cursor. The set only ever grows until its
    entries expire, so a server that forgot something un-revokes nothing here. When no poll has succeeded for
    `max_age`, `current` refuses: whoever cannot know whether a token is revoked must not let it in.
    """

    def __init__(
        self,
        issuer: str,
        client: httpx2.AsyncClient,
        *,
        client_id: str,
        client_secret: str,
        max_age: timedelta = MAX_AGE,
    ) -> None:
        self._url = require_secure_url(issuer).rstrip("/") + "/auth/revocations"
        self._client = client
        self._auth = httpx2.BasicAuth(client_id, client_secret)
        self._max_age = max_age
        self._cursor: str | None = None
        self._heard_at: datetime | None = None
        self._known = RevocationSet()

    def fresh(self, now: datetime) -> bool:
        """Whether the last successful poll began no longer than `max_age` ago."""
        return self._heard_at is not None and now - self._heard_at <= self._max_age

    def current(self, now: datetime) -> RevocationSet:
        """What is known to be revoked. Raises `RevocationsUnknown` when that is too old."""
        if not self.fresh(now):
            raise RevocationsUnknown("the revocation feed has not been heard")
        return self._known

    async def poll(self, now: datetime) -> int:
        """Take in all that is new; the number of entries that told something new.

        `now` is the moment that the poll begins, from which its age counts. Raises `FetchError`, and is then as old
        as before.
        """
        learnt, more = 0, True
        while more:
            params = {} if self._cursor is None else {"after": self._cursor}
            try:
                page = await fetch_json(self._client, self._url, limit=MAX_PAGE_LENGTH, params=params, auth=self._auth)
                entries, cursor, more = _parse_page(page.document)
            except FetchError as problem:
                if problem.status in _CURSOR_GONE:
                    self._cursor = None  # the next poll takes the whole snapshot
                raise
            learnt += self._known.add_all(entries)
            more = more and cursor != self._cursor
            self._cursor = cursor
        self._known.drop_expired(now)
        self._heard_at = now
        return learnt

    async def follow(self) -> None:
        """Poll until cancelled. Failures are logged once when they begin, and once when they end."""
        failing = False
        while True:
            try:
                await self.poll(datetime.now(UTC))
                if failing:
                    _log.warning("the revocation feed answers again")
                failing = False
            except FetchError as problem:
                if not failing:
                    _log.warning("the revocation feed is not heard: %s", problem)
                failing = True
            await asyncio.sleep(POLL_EVERY.total_seconds())


def _parse_page(document: Mapping[str, object]) -> tuple[list[Revocation], str, bool]:
    listed, cursor, more = document.get("entries"), document.get("cursor"), document.get("more", False)
    if not isinstance(listed, list) or not isinstance(cursor, str) or not isinstance(more, bool):
        raise FetchError("not a page of revocations")
    entries = [_parse_entry(item) for item in listed]
    return [entry for entry in entries if entry is not None], cursor, more


def _parse_entry(item: object) -> Revocation | None:
    """One entry; None for a kind that this version of the kit does not know, which no token here can carry."""
    if not isinstance(item, Mapping):
        raise FetchError("not a revocation")
    kind, subject, until, epoch = item.get("kind"), item.get("subject"), item.get("until"), item.get("epoch", 0)
    if not isinstance(kind, str) or not isinstance(subject, str) or not subject:
        raise FetchError("a revocation names nothing")
    if type(until) is not int or type(epoch) is not int or not 0 <= until <= _LAST_NUMERIC_DATE or epoch < 0:
        raise FetchError("a revocation has no end or no epoch")
    try:
        known_kind = RevocationKind(kind)
    except ValueError:
        _log.info("a kind of revocation that this version does not know was passed over")
        return None
    return Revocation(known_kind, subject, datetime.fromtimestamp(until, UTC), epoch)
