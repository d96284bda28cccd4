"""The account of somebody who was not here before, made of what a provider says."""

import re
import secrets
import unicodedata
from collections.abc import Iterator
from datetime import datetime

from service.accounts.account import User
from service.accounts.names import parse_username
from service.accounts.profile import changed_profile
from service.federation.provider import Identity
from service.identifiers import new_id
from service.protocol.errors import Invalid

_LONGEST = 48
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)


def new_account(identity: Identity, address: str | None, *, roles: frozenset[str], again: bool, now: datetime) -> User:
    """An account without a password. `address` is the proven one; an unproven one is not taken. `again` when the name
    that it would have is taken: then a random ending makes another."""
    name = next(_names(identity, address))
    return User(
        id=new_id(),
        username=f"{name}-{secrets.token_hex(3)}" if again else name,
        email=address,
        password_hash=None,
        roles=roles,
        scopes=frozenset(),
        epoch=1,
        created_at=now,
        profile=_profile(identity),
        email_verified_at=None if address is None else now,
    )


def _names(identity: Identity, address: str | None) -> Iterator[str]:
    """User names that may be meant, the best first; at least one."""
    local = address.rpartition("@")[0] if address else ""
    for text in (identity.username, local, identity.name):
        plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
        name = _NOT_IN_NAME.sub(".", plain).strip("._-")[:_LONGEST]
        try:
            yield parse_username(name)
        except Invalid:
            continue
    yield f"user-{secrets.token_hex(4)}"


def _profile(identity: Identity) -> dict[str, object]:
    """What of it can be kept; a value that no claim may have is left out."""
    kept: dict[str, object] = {}
    for name, value in (("name", identity.name), ("picture", identity.picture)):
        try:
            kept = changed_profile(kept, {name: value} if value else {})
        except Invalid:
            continue
    return kept
