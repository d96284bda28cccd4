"""The refresh-family state machine as rooms see it: what one atomic step may answer, and the promise of that step."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from service.pending import Pending
from service.sessions.refresh_token import RefreshToken


@dataclass(frozen=True, slots=True)
class Family:
    """What is kept of a family so that the common refresh reads no SQL. All instants are absolute.

    `audience` empty means the service's own.
    """

    id: str
    user_id: str
    client_id: str
    scopes: frozenset[str]
    epoch: int
    client_epoch: int
    auth_time: datetime
    amr: tuple[str, ...]
    acr: str | None
    ends_at: datetime
    audience: tuple[str, ...] = ()


class Terms(NamedTuple):
    """On which a generation is spent: who may do so, and for how long the family may be idle from then on. `epoch` and
    `client_epoch` are the newest that the caller knows of: a family stamped with an older one is `Unsure`."""

    client_id: str
    epoch: int
    client_epoch: int
    grace: timedelta
    idle: timedelta


@dataclass(slots=True)
class Rotated:
    """The generation was the current one: `generation` is the successor's."""

    family: Family
    generation: int


@dataclass(slots=True)
class Repeated:
    """The generation before the current one came again inside the grace window: the same successor once more."""

    family: Family
    generation: int


@dataclass(frozen=True, slots=True)
class Reused:
    """An older generation came: the family has been closed by this step, or was before; `current` is where it stood."""

    current: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The family is marked as ended, or is past its idle or absolute end."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """The family belongs to another client; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Unsure:
    """The engine alone cannot say: the family is absent, or it was last held against SQL in another Redis run or under
    an older epoch, or the presented generation is ahead of it. Nothing was changed; ask SQL, `restore`, try again."""

    why: str


Outcome = Rotated | Repeated | Reused | Closed | Foreign | Unsure


class RefreshFamilies(Protocol):
    """The families in the engine. Every method raises `StoreUnavailable` within 2 seconds when it cannot answer."""

    async def open(self, family: Family, *, idle: timedelta) -> None:
        """Keep a new family at generation 0, held against SQL in this Redis run."""

    async def rotate(self, presented: RefreshToken, terms: Terms) -> Outcome:
        """Spend one generation, in one atomic step, by the engine's own clock.

        Any number of racing calls with the same token yield the same successor (within the grace window) or, past it,
        `Reused` each; never two successors. Moves the idle end, never the absolute one.
        """

    def begin(self, presented: RefreshToken, terms: Terms) -> Pending[Outcome] | None:
        """The same, for who cannot wait; None where asking takes waiting, and nothing was asked."""

    async def find_generation(self, user_id: str, family_id: str) -> int | None:
        """How far the engine has seen a family come, a closed one past all; None when it knows none. Only reads."""

    async def restore(self, family: Family, *, generation: int, reached_at: datetime | None, idle: timedelta) -> None:
        """Write what SQL says over the family and stamp it with this Redis run and `family.epoch`.

        The generation is never lowered; a family marked as ended stays so. `reached_at` is when `generation` was
        reached if SQL knows (it keeps the grace window), else None.
        """

    async def close(self, user_id: str, family_id: str, *, until: datetime) -> None:
        """Mark the family as ended until `until`, also when it is absent."""
