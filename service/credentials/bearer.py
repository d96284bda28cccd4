"""Access tokens as credentials, in the Authorization field or in our cookie."""

from datetime import datetime
from hashlib import sha256

from gatepost.principal import Principal, Scheme
from service.protocol.errors import InvalidToken
from service.revocation.entry import RevocationEngine
from service.revocation.feed import RevocationFeed
from service.tokens.verify import Judged, TokenVerifier


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
        judged = self.recall_judged(sha256(token).digest(), now=now)
        return None if judged is None else judged.bearer

    def recall_judged(self, digest: bytes, *, now: datetime) -> Judged | None:
        """What `judge` would answer from memory alone about the token of this SHA-256; None says: ask it."""
        if self._strict or not self._feed.is_trusted:
            return None
        return self._verifier.recall(digest, now=now)

    async def check(self, token: str, *, scheme: Scheme, now: datetime) -> Principal:
        """The caller. Raises `InvalidToken` for every reason alike, `StoreUnavailable` when nobody can say."""
        return (await self.judge(token, now=now)).principal(scheme)

    async def judge(self, token: str, *, now: datetime) -> Judged:
        """The token itself. Raises as `check` does."""
        judged = self._judge_here(token, now)
        if self._strict:
            read = judged.token
            if await self._engine.is_revoked(
                owner=read.subject,
                session_id=read.session_id,
                jti=read.jti,
                epoch=read.epoch,
                client_id=read.client_id,
                client_epoch=read.client_epoch,
            ):
                raise InvalidToken(detail="revoked, says the engine")
        return judged

    def judge_at_once(self, token: str, *, now: datetime) -> Judged | None:
        """The same where no store has to be asked; None says: ask `judge`. Raises as that does."""
        return None if self._strict else self._judge_here(token, now)

    def _judge_here(self, token: str, now: datetime) -> Judged:
        self._feed.check_trusted()
        return self._verifier.verify(token, now=now)
