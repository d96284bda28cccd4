"""What has been revoked, as one worker knows it: an exact set that only grows until its entries expire.

The set holds no clock, no lock and no I/O: whoever feeds it (Gatepost's own workers from SQL and the stream, other
services from the feed) calls `add`, and every request asks `refuses`. It is used from one event loop.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class RevocationKind(StrEnum):
    """What an entry names. Values are the wire and ledger form."""

    TOKEN = "jti"
    SESSION = "sid"
    API_KEY = "api_key"
    USER = "user"
    CLIENT = "client"
    SIGNING_KEY = "kid"
    SECRET = "secret"


_USER, _CLIENT, _SECRET = RevocationKind.USER, RevocationKind.CLIENT, RevocationKind.SECRET
_TOKEN, _SESSION, _SIGNING_KEY = RevocationKind.TOKEN, RevocationKind.SESSION, RevocationKind.SIGNING_KEY
"""By name, as `RevocationKind.USER` runs a dozen functions of the enum at each request (CPython 3.11)."""

_EPOCHS = frozenset({_USER, _CLIENT, _SECRET})


@dataclass(frozen=True, slots=True)
class Revocation:
    """One revocation, and the moment after which it no longer matters because everything it names has expired.

    For `USER` and `CLIENT`, credentials of an epoch below `epoch` are refused. `SECRET` says that the subject's
    password or client secret has changed: what was verified under an older epoch must be verified again, tokens live
    on. For the other kinds `epoch` is 0.
    """

    kind: RevocationKind
    subject: str
    until: datetime
    epoch: int = 0


class Revocable(Protocol):
    """What a credential tells about itself so that it can be judged."""

    @property
    def jti(self) -> str: ...
    @property
    def kid(self) -> str: ...
    @property
    def session_id(self) -> str | None: ...
    @property
    def subject(self) -> str: ...
    @property
    def epoch(self) -> int: ...
    @property
    def client_id(self) -> str: ...
    @property
    def client_epoch(self) -> int: ...


class RevocationSet:
    """Every revocation that still matters; `version` rises with each entry that changed an answer.

    A caller that has judged a credential may remember `version` and skip `refuses` while it is unchanged.
    """

    __slots__ = ("_epochs", "_named", "version")

    def __init__(self) -> None:
        self.version = 0
        self._named: dict[tuple[RevocationKind, str], datetime] = {}
        self._epochs: dict[tuple[RevocationKind, str], tuple[int, datetime]] = {}

    def __len__(self) -> int:
        return len(self._named) + len(self._epochs)

    def add(self, entry: Revocation) -> bool:
        """Take in one entry; True when it told something new. Entries may come twice and in any order."""
        key = (entry.kind, entry.subject)
        if entry.kind in _EPOCHS:
            known = self._epochs.get(key)
            if known is not None and known[0] >= entry.epoch:
                if known[1] < entry.until:
                    self._epochs[key] = (known[0], entry.until)
                return False
            self._epochs[key] = (entry.epoch, entry.until if known is None else max(known[1], entry.until))
        else:
            until = self._named.get(key)
            if until is not None:
                self._named[key] = max(until, entry.until)
                return False
            self._named[key] = entry.until
        self.version += 1
        return True

    def add_all(self, entries: Iterable[Revocation]) -> int:
        """Take in many entries; the number that told something new."""
        return sum(self.add(entry) for entry in entries)

    def drop_expired(self, now: datetime) -> int:
        """Forget what no longer matters at `now`; the number forgotten. Changes no answer, so no `version`."""
        named = [key for key, until in self._named.items() if until < now]
        epochs = [key for key, (_, until) in self._epochs.items() if until < now]
        for key in named:
            del self._named[key]
        for key in epochs:
            del self._epochs[key]
        return len(named) + len(epochs)

    def has(self, kind: RevocationKind, subject: str) -> bool:
        """Whether this very token, session, API key or signing key is revoked."""
        return (kind, subject) in self._named

    def user_epoch(self, user_id: str) -> int:
        """The lowest epoch at which credentials of this user are still good; 0 when nothing is known."""
        return self._epochs.get((_USER, user_id), (0,))[0]

    def client_epoch(self, client_id: str) -> int:
        """The lowest epoch at which credentials of this client are still good; 0 when nothing is known."""
        return self._epochs.get((_CLIENT, client_id), (0,))[0]

    def secret_epoch(self, owner: str) -> int:
        """The lowest epoch at which a verified password or client secret of this owner may still be remembered."""
        return self._epochs.get((_SECRET, owner), (0,))[0]

    def refuses(self, token: Revocable) -> str | None:
        """Why this token is refused (for the log alone), or None when nothing revokes it."""
        if self.has(_TOKEN, token.jti):
            return "token revoked"
        if token.session_id is not None and self.has(_SESSION, token.session_id):
            return "session ended"
        if self.user_epoch(token.subject) > token.epoch:
            return "owner's epoch has passed"
        if self.client_epoch(token.client_id) > token.client_epoch:
            return "client's epoch has passed"
        if self.has(_SIGNING_KEY, token.kid):
            return "signing key compromised"
        return None
