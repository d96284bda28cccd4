"""Usage over two workers: totals are what the callers counted themselves, also after a stop, a crash and an outage."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple

import httpx2
import pytest
from sqlalchemy import select

from service import clock
from service.storage.sql.tables import USAGE_WORKERS
from service.usage import OUTCOMES, Dimension, Question
from service.web.oauth.errors import INTROSPECT, TOKEN
from tests.fleet.stand import Stand
from tests.servers.gatepost import PASSWORD, Fleet, bearer
from tests.web.running import basic

pytestmark = pytest.mark.anyio
Row = tuple[str, ...]
"""Kind, subject, client, API key, route, outcome."""

_number = count(1)
NOBODYS = ("nobody", "", "", "")


@pytest.fixture(scope="module")
def fleet_settings() -> dict[str, str]:
    """What is in the ledger before the end was written early or by a worker that stopped, and not by the way."""
    return {"USAGE__FLUSH_EVERY": "5m", "LIMITS__VERIFY_RATE": "40/h"}


@dataclass
class Caller:
    """One way to show who calls, and what it is counted as. `shows` goes with `asks`."""

    kind: str
    subject: str
    client_id: str
    api_key_id: str
    headers: dict[str, str]
    asks: tuple[tuple[str, str, str], ...] = (
        ("GET", "/auth/verify", "/auth/verify"),
        ("HEAD", "/auth/verify", "/auth/verify"),
        ("GET", "/auth/verify?scope=none:such", "/auth/verify"),
        ("GET", "/users/me", "/users/me"),
        ("GET", "/admin/users", "/admin/users"),
        ("DELETE", "/users/me/sessions/none", "/users/me/sessions/{session_id}"),
    )
    form: dict[str, str] | None = None


ANYBODY = (
    ("POST", "/auth/verify", "/auth/verify"),
    ("PUT", "/users/me", "/users/me"),
    ("GET", "/no/such/path", "unmatched"),
    ("GET", "/users/me", "/users/me"),
)


async def callers(fleet: Fleet) -> list[Caller]:
    """A token, a key, Basic, a client by Basic and at the endpoints of OAuth, a bad token, and nothing."""
    number = next(_number)
    ada, bob, carl = [await fleet.add_user(f"{name}{number}") for name in ("ada", "bob", "carl")]
    token = (await fleet.sign_in(f"ada{number}"))["access_token"]
    rooms, now = fleet.house.rooms, clock.now()
    key = await rooms.api_keys.create(bob.id, "till", scopes=(), within=frozenset(), networks=(), life=None, now=now)
    client, secret = await rooms.clients.create("service", confidential=True, scopes=(), now=now)
    proof = basic(client.id, secret or "")
    oauth = ((TOKEN, {"grant_type": "client_credentials"}), (INTROSPECT, {"token": token}))
    return [
        Caller("user", ada.id, "gatepost", "", bearer(token)),
        Caller("user", bob.id, "", key.key.id, {"X-API-Key": key.text}),
        Caller("user", carl.id, "", "", basic(f"carl{number}", PASSWORD)),
        Caller("client", client.id, client.id, "", proof),
        *(Caller("client", client.id, client.id, "", proof, (("POST", path, path),), form) for path, form in oauth),
        Caller("nobody", "", "", "", bearer(token[:-3]), ANYBODY[3:]),
        Caller("nobody", "", "", "", {}, ANYBODY),
    ]


class Answer(NamedTuple):
    """A request that was answered, as its caller counts it."""

    worker: str
    at: datetime
    row: Row
    status: int


class Own(list[Answer]):
    """What callers have counted themselves."""

    async def ask(self, client: httpx2.AsyncClient, caller: Caller) -> None:
        """One request of this caller. Raises `httpx2.HTTPError` where no answer came."""
        method, path, route = random.choice(caller.asks)
        answer = await client.request(method, path, headers=caller.headers, data=caller.form)
        is_known = answer.status_code != 405  # which is said before anybody is asked who calls
        who = (caller.kind, caller.subject, caller.client_id, caller.api_key_id) if is_known else NOBODYS
        row = (*who, route, OUTCOMES[answer.status_code])
        self.append(Answer(str(client.base_url), clock.now(), row, answer.status_code))

    async def ask_on(self, client: httpx2.AsyncClient, callers: list[Caller]) -> None:
        """One request after the other, until the server has gone."""
        while True:
            try:
                await self.ask(client, random.choice(callers))
            except httpx2.HTTPError:
                return

    @property
    def rows(self) -> Counter[Row]:
        """Requests by what they are counted as."""
        return Counter(answer.row for answer in self)


async def counted(fleet: Fleet) -> Counter[Row]:
    """All that is in the ledger, but for the routes that the stand itself asks."""
    totals = await fleet.house.rooms.usage.totals(Question(by=frozenset(Dimension)), after="", limit=10_000)
    found: Counter[Row] = Counter()
    for one in totals:
        row = (one.kind, one.subject, one.client_id, one.api_key_id, one.route, one.outcome)
        if one.route not in ("/readyz", "/livez", "/auth/login"):
            found[tuple(map(str, row))] = one.requests
    return found


@asynccontextmanager
async def asking(fleet: Fleet, callers: list[Caller]) -> AsyncIterator[Own]:
    """Eight callers ask until the workers have gone."""
    own = Own()
    tasks = [asyncio.create_task(own.ask_on(fleet.clients[place % len(fleet.clients)], callers)) for place in range(8)]
    async with asyncio.timeout(60):
        yield own
        await asyncio.gather(*tasks)


async def test_totals_are_what_the_callers_counted_when_workers_stop_in_their_midst(fleet: Fleet) -> None:
    async with asking(fleet, await callers(fleet)) as own:
        while len(own) < 800 or len({answer.status for answer in own}) < 6:
            await asyncio.sleep(0.01)
        assert await counted(fleet) == {}, "the time for writing has not come"
        await asyncio.gather(*(asyncio.to_thread(worker.stop, signal.SIGTERM) for worker in fleet.workers))
    assert await counted(fleet) == own.rows
    assert {answer.status for answer in own} >= {200, 401, 403, 404, 405, 429}
    assert {row[0] for row in own.rows} == {"user", "client", "nobody"}


async def test_of_a_worker_that_is_killed_what_came_after_its_last_writing_is_lost_and_no_more(fleet: Fleet) -> None:
    for worker in fleet.workers:
        worker.set_environ(GATEPOST_USAGE__FLUSH_EVERY="200ms", GATEPOST_LIMITS__VERIFY_RATE="unlimited")
        worker.start()
    await fleet.ready()
    before = await counted(fleet)
    async with asking(fleet, await callers(fleet)) as own:
        while len(own) < 500 or (await counted(fleet)).total() < before.total() + 200:
            await asyncio.sleep(0.05)
        killed_at = clock.now()
        for worker in fleet.workers:
            worker.kill()
    found = await counted(fleet)
    found.subtract(before)
    rows = await fleet.house.database.fetch_all(select(USAGE_WORKERS.c.at).order_by(USAGE_WORKERS.c.at.desc()).limit(2))
    written_at = min(row[0] for row in rows)
    assert killed_at - written_at < timedelta(seconds=5)
    certain = Counter(answer.row for answer in own if answer.at < written_at)
    assert certain.total() >= 100
    assert certain <= found
    assert (found - own.rows).total() <= 8, "answers that were on their way"


async def test_while_the_ledger_leaves_and_returns_nothing_is_lost_and_nothing_counts_twice(stand: Stand) -> None:
    fleet = stand.fleet
    [worker] = fleet.workers
    worker.set_environ(GATEPOST_USAGE__FLUSH_EVERY="100ms")
    await asyncio.to_thread(worker.stop)
    worker.start()
    await fleet.ready()
    token = (await fleet.sign_in("ada"))["access_token"]
    ada = (await fleet.house.rooms.directory.get_named("ada")).id
    before = await counted(fleet)
    known = [
        Caller("user", ada, "gatepost", "", bearer(token), (("GET", "/auth/verify", "/auth/verify"),)),
        Caller("nobody", "", "", "", {}, ANYBODY),
    ]
    async with asking(fleet, known) as own:
        for leaves in (stand.sql.proxy.black_hole, stand.sql.proxy.refuse):
            await asyncio.sleep(0.3)
            left = leaves()
            if left is not None:
                await left
            await asyncio.sleep(0.5)
            await stand.sql.proxy.restore()
        await fleet.ready()
        await asyncio.to_thread(worker.stop)
    found = await counted(fleet)
    found.subtract(before)
    assert +found == own.rows
