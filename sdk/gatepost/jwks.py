"""The issuer's published keys: fetched once, renewed in the background, looked up again for an unknown `kid`."""

import asyncio
import logging
import re
from datetime import datetime, timedelta

import httpx2

from gatepost.fetch import FetchError, fetch_json, require_secure_url
from gatepost.keys import KeySet
from gatepost.refusals import KeysUnknown

MIN_LIFE = timedelta(minutes=1)
MAX_LIFE = timedelta(hours=1)
DEFAULT_LIFE = timedelta(minutes=5)
MAX_STALE = timedelta(hours=24)
LOOK_AGAIN_AFTER = timedelta(seconds=10)
FIRST_LOOK_AGAIN_AFTER = timedelta(seconds=1)
MAX_DOCUMENT_LENGTH = 100_000

_MAX_AGE = re.compile(r'(?:^|[\s,])max-age="?(\d{1,9})', re.ASCII | re.IGNORECASE)
_log = logging.getLogger("gatepost.jwks")


class JwksCache:
    """The key set of one issuer, from `{issuer}/.well-known/jwks.json`. Belongs to one event loop.

    A set is used for as long as `Cache-Control: max-age` says, within 1 minute and 1 hour, and then renewed while
    requests go on with the old one. Fetches never overlap, and two are at least 10 seconds apart (1 second while there
    is no set at all). When the issuer cannot be reached the last good set stays good for `max_stale`; with none, or
    an older one, `KeysUnknown`.
    """

    def __init__(self, issuer: str, client: httpx2.AsyncClient, *, max_stale: timedelta = MAX_STALE) -> None:
        self._url = require_secure_url(issuer).rstrip("/") + "/.well-known/jwks.json"
        self._client = client
        self._max_stale = max_stale
        self._document: dict[str, object] | None = None
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._life = DEFAULT_LIFE
        self._flight: asyncio.Task[None] | None = None
        self.current: KeySet | None = None

    async def keys(self, now: datetime) -> KeySet:
        """A trustworthy key set. Waits for the issuer only when there is none yet. Raises `KeysUnknown`."""
        if self._fetched_at is None or now - self._fetched_at > self._max_stale:
            await self._renew(now)
        elif now - self._fetched_at >= self._life:
            self._start(now)
        return self._trusted(now)

    async def newer(self, than: KeySet, now: datetime) -> KeySet:
        """The set after a look for keys newer than `than`; the same one when the last look was under 10 s ago."""
        if self.current is than:
            await self._renew(now)
        return self._trusted(now)

    async def aclose(self) -> None:
        """Give up a fetch that is under way."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait([self._flight])

    def _trusted(self, now: datetime) -> KeySet:
        if self.current is None or self._fetched_at is None:
            raise KeysUnknown("the issuer's keys were never seen")
        if now - self._fetched_at > self._max_stale:
            raise KeysUnknown("the issuer's keys are too old")
        return self.current

    async def _renew(self, now: datetime) -> None:
        flight = self._start(now)
        if flight is not None:
            await asyncio.wait([flight])  # not `await flight`: one waiter's cancellation must not end it for all

    def _start(self, now: datetime) -> asyncio.Task[None] | None:
        if self._flight is not None and not self._flight.done():
            return self._flight
        pause = FIRST_LOOK_AGAIN_AFTER if self.current is None else LOOK_AGAIN_AFTER
        if self._tried_at is not None and timedelta(0) <= now - self._tried_at < pause:
            return None
        self._tried_at = now
        self._flight = asyncio.create_task(self._fetch(now))
        return self._flight

    async def _fetch(self, now: datetime) -> None:
        try:
            fetched = await fetch_json(self._client, self._url, limit=MAX_DOCUMENT_LENGTH)
            if fetched.document != self._document:  # the same set stays the same object, and caches stay warm
                self.current = KeySet.from_jwks(fetched.document)
                self._document = fetched.document
        except (FetchError, ValueError) as problem:
            _log.warning("keys not renewed from %s: %s", self._url, problem)
            return
        self._fetched_at = now
        self._life = _life(fetched.cache_control)


def _life(cache_control: str) -> timedelta:
    found = _MAX_AGE.search(cache_control)
    life = DEFAULT_LIFE if found is None else timedelta(seconds=int(found.group(1)))
    return min(max(life, MIN_LIFE), MAX_LIFE)
