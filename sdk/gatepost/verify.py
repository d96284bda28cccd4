"""From a token to a `Principal`: verified once, remembered briefly, judged against the revocations each time."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from gatepost.jws import token_digest
from gatepost.keys import KeySet
from gatepost.principal import Principal
from gatepost.refusals import ScopesMissing, TokenRefused, UnknownKey
from gatepost.revocation import RevocationSet
from gatepost.tokens import DEFAULT_LEEWAY, AccessToken, TokenReader

REMEMBER_FOR = timedelta(seconds=60)
MAX_REMEMBERED = 10_000


class Keys(Protocol):
    """Where verification keys come from; `JwksCache` is one."""

    @property
    def current(self) -> KeySet | None:
        """The set in use, without waiting. A changed set is another object."""

    async def keys(self, now: datetime) -> KeySet:
        """A trustworthy set. Raises `KeysUnknown`."""

    async def newer(self, than: KeySet, now: datetime) -> KeySet:
        """The set after one more look, because `than` lacked a key. Bounded in how often it really looks."""


class Revocations(Protocol):
    """Where revocations come from; `RevocationFeed` is one."""

    def current(self, now: datetime) -> RevocationSet:
        """What is revoked: always the same set, which only grows. Raises `RevocationsUnknown` when it is too old."""


class _Remembered:
    """A verified token, never its text: who it stands for, until when, and the revocations that it was judged by."""

    __slots__ = ("forget_at", "principal", "token", "version")

    def __init__(self, token: AccessToken, forget_at: float, version: int) -> None:
        self.token = token
        self.principal = token.principal()
        self.forget_at = forget_at
        self.version = version


class Verifier:
    """Turns access tokens of one issuer into principals. Belongs to one event loop; any number of tasks may share it.

    Without `revocations` a token is good until it expires: say so to whoever relies on logout.
    Only success is remembered, for at most 60 seconds and never past `exp`, under the SHA-256 of the whole token.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        keys: Keys,
        revocations: Revocations | None = None,
        *,
        leeway: timedelta = DEFAULT_LEEWAY,
        max_remembered: int = MAX_REMEMBERED,
    ) -> None:
        self._reader = TokenReader(issuer, audience, leeway)
        self._keys = keys
        self._revocations = revocations
        self._max_remembered = max_remembered
        self._remembered: dict[bytes, _Remembered] = {}
        self._remembered_by: KeySet | None = None

    async def verify(self, token: str, *, now: datetime) -> Principal:
        """Who this token stands for. Waits for nothing when the token was seen a moment ago.

        Raises `TokenRefused` (401), or `KeysUnknown` and `RevocationsUnknown` (503).
        """
        digest = token_digest(token)
        known = self._recall(digest, now)
        if known is None:
            keys, read = await self._read(token, now)
            known = self._remember(digest, read, keys, now)
        if self._revocations is not None:
            revoked = self._revocations.current(now)
            if known.version != revoked.version:
                reason = revoked.refuses(known.token)
                if reason is not None:
                    self._remembered.pop(digest, None)
                    raise TokenRefused(reason)
                known.version = revoked.version
        return known.principal

    async def _read(self, token: str, now: datetime) -> tuple[KeySet, AccessToken]:
        keys = await self._keys.keys(now)
        try:
            return keys, self._reader.read(token, keys, now=now)
        except UnknownKey:
            newer = await self._keys.newer(keys, now)
            if newer is keys:
                raise
            return newer, self._reader.read(token, newer, now=now)

    def _recall(self, digest: bytes, now: datetime) -> _Remembered | None:
        if self._keys.current is not self._remembered_by:
            return None
        known = self._remembered.get(digest)
        if known is None or now.timestamp() < known.forget_at:
            return known
        del self._remembered[digest]
        return None

    def _remember(self, digest: bytes, token: AccessToken, keys: KeySet, now: datetime) -> _Remembered:
        if keys is not self._remembered_by:
            self._remembered.clear()
            self._remembered_by = keys
        elif len(self._remembered) >= self._max_remembered:
            del self._remembered[next(iter(self._remembered))]  # the oldest: dictionaries keep their order
        forget_at = min(float(token.expires_at), now.timestamp() + REMEMBER_FOR.total_seconds())
        known = self._remembered[digest] = _Remembered(token, forget_at, version=-1)
        return known


def check_scopes(principal: Principal, needed: Iterable[str]) -> None:
    """Let a principal pass that has all of `needed`. Raises `ScopesMissing` otherwise."""
    wanted = frozenset(needed)
    if not wanted <= principal.scopes:
        raise ScopesMissing(wanted)
