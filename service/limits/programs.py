"""Who may try a secret that a program holds: a client secret, an API key."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from service.audit import Event, Kind, Refusals
from service.bounded import Bounded
from service.limits.meter import SHUT_OUT, Count, Counter, Failures, Meter, Step
from service.limits.network import network_of
from service.protocol.errors import StoreUnavailable, TooManyAttempts

_log = structlog.get_logger("gatepost.limits")


class ProgramGuard:
    """Counts failures of programs, and closes the door to their network; what goes well costs nothing at all.

    Such a secret is 256 random bits, which nobody guesses in any number of tries; the point is that a program gone
    wrong, or somebody who thinks otherwise, does not occupy us. So no attempt is announced to Redis before it is made:
    only a failure costs a round trip, and that tells this worker that the door is closed and until when. Other workers
    find out by a failure of their own: N workers let at most N - 1 more tries through for each time it closes. When
    Redis is away failures go uncounted; the answer is the same no.
    """

    def __init__(self, failures: Failures, meter: Meter, refusals: Refusals) -> None:
        self._failures = failures
        self._refusals = refusals
        self._meter = meter
        self._closed: Bounded[tuple[str, str], datetime] = Bounded()

    def check(self, who: str, address: Callable[[], str], *, now: datetime, is_told: bool = True) -> None:
        """Raises `TooManyAttempts` while the door of `who` is known to be closed to this network. Asks no store. Not
        `is_told` to operators is who will ask again about the same attempt."""
        if not self._closed:
            return
        place = (who, network_of(address()))
        until = self._closed.get(place)
        if until is None:
            return
        if now < until:
            if is_told:
                SHUT_OUT.add(self._meter.name)
            raise TooManyAttempts(retry_after=until - now, detail=f"closed: {self._meter.name}")
        del self._closed[place]

    async def failed(self, who: str, address: Callable[[], str], *, now: datetime) -> None:
        """Count a failure. Raises nothing."""
        network = network_of(address())
        try:
            [count] = await self._failures.step(Step.FAIL, [Counter(self._meter, who, network)])
        except StoreUnavailable as refusal:
            _log.info("failure not counted", door=self._meter.name, reason=refusal.detail)
            return
        if count.closed_for > timedelta(0):
            self._closed.keep((who, network), now + count.closed_for)
            if count.failures == self._meter.free:
                await self._tell_closed(who, network, count)

    async def _tell_closed(self, who: str, network: str, count: Count) -> None:
        _log.warning("closed after failures", door=self._meter.name, failures=count.failures, network=network)
        seconds = int(count.closed_for.total_seconds())
        detail = {"door": self._meter.name, "failures": count.failures, "seconds": seconds, "stopped": False}
        target, personal = f"{self._meter.name}:{who}", {"network": network}
        event = Event(Kind.DOOR_CLOSED, target=target, outcome="refused", detail=detail, personal=personal)
        with suppress(StoreUnavailable):  # as here nothing is raised; the log has it
            await self._refusals.note(event)
