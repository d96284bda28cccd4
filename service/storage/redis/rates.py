"""Budgets of requests in Redis: one number each, and one Lua call for each batch of permits."""

import hmac
from datetime import timedelta

from gatepost.encoding import encode_segment
from service.limits.rate import Budget, Drawn
from service.protocol.errors import StoreUnavailable
from service.storage.redis.keyspace import PREFIX, Keyspace
from service.storage.redis.link import RedisLink
from service.storage.redis.scripts import DRAW
from service.storage.redis.times import span_for_script

_MICROSECOND = timedelta(microseconds=1)


class RedisRates:
    """Implements `Rates`. A budget's name is a keyed digest; it goes when all of its permits are back."""

    def __init__(self, link: RedisLink, key: bytes, *, prefix: str = PREFIX) -> None:
        self._link = link
        self._key = key
        self._keys = Keyspace(prefix)

    async def draw(self, budget: Budget, want: int, *, back: int) -> Drawn:
        """See `Rates.draw`."""
        key = self._name(budget)
        command = DRAW.command((key,), budget.rate.permits, span_for_script(budget.rate.per), want, back)
        match await self._link.ask(key, command):
            case [int(drawn), int(left), int(full_in), int(next_in)]:
                return Drawn(drawn, left, full_in * _MICROSECOND, next_in * _MICROSECOND)
        raise StoreUnavailable("redis", detail="an answer that the script never gives")

    def _name(self, budget: Budget) -> str:
        parts = f"{budget.policy}\n{budget.rate}\n{budget.who}".encode("utf-8", "surrogatepass")
        return self._keys.budget(encode_segment(hmac.digest(self._key, parts, "sha256")[:16]).decode())
