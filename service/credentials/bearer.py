"""Access tokens as credentials, in the Authorization field or in our cookie."""

from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import TypeVar

from gatepost.principal import Principal, Scheme
from service.pending import Pending
from service.protocol.errors import InvalidToken
from service.revocation.entry import RevocationEngine
from service.revocation.feed import RevocationFeed
from service.tokens.verify import Judged, TokenVerifier

T = TypeVar("T")


class BearerCredential:
    """Turns an access token into its caller; in the default mode without any I/O.

    With `strict`, Redis is asked on every request too, in one round trip, and a Redis that is away is a 503: what it
    does not know proves nothing, so the near-cache is asked in both modes.
    """

    def __init__(
        self, verifier: TokenVerifier, feed: RevocationFeed, engine: RevocationEngine, *, strict: bool
    ) -> None:
        self._verifier = verifier
        self._feed = feed
        self._engine = engine
        self._strict = strict

    def recall(self, token: bytes, *, now: datetime) -> Principal | None:
        """The caller, when `check` would answer from memory alone; None says: ask it."""
        if self._strict:
            return None
        judged = self.recall_judged(sha256(token).digest(), now=now)
        return None if judged is None else judged.bearer

    def recall_judged(self, digest: bytes, *, now: datetime) -> Judged | None:
        """What `judge` would answer from memory alone about the token of this SHA-256; None says: ask it."""
        if self._strict or not self._feed.is_trusted:
            return None
        return self._verifier.recall(digest, now=now)

    def begin(self, token: bytes, *, now: datetime) -> Pending[Principal] | None:
        """The caller, when `check` would have no more to ask than the engine about a token that is remembered: it has
        been asked. None says: ask `begin_anew`. Raises as `check` does."""
        if not (self._strict and self._feed.is_trusted):
            return None
        judged = self._verifier.recall(sha256(token).digest(), now=now)
        return None if judged is None else self._asked(judged)

    def begin_anew(self, token: str, *, now: datetime) -> Principal | Pending[Principal] | None:
        """The same for one that is not remembered: to read it takes no waiting. None says: ask `check`."""
        judged = self._judge_here(token, now)
        return self._asked(judged) if self._strict else judged.bearer

    def _asked(self, judged: Judged) -> Pending[Principal] | None:
        answer = self._engine.begin(judged.token)
        return None if answer is None else answer.then(partial(_unless_revoked, judged.bearer))

    async def check(self, token: str, *, scheme: Scheme, now: datetime) -> Principal:
        """The caller. Raises `InvalidToken` for every reason alike, `StoreUnavailable` when nobody can say."""
        return (await self.judge(token, now=now)).principal(scheme)

    async def judge(self, token: str, *, now: datetime) -> Judged:
        """The token itself. Raises as `check` does."""
        judged = self._judge_here(token, now)
        if self._strict:
            return _unless_revoked(judged, await self._engine.is_revoked(judged.token))
        return judged

    def judge_at_once(self, token: str, *, now: datetime) -> Judged | None:
        """The same where no store has to be asked; None says: ask `judge`. Raises as that does."""
        return None if self._strict else self._judge_here(token, now)

    def _judge_here(self, token: str, now: datetime) -> Judged:
        self._feed.check_trusted()
        return self._verifier.verify(token, now=now)


def _unless_revoked(found: T, is_revoked: bool) -> T:
    if is_revoked:
        raise InvalidToken(detail="revoked, says the engine")
    return found
