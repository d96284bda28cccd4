"""How much may be asked in what time: a rate that slides, held by permits that each worker draws in small batches."""

import asyncio
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, NamedTuple, Protocol

import structlog

from service.bounded import Bounded
from service.protocol.errors import StoreUnavailable, TooManyRequests
from service.tally import Tally

LEASED_FOR = timedelta(minutes=1)
"""How long a worker keeps permits that nobody has asked for; what is left goes back with its next drawing."""

_WITHOUT_ENGINE = timedelta(seconds=1)
_UNCOUNTED = 10_000
_WORTH_FILLING = 8  # permits: a smaller batch is not kept at hand for somebody who may not come again
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_RATE = re.compile(r"([1-9]\d{0,8})/(?:1)?([smhd])", re.ASCII)
_log = structlog.get_logger("gatepost.limits")
_refused = Tally("requests_limited", "Requests that were refused for their rate", "policy")


class Rate(NamedTuple):
    """So many in that time; none at all is no limit."""

    permits: int
    per: timedelta

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """`1000/h`; `unlimited`. Raises `ValueError`."""
        if text.strip() == "unlimited":
            return UNLIMITED
        found = _RATE.fullmatch(text.strip())
        if found is None:
            raise ValueError("write a rate such as 1000/h, 20/s or 5000/d, or unlimited")
        return cls(int(found[1]), _UNITS[found[2]])

    def __str__(self) -> str:
        unit = next((name for name, span in _UNITS.items() if span == self.per), "")
        return f"{self.permits}/{unit}" if self.permits else "unlimited"

    @property
    def batch(self) -> int:
        """How many permits a worker draws at once: a hundredth, a thousand at most. Workers together never let through
        more than the rate and one batch each."""
        return min(max(self.permits // 100, 1), 1_000)


UNLIMITED = Rate(0, timedelta(hours=1))


class AsItIs(Enum):
    """Stands for a figure that a change leaves alone, as None is one of them."""

    AS_IT_IS = auto()


AS_IT_IS: Final = AsItIs.AS_IT_IS


def told_rate(own: Rate | None) -> str:
    """A figure of somebody's own in words; `default` for none."""
    return "default" if own is None else str(own)


class Budget(NamedTuple):
    """What one caller may spend under one named policy."""

    policy: str
    who: str
    rate: Rate


@dataclass(frozen=True, slots=True)
class Drawn:
    """How many permits were drawn, how many are left in the engine, when all are back, and when the next is there."""

    granted: int
    left: int
    full_in: timedelta
    next_in: timedelta


class Rates(Protocol):
    """The budgets, in the engine."""

    async def draw(self, budget: Budget, want: int, *, back: int) -> Drawn:
        """Put `back` what was not used, and draw up to `want`, in one atomic step by the engine's clock. Raises
        `StoreUnavailable`."""


@dataclass(slots=True)
class Quota:
    """What is left of a budget, as far as this worker knows, and when all of it is back."""

    left: int
    full_at: datetime


@dataclass(slots=True)
class _Lease:
    permits: int
    until: datetime
    left: int
    full_at: datetime
    closed_until: datetime | None = None
    is_counted: bool = True
    low: int = -1
    """With so many left, more are drawn."""


class Permits:
    """Lets requests through while their budget lasts; most cost a look into a dictionary. Of a batch that is worth it
    more are drawn before the last are gone, up to a batch again, so that a busy caller does not wait.

    While the engine is away nothing is counted and everybody passes: what a request may do is decided elsewhere.
    """

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._leases: Bounded[Budget, _Lease] = Bounded()
        self._drawing: dict[Budget, asyncio.Task[None]] = {}

    def take(self, budget: Budget, *, now: datetime) -> Quota | None:
        """One permit, when this worker has one; None says: `count`. Raises `TooManyRequests` while there is none; so
        does `count`, and tells operators."""
        lease = self._leases.get(budget)
        if lease is None:
            return None
        if lease.closed_until is not None:
            if now >= lease.closed_until:
                return None
            raise TooManyRequests(retry_after=lease.closed_until - now, detail=f"{budget.policy}: {budget.rate}")
        if lease.permits <= 0 or now >= lease.until:
            return None
        lease.permits -= 1
        if lease.permits == lease.low and budget not in self._drawing:
            self._drawing[budget] = asyncio.create_task(self._fill(budget, lease, now))
        return Quota(lease.left + lease.permits, lease.full_at)

    async def count(self, budget: Budget, *, now: datetime) -> Quota:
        """One permit. Any number of callers that find none wait for one drawing. Raises `TooManyRequests`."""
        try:
            while (quota := self.take(budget, now=now)) is None:
                drawing = self._drawing.get(budget)
                if drawing is None:
                    drawing = self._drawing[budget] = asyncio.create_task(self._draw(budget, now))
                await asyncio.shield(drawing)
        except TooManyRequests:
            _refused.add(budget.policy)
            raise
        return quota

    async def _draw(self, budget: Budget, now: datetime) -> None:
        try:
            self._leases.keep(budget, await self._drawn(budget, now))
        finally:
            del self._drawing[budget]  # before those who wait look again: one that is done must not be waited for

    async def _fill(self, budget: Budget, lease: _Lease, now: datetime) -> None:
        try:
            drawn = await self._rates.draw(budget, budget.rate.batch - lease.permits, back=0)
        except StoreUnavailable:  # whoever finds none left will see
            return
        finally:
            del self._drawing[budget]
        lease.permits += drawn.granted
        lease.until, lease.left, lease.full_at = now + LEASED_FOR, drawn.left, now + drawn.full_in

    async def _drawn(self, budget: Budget, now: datetime) -> _Lease:
        before = self._leases.pop(budget, None)
        back = before.permits if before is not None and before.is_counted else 0
        try:
            drawn = await self._rates.draw(budget, budget.rate.batch, back=back)
        except StoreUnavailable as refusal:
            _log.info("requests are not counted", policy=budget.policy, reason=refusal.detail)
            return _Lease(_UNCOUNTED, now + _WITHOUT_ENGINE, 0, now, is_counted=False)
        closed_until = None if drawn.granted else now + drawn.next_in
        low = budget.rate.batch // 4 if budget.rate.batch >= _WORTH_FILLING else -1
        return _Lease(drawn.granted, now + LEASED_FOR, drawn.left, now + drawn.full_in, closed_until, low=low)
