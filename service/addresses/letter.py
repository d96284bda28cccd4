"""A letter that is to be written: to which address, about what. It holds neither link nor secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from service.identifiers import new_id
from service.ledger import Transaction


class LetterKind(StrEnum):
    """What a letter is about."""

    RESET = "reset"
    """The way to a new password, if the address has an account."""
    REGISTER = "register"
    """The way to an account; who has one already is told so."""
    INVITE = "invite"
    VERIFY = "verify"
    """The account says this is its address: is it?"""
    CHANGE = "change"
    """To the new address of an account."""
    CHANGED = "changed"
    """To the old address, after it."""
    PASSWORD_CHANGED = "password_changed"


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter that waits. `locale` is the language tag in which it was asked for, `about` what its link is to know.

    `user_id` is whose account it is about, None where the address alone is known.
    """

    id: str
    kind: LetterKind
    address: str
    locale: str
    created_at: datetime
    next_try_at: datetime
    user_id: str | None = None
    tries: int = 0
    about: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def now(
        cls,
        kind: LetterKind,
        address: str,
        *,
        locale: str,
        at: datetime,
        user_id: str | None = None,
        about: Mapping[str, object] | None = None,
    ) -> "Letter":
        """A new one, due at once."""
        return cls(new_id(), kind, address, locale, at, at, user_id, about=about or {})


class Letters(Protocol):
    """The letters in the ledger that wait to be sent. Every method raises `StoreUnavailable`."""

    async def post(self, tx: Transaction, letter: Letter) -> None:
        """Keep one more. An equal wish (kind and address) that nobody has begun to send gives way to it."""

    async def due(self, *, now: datetime, limit: int) -> Sequence[Letter]:
        """Those whose next try is due, that wait longest first."""

    async def claim(self, letter: Letter, *, until: datetime) -> bool:
        """Count a try and put the next one off to `until`; of any number of racing workers one gets True."""

    async def put_off(self, letter_id: str, *, until: datetime) -> None:
        """Try again at `until`."""

    async def withdraw(self, tx: Transaction, user_id: str, *kinds: LetterKind) -> None:
        """Drop the wishes of these kinds about an account: whoever had them may not be its owner any more."""

    async def done(self, letter_id: str) -> None:
        """It was sent, or nobody will try again: nothing is kept of it."""
