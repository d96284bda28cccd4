"""Whose figure counts while the ledger is away, and what a request costs while it is not."""

from datetime import timedelta

import pytest
from starlette.types import Scope

from gatepost.principal import Principal
from service import clock
from service.app import House
from service.limits import Rate
from service.protocol.errors import StoreUnavailable, TooManyRequests
from service.web.fields import RATE_FIELDS
from service.web.throttle import Policy
from tests.rooms import counted
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio


def calls(client_id: str) -> Principal:
    return Principal(subject=client_id, kind="client", scheme="bearer", scopes=frozenset(), client_id=client_id)


def figure(scope: Scope) -> int:
    """How many permits the budget has that was charged."""
    (_, limit), (_, policy) = scope[RATE_FIELDS]
    assert limit.startswith(b'"api";r=')
    return int(policy.split(b";")[1].removeprefix(b"q="))


async def test_while_the_ledger_is_away_a_client_keeps_the_figure_it_had_and_others_have_the_policys(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, now = house.rooms.client_directory, clock.now()
    policy = Policy("api", Rate.parse("20/h"), house.permits, directory)
    known, unknown = [
        (await house.rooms.clients.create("C", confidential=True, scopes=(), now=now, rate=Rate.parse("500/h")))[0].id
        for _ in range(2)
    ]
    scope: Scope = {}
    await policy.charge(scope, calls(known), now=now)
    assert figure(scope) == 500

    later = now + timedelta(minutes=2)
    monkeypatch.setattr(directory, "_now", lambda: later)

    async def away(*_: object) -> None:
        raise StoreUnavailable("sql")

    monkeypatch.setattr(house.database, "fetch_one", away)
    with pytest.raises(StoreUnavailable):
        await directory.find(known)
    for client_id, permits in ((known, 500), (unknown, 20)):
        assert not policy.take(scope, calls(client_id), now=later)
        await policy.charge(scope, calls(client_id), now=later)
        assert figure(scope) == permits


async def test_a_permit_that_is_at_hand_asks_no_store_and_a_spent_budget_neither(
    house: House, valkey_server: ValkeyServer
) -> None:
    now, scope = clock.now(), dict[str, object]()
    client, _ = await house.rooms.clients.create("C", confidential=True, scopes=(), now=now, rate=Rate.parse("1000/d"))
    policy = Policy("api", Rate.parse("20/h"), house.permits, house.rooms.client_directory)
    assert not policy.take(scope, calls(client.id), now=now)
    assert scope == {}
    await policy.charge(scope, calls(client.id), now=now)
    with counted(house, valkey_server) as asked:
        assert all(policy.take(scope, calls(client.id), now=now) for _ in range(9))
    assert (asked.sql, asked.redis) == (0, 0)
    assert not policy.take(scope, calls(client.id), now=now)
    for _ in range(990):
        await policy.charge(scope, calls(client.id), now=now)
    with pytest.raises(TooManyRequests):
        await policy.charge(scope, calls(client.id), now=now)
    with counted(house, valkey_server) as asked:
        for _ in range(3):
            with pytest.raises(TooManyRequests):
                await policy.charge(scope, calls(client.id), now=now)
            with pytest.raises(TooManyRequests):
                policy.take(scope, calls(client.id), now=now)
    assert (asked.sql, asked.redis) == (0, 0)


async def test_a_claim_of_a_token_is_no_figure(house: House) -> None:
    """Only what this service has read of an API key says how much may be asked with it."""
    now, scope = clock.now(), dict[str, object]()
    forged = Principal("u", "user", "bearer", frozenset(), claims={"rate": "unlimited"})
    await Policy("api", Rate.parse("20/h"), house.permits, house.rooms.client_directory).charge(scope, forged, now=now)
    assert figure(scope) == 20
