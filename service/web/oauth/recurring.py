"""A short way for requests that come again: services ask for the same token, and about the same one, many times."""

import secrets
from hashlib import blake2b
from typing import Generic, TypeVar

from starlette.types import Scope

from service.bounded import Bounded
from service.web.oauth.form_body import FORM

T = TypeVar("T")
_LONGEST = 16 * 1024
_CODINGS = frozenset({b"content-encoding", b"transfer-encoding"})


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

    def find(self, digest: bytes | None) -> T | None:
        """What was kept for this request."""
        return None if digest is None else self._known.get(digest)

    def keep(self, digest: bytes | None, prepared: T) -> None:
        """Remember, instead of what was kept before."""
        if digest is not None:
            self._known.keep(digest, prepared)
