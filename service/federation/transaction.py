"""A sign-in that is under way at a provider, from our sending somebody there to their coming back."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol

LIFE = timedelta(minutes=10)
"""How long somebody may take there."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """What was asked, and what for: `carried` is what the hosted flow goes on with, `links_to` the account that the
    identity is to be linked to, and `asked_in` the session in which that was asked; None for a sign-in. `fresh` and
    `max_age` as in `Attempt`."""

    provider: str
    redirect_uri: str
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    started_at: datetime
    fresh: bool = False
    max_age: timedelta | None = None
    carried: str = field(default="", repr=False)
    links_to: str | None = None
    asked_in: str | None = None


class Transactions(Protocol):
    """The transactions under way, in the engine and sealed. Every method raises `StoreUnavailable`."""

    async def keep(self, key: str, transaction: Transaction, *, life: timedelta) -> None:
        """Keep a new one for `life`."""

    async def take(self, key: str) -> Transaction | None:
        """The transaction, for the first of any number of racing calls; None for all others, and for an outlived or
        unknown one."""


def key_of(state: str, holder: str) -> str:
    """Where the transaction of a state lies that was given to this holder: whoever has the state alone finds nothing,
    and so uses nothing up."""
    return sha256(f"{holder}\n{state}".encode("utf-8", "surrogatepass")).hexdigest()
