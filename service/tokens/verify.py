"""Judging a presented access token: read once, remembered by digest, held against the revocations on every use."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gatepost.principal import Principal, Scheme
from gatepost.revocation import RevocationSet
from gatepost.tokens import AccessToken, KeySet, TokenReader, TokenRefused, token_digest
from service.bounded import Bounded
from service.protocol.errors import InvalidToken

_REMEMBERED = 100_000


class ReadsTokens(Protocol):
    """What a token must be, apart from not revoked."""

    def read(self, token: str, keys: KeySet, *, now: datetime) -> AccessToken:
        """The token, verified. Raises `TokenRefused`."""


class ForAnyAudience:
    """Reads a token for whomever it is: for introspection and revocation, never to let a caller in."""

    def __init__(self, reader: TokenReader) -> None:
        self._reader = reader

    def read(self, token: str, keys: KeySet, *, now: datetime) -> AccessToken:
        """The token, verified but for its audience. Raises `TokenRefused`."""
        return self._reader.read_for_any_audience(token, keys, now=now)


class PublishedKeys(Protocol):
    """The keys that tokens may be verified with at this moment."""

    @property
    def keys(self) -> KeySet: ...

    @property
    def version(self) -> int:
        """Rises whenever `keys` has changed."""


@dataclass(slots=True)
class Judged:
    """A token whose signature and claims were found good, and the principals that it stands for.

    `seen` is the version of the revocations at which it was last found not revoked.
    """

    token: AccessToken
    bearer: Principal
    seen: int
    cookie: Principal | None = None

    def principal(self, scheme: Scheme) -> Principal:
        """The caller, by how the token was carried; the same object each time."""
        if scheme != "cookie":
            return self.bearer
        if self.cookie is None:
            self.cookie = self.token.principal("cookie")
        return self.cookie


class TokenVerifier:
    """Verifies access tokens for this service. Used from one event loop; no call does I/O."""

    def __init__(
        self, reader: ReadsTokens, published: PublishedKeys, revoked: RevocationSet, *, remembered: int = _REMEMBERED
    ) -> None:
        self._reader = reader
        self._published = published
        self._revoked = revoked
        self._known: Bounded[bytes, Judged] = Bounded(remembered)
        self._keys_version = -1

    def verify(self, token: str, *, now: datetime) -> Judged:
        """The token's standing at `now`. Raises `InvalidToken` for every reason alike.

        Only good tokens are remembered, `remembered` at most, oldest forgotten first, and none past a change of keys: a
        flood of random tokens costs memory nothing.
        """
        if self._keys_version != self._published.version:
            self._known.clear()
            self._keys_version = self._published.version
        digest = token_digest(token)
        judged = self._known.get(digest)
        if judged is None:
            judged = self._read(token, now)
            self._known.keep(digest, judged)
        elif now.timestamp() >= judged.token.expires_at:
            del self._known[digest]
            raise InvalidToken(detail="expired")
        if judged.seen != self._revoked.version:
            reason = self._revoked.refuses(judged.token)
            if reason is not None:
                raise InvalidToken(detail=reason)
            judged.seen = self._revoked.version
        return judged

    def recall(self, digest: bytes, *, now: datetime) -> Judged | None:
        """The standing of a token of this SHA-256 that was found good before, when nothing has changed since; None
        says: `verify`."""
        judged = self._known.get(digest)
        if (
            judged is None
            or now.timestamp() >= judged.token.expires_at
            or judged.seen != self._revoked.version
            or self._keys_version != self._published.version
        ):
            return None
        return judged

    def _read(self, token: str, now: datetime) -> Judged:
        try:
            read = self._reader.read(token, self._published.keys, now=now)
        except TokenRefused as refusal:
            raise InvalidToken(detail=refusal.reason) from None
        return Judged(read, read.principal("bearer"), seen=-1)
