"""Single-use links: a secret of 256 bits in an address of ours, of which the ledger keeps a digest."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Protocol

from service.accounts.account import User
from service.ledger import Ledger, Transaction
from service.protocol.errors import DeadLink

MADE_AT_MOST_EVERY = timedelta(minutes=1)
"""No second link of a kind is made for an address sooner: whoever asks often fills nobody's mailbox."""


class Purpose(StrEnum):
    """What a link is for, which is also the only thing that it is good for."""

    RESET = "reset"
    REGISTER = "register"
    INVITE = "invite"
    VERIFY = "verify"
    CHANGE = "change"


LIVES: Mapping[Purpose, timedelta] = {
    Purpose.RESET: timedelta(hours=1),
    Purpose.REGISTER: timedelta(hours=24),
    Purpose.INVITE: timedelta(days=7),
    Purpose.VERIFY: timedelta(hours=24),
    Purpose.CHANGE: timedelta(hours=24),
}


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says. It goes to `address`; with an account it dies as soon as that account's epoch rises, as it does
    with every change of password or address."""

    purpose: Purpose
    address: str
    expires_at: datetime
    user_id: str | None = None
    epoch: int | None = None
    about: Mapping[str, object] = field(default_factory=dict)


class Links(Protocol):
    """Digests of links, with what they say, in the ledger. Every method raises `StoreUnavailable`."""

    async def replace(self, tx: Transaction, digest: bytes, link: Link, *, now: datetime) -> None:
        """Keep a link, and drop every other of its purpose for its address, and those that have expired."""

    async def was_made_since(self, purpose: Purpose, address: str, since: datetime) -> bool:
        """Whether a link of this purpose that nobody has used was made for the address since then."""

    async def find(self, digest: bytes, *, now: datetime) -> Link | None:
        """The link, while it is unused and unexpired; uses nothing up."""

    async def take(self, tx: Transaction, digest: bytes, *, now: datetime) -> bool:
        """Use the link up; of any number of racing calls one gets True."""


class LinkDesk:
    """Makes links, looks at them, and takes each once."""

    def __init__(self, ledger: Ledger, links: Links) -> None:
        self._ledger = ledger
        self._links = links

    async def make(
        self,
        purpose: Purpose,
        address: str,
        *,
        user: User | None = None,
        about: Mapping[str, object] | None = None,
        now: datetime,
    ) -> str | None:
        """The secret of a new link; those made before for the address die. None when one was made just now."""
        if await self._links.was_made_since(purpose, address, now - MADE_AT_MOST_EVERY):
            return None
        secret = secrets.token_urlsafe(32)
        link = Link(
            purpose,
            address,
            now + LIVES[purpose],
            None if user is None else user.id,
            None if user is None else user.epoch,
            about or {},
        )
        async with self._ledger.begin() as tx:
            await self._links.replace(tx, _digest(purpose, secret), link, now=now)
        return secret

    async def look(self, secret: str, *purposes: Purpose, now: datetime) -> Link:
        """What a live link of one of these purposes says; uses nothing up. Raises `DeadLink`."""
        for purpose in purposes:
            link = await self._links.find(_digest(purpose, secret), now=now)
            if link is not None and link.purpose is purpose:
                return link
        raise DeadLink

    async def take(self, tx: Transaction, secret: str, link: Link, *, now: datetime) -> None:
        """Use up a link that was looked at, as part of what it leads to. Raises `DeadLink` for the losers of a race."""
        if not await self._links.take(tx, _digest(link.purpose, secret), now=now):
            raise DeadLink


def _digest(purpose: Purpose, secret: str) -> bytes:
    return sha256(f"{purpose}\n{secret}".encode("utf-8", "surrogatepass")).digest()
