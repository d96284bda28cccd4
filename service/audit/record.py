"""One row of the audit, and what proves it: a digest of what it says, a MAC from the act on, a link when it is sealed.

The digest covers what is personal through a digest of its own, salted: when a person is erased, the values and the salt
go, and everything that was proven stays provable. The MAC needs the service's secret, so that a row that was edited
before it was sealed, or all of the chain made anew by who has the database alone, is seen.
"""

import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from service.audit.event import Actor, Event
from service.identifiers import new_id
from service.signed_text import MacKey

BEGINNING = bytes(32)
"""What the first link hangs on."""
_SALT = 16
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Record:
    """One row. Texts are empty where there is nothing to say; `personal` and `salt` are None when they were erased.

    `seq` counts from 1 without gaps and `link` holds the row to all before it, once it is sealed.
    """

    id: str
    at: datetime
    kind: str
    outcome: str
    actor_kind: str
    actor: str
    scheme: str
    credential: str
    client_id: str
    subject: str
    target: str
    request_id: str
    detail: Mapping[str, Any]
    personal: Mapping[str, str] | None
    salt: bytes | None
    personal_digest: bytes
    secret_id: bytes
    mac: bytes
    seq: int | None = None
    link: bytes | None = None

    def digest(self) -> bytes:
        """SHA-256 over everything that the row says, in one form."""
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        who = [self.actor_kind, self.actor, self.scheme, self.credential, self.client_id]
        what = [self.kind, self.outcome, self.subject, self.target, self.request_id, self.detail]
        return sha256(_encode([self.id, at, who, what, self.personal_digest.hex()]).encode()).digest()

    def is_authentic(self, keys: Sequence[MacKey]) -> bool | None:
        """Whether the row is as it was written; None when its secret is not among these."""
        key = next((key for key in keys if key.id == self.secret_id), None)
        if key is None:
            return None
        return hmac.compare_digest(self.mac, hmac.digest(key.secret, self.digest(), sha256)) and self._is_personal()

    def _is_personal(self) -> bool:
        if self.personal is None or self.salt is None:
            return self.personal is None and self.salt is None
        return hmac.compare_digest(self.personal_digest, _personal_digest(self.salt, self.personal))

    def linked_to(self, before: bytes, seq: int) -> bytes:
        """The link of this row in the place `seq` after `before`."""
        return sha256(before + seq.to_bytes(8, "big") + self.digest()).digest()


def written(
    event: Event, actor: Actor, personal: Mapping[str, str], request_id: str, key: MacKey, at: datetime
) -> Record:
    """The row of an event that happens now."""
    salt = secrets.token_bytes(_SALT)
    known = {name: _plain(value) for name, value in {**personal, **event.personal}.items() if value}
    fields: dict[str, Any] = {
        "id": new_id(),
        "at": at,
        "kind": event.kind.value,
        "outcome": event.outcome,
        "actor_kind": actor.kind,
        "actor": _plain(actor.id),
        "scheme": actor.scheme,
        "credential": _plain(actor.credential),
        "client_id": _plain(actor.client_id),
        "subject": _plain(event.subject),
        "target": _plain(event.target),
        "request_id": request_id,
        "detail": dict(event.detail),
        "personal": known,
        "salt": salt,
        "personal_digest": _personal_digest(salt, known),
        "secret_id": key.id,
    }
    draft = Record(**fields, mac=b"")
    return Record(**fields, mac=hmac.digest(key.secret, draft.digest(), sha256))


def _personal_digest(salt: bytes, personal: Mapping[str, str]) -> bytes:
    return sha256(salt + _encode(dict(personal)).encode()).digest()


def _plain(text: str) -> str:
    """What both databases hold."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()[:512]
