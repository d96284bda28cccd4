"""A short way for requests that come again: services ask for the same token, and about the same one, many times."""

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

NOWHERE = (0, 0)
_LONGEST = 16 * 1024
_CODINGS = frozenset({b"content-encoding", b"transfer-encoding"})


class _Last(NamedTuple, Generic[T]):
    """A body but for a part that may be another the next time, and what was prepared for it."""

    before: bytes
    after: bytes
    size: int
    prepared: T


class RecurringRequests(Generic[T]):
    """What was prepared for requests that were found good, by a keyed digest of all that they said: 10,000 at most,
    oldest forgotten first. Neither a request nor its secret is kept. Whoever finds something asks whether it stands."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._known: Bounded[bytes, T] = Bounded()

    def digest(self, scope: Scope, body: bytes) -> bytes | None:
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
        digest = blake2b(b"%d " % len(authorization), key=self._key, digest_size=32)
        digest.update(authorization)
        digest.update(body)
        return digest.digest()

    def find_last(self, scope: Scope, body: bytes) -> tuple[T, bytes] | None:
        """What was kept for the request before on the same connection, where this one says the same: with what stands
        in the place that may be another, whatever that is."""
        alike: Alike | None = scope.get(ALIKE)
        last: _Last[T] | None = None if alike is None else alike.kept
        if last is None or len(body) != last.size:
            return None
        before, after, size, prepared = last
        if not (body.startswith(before) and body.endswith(after)):
            return None
        return prepared, body[len(before) : size - len(after)]

    def find(self, digest: bytes | None, scope: Scope, body: bytes, varying: Span = NOWHERE) -> T | None:
        """What was kept for this request, on whichever connection."""
        prepared = None if digest is None else self._known.get(digest)
        if prepared is not None:
            _keep_last(scope, body, varying, prepared)
        return prepared

    def keep(self, digest: bytes | None, prepared: T, scope: Scope, body: bytes, varying: Span = NOWHERE) -> None:
        """Remember, instead of what was kept before."""
        if digest is not None:
            self._known.keep(digest, prepared)
            _keep_last(scope, body, varying, prepared)


def _keep_last(scope: Scope, body: bytes, varying: Span, prepared: object) -> None:
    alike: Alike | None = scope.get(ALIKE)
    if alike is not None:
        start, end = varying
        alike.kept = _Last(body[:start], body[end:], len(body), prepared)
