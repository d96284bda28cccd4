"""Heads: the last link of the chain, signed and written outside the database, now and then.

Whoever can rewrite the database cannot rewrite these: a chain that was cut or made anew no longer ends, or no longer
passes, where a head says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from gatepost.refusals import TokenRefused
from gatepost.tokens import KeySet, read_jws

_log = structlog.get_logger("gatepost.audit")
TYPE = "gatepost-audit-head+jwt"


@dataclass(frozen=True, slots=True)
class Head:
    """That the row in this place had this link."""

    seq: int
    link: bytes


class SignsHeads(Protocol):
    """What signs."""

    def sign(self, claims: Mapping[str, object], *, typ: str, now: datetime, algorithm: str | None = None) -> str:
        """A compact JWS. Raises `StoreUnavailable` for lack of a key."""


class HeadKeeper(Protocol):
    """Where heads are kept."""

    async def keep(self, head: str) -> None:
        """Keep one more, for good. Raises `OSError`."""


class HeadBook:
    """Signs the newest head and has it kept, at most once each `every`; one that could not be kept comes again."""

    def __init__(
        self, signer: SignsHeads, keepers: Sequence[HeadKeeper], *, issuer: str, algorithm: str, every: timedelta
    ) -> None:
        self._signer = signer
        self._keepers = keepers
        self._issuer = issuer
        self._algorithm = algorithm
        self._every = every
        self._newest: Head | None = None
        self._next: datetime | None = None

    def reached(self, head: Head) -> None:
        """The chain ends here now."""
        self._newest = head

    async def write_due(self, *, now: datetime) -> None:
        """Write the newest head if there is one and it is time. Raises `StoreUnavailable`."""
        head = self._newest
        if head is None or not self._keepers or (self._next is not None and now < self._next):
            return
        claims = {"iss": self._issuer, "seq": head.seq, "link": head.link.hex(), "iat": int(now.timestamp())}
        signed = self._signer.sign(claims, typ=TYPE, now=now, algorithm=self._algorithm)
        try:
            for keeper in self._keepers:
                await keeper.keep(signed)
        except OSError as error:
            _log.warning("audit head not kept yet", seq=head.seq, reason=str(error))
            return
        self._next = now + self._every
        if self._newest is head:
            self._newest = None


def read_head(text: str, keys: KeySet, *, issuer: str) -> Head:
    """What a head says. Raises `ValueError` for what is none of this issuer's."""
    try:
        _, claims = read_jws(text.strip(), keys, typ=TYPE)
    except TokenRefused as refused:
        raise ValueError(f"no head of ours: {refused}") from None
    seq, link = claims.get("seq"), claims.get("link")
    if claims.get("iss") != issuer or not isinstance(seq, int) or not isinstance(link, str):
        raise ValueError("a head of somebody else")
    return Head(seq, bytes.fromhex(link))
