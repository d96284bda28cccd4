"""Who may try a secret that a person knows, or ask for a letter: asked before anything is compared."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from service.audit import Event, Kind, Refusals
from service.limits.known_devices import KnownDevice, Source
from service.limits.meter import SHUT_OUT, Count, Counter, Failures, Step
from service.limits.network import network_of
from service.limits.policy import Policy
from service.protocol.errors import Invalid, InvalidLogin, NotFound, Refusal, TooBusy, TooManyAttempts

_TRIES, _PAUSE = 20, timedelta(milliseconds=80)
_log = structlog.get_logger("gatepost.limits")


@dataclass(slots=True)
class Attempt:
    """One try that was let in. `user_id` is for the log, once it is known whose secret was tried."""

    user_id: str | None = None


class Guard:
    """Lets attempts in or refuses them, and learns how they ended.

    Each method but `letter` and `forget` is a block around the comparison: its refusal there is a failure, any other
    error is none, and a block that ends well resets the counter of that account, or of that device, and no other. While
    the block runs the attempt counts as a failure where racing guesses matter; those that find all room taken wait, for
    2 seconds at most. All raise `TooManyAttempts` while a door is closed, `TooBusy` and `StoreUnavailable`.
    """

    def __init__(self, failures: Failures, policy: Policy, refusals: Refusals) -> None:
        self._failures = failures
        self._refusals = refusals
        self._policy = policy

    @asynccontextmanager
    async def password(self, name: str, source: Source, device: KnownDevice | None = None) -> AsyncIterator[Attempt]:
        """A password, sent with this name in its one form. Whether there is such an account makes no difference.

        Strangers are counted together at the account, and by their network. A known `device` of the account is counted
        by itself alone: nobody else's failures close its door.
        """
        policy, network = self._policy, network_of(source.address)
        if device is not None:
            counters = [Counter(policy.device, device.user_id, device.device_id)]
        else:
            counters = [
                Counter(policy.account, name),
                Counter(policy.account_from_network, name, network),
                Counter(policy.network, network),
            ]
        async with self._tried(counters, InvalidLogin, network) as attempt:
            yield attempt

    @asynccontextmanager
    async def confirmation(self, user_id: str) -> AsyncIterator[None]:
        """The present password, of somebody who has signed in."""
        async with self._tried([Counter(self._policy.confirmation, user_id)], Invalid) as attempt:
            attempt.user_id = user_id
            yield

    @asynccontextmanager
    async def user_code(self, address: str) -> AsyncIterator[None]:
        """The user code of a device: `NotFound` says that it was none."""
        network = network_of(address)
        async with self._tried([Counter(self._policy.user_codes, network)], NotFound, network):
            yield

    async def letter(self, to: str, address: str) -> None:
        """Count one more letter that is asked for, to an e-mail address in its one form, from this network."""
        network = network_of(address)
        counters = [Counter(self._policy.letters_to, to), Counter(self._policy.letters_from, network)]
        await self._enter(counters)
        await self._fail(counters, Attempt(), network)

    async def forget(self, user_id: str, names: Sequence[str]) -> None:
        """Open an account's doors: it has a new password."""
        counters = [Counter(self._policy.account, name) for name in names]
        await self._failures.step(Step.RESET, [*counters, Counter(self._policy.confirmation, user_id)])

    @asynccontextmanager
    async def _tried(
        self, counters: Sequence[Counter], failure: type[Refusal], network: str = ""
    ) -> AsyncIterator[Attempt]:
        attempt = Attempt()
        await self._enter(counters)
        try:
            yield attempt
        except failure:
            await self._fail(counters, attempt, network)
            raise
        except Exception:
            await self._step(Step.RELEASE, [one for one in counters if one.meter.reserves])
            raise
        await self._step(Step.RESET, [one for one in counters if one.meter.resets])

    async def _enter(self, counters: Sequence[Counter]) -> None:
        for _ in range(_TRIES):
            counts = await self._failures.step(Step.BEGIN, counters)
            closed_for = max(count.closed_for for count in counts)
            if not closed_for and not any(count.is_busy for count in counts):
                return
            await self._step(
                Step.RELEASE, [one for one, count in zip(counters, counts, strict=True) if _holds(one, count)]
            )
            if closed_for:
                for counter, count in zip(counters, counts, strict=True):
                    if count.closed_for:
                        SHUT_OUT.add(counter.meter.name)
                raise TooManyAttempts(retry_after=closed_for, detail=_closed(counters, counts))
            await asyncio.sleep(_PAUSE.total_seconds())
        raise TooBusy(retry_after=timedelta(seconds=1), detail="too many attempts at one account at once")

    async def _fail(self, counters: Sequence[Counter], attempt: Attempt, network: str) -> None:
        counts = await self._failures.step(Step.FAIL, counters)
        for counter, count in zip(counters, counts, strict=True):
            meter = counter.meter
            if not count.closed_for or count.failures not in (meter.free, meter.stop):
                continue
            stopped = bool(meter.stop) and count.failures >= meter.stop
            seconds = int(count.closed_for.total_seconds())
            _log.warning(
                "stopped until it is reset" if stopped else "closed after failures",
                door=meter.name,
                failures=count.failures,
                seconds=seconds,
                user_id=attempt.user_id,
                network=network,
            )
            detail = {"door": meter.name, "failures": count.failures, "seconds": seconds, "stopped": stopped}
            personal = {"network": network}
            await self._refusals.note(
                Event(
                    Kind.DOOR_CLOSED, subject=attempt.user_id or "", outcome="refused", detail=detail, personal=personal
                )
            )

    async def _step(self, step: Step, counters: Sequence[Counter]) -> None:
        if counters:
            await self._failures.step(step, counters)


def _holds(counter: Counter, count: Count) -> bool:
    return counter.meter.reserves and not count.closed_for and not count.is_busy


def _closed(counters: Sequence[Counter], counts: Sequence[Count]) -> str:
    closed = [one.meter.name for one, count in zip(counters, counts, strict=True) if count.closed_for]
    return f"closed: {', '.join(closed)}"
