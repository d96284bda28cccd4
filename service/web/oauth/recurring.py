"""A short way for requests that come again: services ask for the same token, and about the same one, many times."""

import re
import secrets
from hashlib import blake2b
from typing import Generic, NamedTuple, TypeVar

from starlette.types import Scope

from service.bounded import Bounded
from service.web.edge import ALIKE, Alike
from service.web.oauth.form_body import FORM

T = TypeVar("T")
Span = tuple[int, int]
"""The place in a body that may be another the next time, from here up to there."""

_NOWHERE = (0, 0)
_LONGEST = 16 * 1024
_CODINGS = frozenset({b"content-encoding", b"transfer-encoding"})


class _Last(NamedTuple, Generic[T]):
    """A body but for a part that may be another the next time, and what was prepared for it."""

    before: bytes
    after: bytes
    span: Span
    size: int
    prepared: T

    @classmethod
    def of(cls, body: bytes, span: Span, prepared: T) -> "_Last[T]":
        start, end = span
        return cls(body[:start], body[end:], span, len(body), prepared)

    def is_like(self, body: bytes, span: Span) -> bool:
        if len(body) != self.size or span != self.span:
            return False
        return body.startswith(self.before) and body.endswith(self.after)


class RecurringRequests(Generic[T]):
    """What was prepared for requests that were found good, by a keyed digest of all that they said: 10,000 at most,
    oldest forgotten first. No request is kept but the last of a connection, with the connection. Whoever finds
    something asks whether it stands.

    The group of `varying` may be another the next time, where it is found in the same place again: requests that differ
    in that alone are known as the same.
    """

    def __init__(self, varying: re.Pattern[bytes] | None = None) -> None:
        self._varying = varying
        self._key = secrets.token_bytes(32)
        self._known: Bounded[bytes, T] = Bounded()

    def find(self, scope: Scope, body: bytes) -> tuple[T | None, bytes]:
        """What was kept for a request that said the same, on this connection just before or on any; and what stands in
        the place that may be another, empty where there is none."""
        start, end = span = self._span(body)
        alike: Alike | None = scope.get(ALIKE)
        last: _Last[T] | None = None if alike is None else alike.kept
        if last is not None and last.is_like(body, span):
            return last.prepared, body[start:end]
        digest = self.digest(scope, body, span)
        prepared = None if digest is None else self._known.get(digest)
        if prepared is not None and alike is not None:
            alike.kept = _Last.of(body, span, prepared)
        return prepared, body[start:end]

    def keep(self, prepared: T, scope: Scope, body: bytes) -> None:
        """Remember, instead of what was kept before."""
        span = self._span(body)
        digest = self.digest(scope, body, span)
        if digest is None:
            return
        self._known.keep(digest, prepared)
        if ALIKE in scope:
            scope[ALIKE].kept = _Last.of(body, span, prepared)

    def _span(self, body: bytes) -> Span:
        found = None if self._varying is None else self._varying.search(body)
        return _NOWHERE if found is None else found.span(1)

    def digest(self, scope: Scope, body: bytes, span: Span = _NOWHERE) -> bytes | None:
        """What a request is known by; None for one that is out of the ordinary, and is read each time."""
        if scope["query_string"] or len(body) > _LONGEST:
            return None
        authorization = kind = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                if authorization is not None:
                    return None
                authorization = value
            elif name == b"content-type":
                if kind is not None:
                    return None
                kind = value
            elif name in _CODINGS:
                return None
        if kind != FORM or not authorization:
            return None
        start, end = span
        digest = blake2b(b"%d %d %d " % (len(authorization), start, end), key=self._key, digest_size=32)
        digest.update(authorization)
        digest.update(body[:start])
        digest.update(body[end:])
        return digest.digest()
