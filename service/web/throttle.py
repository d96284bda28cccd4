"""What a request costs its caller, and the fields that tell (draft-ietf-httpapi-ratelimit-headers)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from starlette.types import Scope

from gatepost.principal import Principal
from service.clients.client import FIRST_PARTY, Client
from service.credentials.api_key import RATE
from service.limits import Budget, Permits, Quota, Rate, network_of
from service.protocol.errors import StoreUnavailable, TooManyRequests
from service.web.fields import RATE_FIELDS, Field
from service.web.once import OncePerObject


class KnownFigures(Protocol):
    """The clients, with the figures that some of them have."""

    def recall(self, client_id: str, *, now: datetime) -> Client | None:
        """The client from memory alone, as it is; None says: ask `find`."""

    def last_known(self, client_id: str) -> Client | None:
        """As it was when it was last read."""

    async def find(self, client_id: str) -> Client | None:
        """The client. Raises `StoreUnavailable`."""


class _Account:
    """A budget, and the fields that tell of it."""

    __slots__ = ("_limit", "_policy", "budget")

    def __init__(self, budget: Budget) -> None:
        name, rate = budget.policy.encode(), budget.rate
        self.budget = budget
        self._limit = b'"%b";r=%%d;t=%%d' % name
        self._policy = (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (name, rate.permits, int(rate.per.total_seconds())))

    def fields(self, quota: Quota, now: datetime) -> tuple[Field, Field]:
        """`r` permits are left, and all are back in `t` seconds; `q` is how many there are in `w` seconds."""
        ahead = quota.full_at - now
        reset = ahead.days * 86_400 + ahead.seconds + (ahead.microseconds > 0)
        return (b"ratelimit", self._limit % (quota.left, max(reset, 0))), self._policy


class Policy:
    """Charges requests to the budgets of their callers under one name. Which route is asked, and how its address is
    spelled, makes no difference.

    An API key and a client have a budget each, an application has one for each person who uses it, and everything else
    that a person signs in with shares one. A key and a client may have a figure of their own in place of the policy's.
    """

    def __init__(self, name: str, rate: Rate, permits: Permits, clients: KnownFigures) -> None:
        self._name = name
        self._rate = rate
        self._permits = permits
        self._clients = clients
        self._of_caller = OncePerObject(self._account_of_caller)
        self._of_client = OncePerObject(self._account_of_client)

    def take(self, scope: Scope, caller: Principal, *, now: datetime) -> bool:
        """Charge a request where a permit is at hand. False has changed nothing and says: `charge`. Raises
        `TooManyRequests`."""
        if caller.kind == "client":
            client = self._clients.recall(caller.subject, now=now)
            return client is not None and self.take_from(scope, client, now=now)
        return self._take(scope, self._find_account(caller), now)

    def take_from(self, scope: Scope, client: Client, *, now: datetime) -> bool:
        """The same for a client that calls as itself."""
        return self._take(scope, self._find_account_of(client), now)

    async def charge(self, scope: Scope, caller: Principal, *, now: datetime) -> None:
        """Charge a request. Raises `TooManyRequests`."""
        client = await self._find(caller.subject) if caller.kind == "client" else None
        await self._count(scope, self._find_account(caller) if client is None else self._find_account_of(client), now)

    async def charge_to(self, scope: Scope, client: Client, *, now: datetime) -> None:
        """The same for a client that calls as itself."""
        await self._count(scope, self._find_account_of(client), now)

    def _take(self, scope: Scope, account: _Account | None, now: datetime) -> bool:
        if account is None:
            return True
        quota = self._permits.take(account.budget, now=now)
        if quota is None:
            return False
        scope[RATE_FIELDS] = account.fields(quota, now)
        return True

    async def _count(self, scope: Scope, account: _Account | None, now: datetime) -> None:
        if account is None:
            return
        try:
            quota = await self._permits.count(account.budget, now=now)
        except TooManyRequests as refusal:
            scope[RATE_FIELDS] = account.fields(Quota(0, now + refusal.retry_after), now)
            raise
        scope[RATE_FIELDS] = account.fields(quota, now)

    async def _find(self, client_id: str) -> Client | None:
        """With the figure that it had when it was last read, while nobody can say whether that has changed."""
        try:
            return await self._clients.find(client_id)
        except StoreUnavailable:
            return self._clients.last_known(client_id)

    def _find_account(self, caller: Principal) -> _Account | None:
        """None for who may ask without end; most callers of most policies cost no more than this look."""
        if not self._rate.permits and caller.scheme != "api_key":
            return None
        return self._of_caller(caller)

    def _find_account_of(self, client: Client) -> _Account | None:
        if not self._rate.permits and client.rate is None:
            return None
        return self._of_client(client)

    def _account_of_caller(self, caller: Principal) -> _Account | None:
        own = caller.claims.get(RATE) if caller.scheme == "api_key" else None
        return self._account(_who(caller), Rate.parse(own) if isinstance(own, str) else None)

    def _account_of_client(self, client: Client) -> _Account | None:
        return self._account(f"client {client.id}", client.rate)

    def _account(self, who: str, own: Rate | None) -> _Account | None:
        rate = self._rate if own is None else own
        return _Account(Budget(self._name, who, rate)) if rate.permits else None


@dataclass(frozen=True, slots=True)
class Throttle:
    """The policies that there are: `api`, `verify` and `oauth` charge who is known, `network` and `pages` figures are
    for the networks of who is not."""

    permits: Permits
    api: Policy
    verify: Policy
    oauth: Policy
    network: Rate
    pages: Rate

    async def open_call(self, address: Callable[[], str], *, client_id: str = "", now: datetime) -> None:
        """Charge a call of somebody who is not known yet, and tell nobody what is left. A client that says who it is
        and proves nothing has a budget for each network, apart from all others there. Raises `TooManyRequests`."""
        if self.network.permits:
            who = f"{network_of(address())} {client_id}".rstrip()
            await self.permits.count(Budget("network", who, self.network), now=now)

    async def page(self, address: Callable[[], str], *, now: datetime) -> None:
        """Charge a page. Raises `TooManyRequests`."""
        if self.pages.permits:
            await self.permits.count(Budget("pages", network_of(address()), self.pages), now=now)


def _who(caller: Principal) -> str:
    if caller.scheme == "api_key" or caller.kind == "client" or caller.client_id in (None, FIRST_PARTY):
        return f"{caller.kind} {caller.credential_id if caller.scheme == 'api_key' else caller.subject}"
    return f"{caller.kind} {caller.subject} {caller.client_id}"
