"""What a request costs its caller, and the fields that tell (draft-ietf-httpapi-ratelimit-headers)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from starlette.types import Scope

from gatepost.principal import Principal
from service.clients.client import FIRST_PARTY
from service.limits import Budget, Permits, Quota, Rate, network_of
from service.protocol.errors import TooManyRequests

RATE_FIELDS = "gatepost.rate"
"""In the scope of a request: the fields about its budget, for its answer."""

Field = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Throttle:
    """Charges requests to budgets. Which route is asked, and how its address is spelled, makes no difference.

    An API key and a client have a budget each, an application has one for each person who uses it, and everything else
    that a person signs in with shares one. Where nobody is known, the network is charged.
    """

    permits: Permits
    api: Rate
    verify: Rate
    network: Rate

    async def api_call(self, scope: Scope, caller: Principal, *, now: datetime) -> None:
        """Charge a call of the JSON API. Raises `TooManyRequests`."""
        await self._charge(scope, "api", self.api, caller, now)

    async def open_call(self, address: Callable[[], str], *, now: datetime) -> None:
        """Charge a call of somebody who is not known yet, and tells nobody what is left. Raises `TooManyRequests`."""
        if self.network.permits:
            await self.permits.count(Budget("network", network_of(address()), self.network), now=now)

    def verify_at_once(self, caller: Principal, *, now: datetime) -> list[Field] | None:
        """Charge `/auth/verify` where a permit is at hand: the fields of its answer. None says: ask `verify_call`.
        Raises `TooManyRequests`."""
        if not self.verify.permits:
            return []
        budget = Budget("verify", _who(caller), self.verify)
        quota = self.permits.take(budget, now=now)
        return None if quota is None else _fields(budget, quota, now)

    async def verify_call(self, scope: Scope, caller: Principal, *, now: datetime) -> list[Field]:
        """Charge `/auth/verify`: the fields of its answer. Raises `TooManyRequests`."""
        await self._charge(scope, "verify", self.verify, caller, now)
        fields: list[Field] = scope.pop(RATE_FIELDS, [])
        return fields

    async def _charge(self, scope: Scope, policy: str, rate: Rate, caller: Principal, now: datetime) -> None:
        if not rate.permits:
            return
        budget = Budget(policy, _who(caller), rate)
        try:
            quota = await self.permits.count(budget, now=now)
        except TooManyRequests as refusal:
            scope[RATE_FIELDS] = _fields(budget, Quota(0, now + refusal.retry_after), now)
            raise
        scope[RATE_FIELDS] = _fields(budget, quota, now)


def _who(caller: Principal) -> str:
    if caller.scheme == "api_key" or caller.kind == "client" or caller.client_id in (None, FIRST_PARTY):
        return f"{caller.kind} {caller.credential_id if caller.scheme == 'api_key' else caller.subject}"
    return f"{caller.kind} {caller.subject} {caller.client_id}"


def _fields(budget: Budget, quota: Quota, now: datetime) -> list[Field]:
    """`r` permits are left, and all are back in `t` seconds; `q` is how many there are in `w` seconds."""
    name, rate = budget.policy.encode(), budget.rate
    reset = max(ceil((quota.full_at - now).total_seconds()), 0)
    return [
        (b"ratelimit", b'"%b";r=%d;t=%d' % (name, quota.left, reset)),
        (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (name, rate.permits, int(rate.per.total_seconds()))),
    ]
