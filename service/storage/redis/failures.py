"""Counters of failures in Redis: each step of each counter is one Lua call, and all of an attempt go in one round trip.

A counter's name is a keyed digest, so Redis holds neither names nor addresses, and every key has the same short length.
Each key's life is set by the same script that writes it.
"""

import hmac
import secrets
from collections.abc import Sequence
from datetime import timedelta

import structlog

from gatepost.encoding import encode_segment
from service.limits import Count, Counter, Step
from service.protocol.errors import StoreUnavailable
from service.storage.redis.keyspace import PREFIX, Keyspace
from service.storage.redis.link import RedisLink
from service.storage.redis.scripts import ATTEMPT
from service.storage.redis.times import span_for_script
from service.storage.redis.wire import Reply

_MICROSECOND = timedelta(microseconds=1)
_log = structlog.get_logger("gatepost.limits")


class RedisFailures:
    """Implements `Failures`.

    A mark lies beside the counters. When it has gone, so have they (somebody flushed Redis, or it came back without its
    data): that is logged, once by each worker that had seen the mark.
    """

    def __init__(self, link: RedisLink, key: bytes, *, prefix: str = PREFIX) -> None:
        self._link = link
        self._key = key
        self._keys = Keyspace(prefix)
        self._mark: bytes | None = None

    async def step(self, step: Step, counters: Sequence[Counter]) -> Sequence[Count]:
        """See `Failures.step`."""
        mark, new = self._keys.failures_mark, secrets.token_hex(8)
        questions = [(key := self._name(counter), _command(key, step, counter)) for counter in counters]
        seen, *replies = await self._link.ask_all([(mark, ("SET", mark, new, "NX", "GET")), *questions])
        self._look_at(seen, new.encode())
        return [_count(reply) for reply in replies]

    def _look_at(self, seen: Reply, new: bytes) -> None:
        """`seen` is the mark that was there, None when it was not and `new` is there now."""
        present = seen if isinstance(seen, bytes) else new
        if self._mark is not None and present != self._mark:
            _log.warning("counters of failures were lost: Redis was flushed or came back without them")
        self._mark = present

    def _name(self, counter: Counter) -> str:
        return self._keys.failures(self._digest(counter.meter.name, counter.who), self._digest("", counter.where))

    def _digest(self, *parts: str) -> str:
        text = "\n".join(parts).encode("utf-8", "surrogatepass")
        return encode_segment(hmac.digest(self._key, text, "sha256")[:16]).decode()


def _command(key: str, step: Step, counter: Counter) -> tuple[str | bytes | int, ...]:
    meter = counter.meter
    spans = (meter.first, meter.longest, meter.memory, meter.longest_memory, meter.pace)
    return ATTEMPT.command(
        (key,), step, int(meter.reserves), meter.free, meter.stop, *(span_for_script(span) for span in spans)
    )


def _count(reply: Reply) -> Count:
    match reply:
        case [int(failures), int(closed_for), int(is_busy)]:
            return Count(failures, closed_for * _MICROSECOND, bool(is_busy))
    raise StoreUnavailable("redis", detail="an answer that the script never gives")
