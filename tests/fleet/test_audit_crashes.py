"""Workers that are killed at random: every acknowledged act is one row, no refused one is, and the chain is whole."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import func, select

from service.storage.sql.tables import AUDIT
from tests.servers.gatepost import Fleet, bearer

pytestmark = pytest.mark.anyio
ACTS = 240
ACTS_A_KILL = 100
"""So the short form kills twice, and the full one, `--rounds 20000`, two hundred times."""
AT_ONCE = 4
"""Callers of each worker."""


@pytest.fixture(scope="module")
def fleet_settings() -> dict[str, str]:
    """Heads often, so that some are written between two deaths."""
    return {"AUDIT__HEAD_EVERY": "1s"}


class Acts:
    """Renames of an API key, each with an id of its own, and what became of each."""

    def __init__(self, fleet: Fleet, asked: int, path: str, headers: dict[str, str]) -> None:
        self.fleet = fleet
        self.left = iter(range(asked))
        self.path = path
        self.headers = headers
        self.kills = 0
        self.became: dict[str, int] = {}
        """Status by request id; 0 when the worker died before it had answered."""

    async def call(self, worker: int) -> None:
        """Ask one worker again and again, until all is asked."""
        for number in self.left:
            request_id = f"crash-{number}"
            try:
                answer = await self.fleet.clients[worker].patch(
                    self.path, json={"name": f"name {number}"}, headers={**self.headers, "X-Request-ID": request_id}
                )
                self.became[request_id] = answer.status_code
            except httpx2.HTTPError:
                self.became[request_id] = 0
                await asyncio.sleep(0.05)

    async def kill_now_and_then(self) -> None:
        """Kill a worker after each so many acts, and start it again."""
        while True:
            due = (self.kills + 1) * ACTS_A_KILL - random.randrange(ACTS_A_KILL // 2)
            while len(self.became) < due:
                await asyncio.sleep(0.001)
            worker = random.choice(self.fleet.workers)
            worker.kill()
            self.kills += 1
            worker.start()


@pytest.mark.timeout(7200)
async def test_rows_are_the_acknowledged_acts_however_workers_die(fleet: Fleet, rounds: int) -> None:
    await fleet.add_user("ada")
    headers = bearer((await fleet.sign_in("ada"))["access_token"])
    made = await fleet.clients[0].post("/users/me/api-keys", json={"name": "k", "scopes": []}, headers=headers)
    acts = Acts(fleet, rounds or ACTS, f"/users/me/api-keys/{made.json()['id']}", headers)
    killing = asyncio.create_task(acts.kill_now_and_then())
    await asyncio.gather(*(acts.call(worker) for worker in (0, 1) * AT_ONCE))
    killing.cancel()
    await fleet.ready()

    rows = await fleet.house.database.fetch_all(
        select(AUDIT.c.request_id, func.count()).where(AUDIT.c.request_id.like("crash-%")).group_by(AUDIT.c.request_id)
    )
    written: dict[str, int] = {str(row[0]): int(row[1]) for row in rows}
    became = Counter(acts.became.values())
    acknowledged = {request_id for request_id, status in acts.became.items() if status == 204}
    unknown = {request_id for request_id, status in acts.became.items() if status in (0, 503)}
    assert len(acts.became) == (rounds or ACTS) == len(acknowledged | unknown), became
    assert set(written.values()) == {1}
    assert acknowledged <= written.keys() <= acknowledged | unknown

    async with asyncio.timeout(30):
        while await fleet.house.rooms.audit.unsealed_after("", limit=1):
            await asyncio.sleep(0.1)
    files = [worker.log.parent / "audit-heads" for worker in fleet.workers]
    heads = await fleet.house.read_heads(line for file in files for line in _lines(file))
    found = await fleet.house.rooms.audit_verification.check(heads)
    assert (found.broken, found.unsealed) == (None, 0)
    assert found.rows > len(written)
    assert found.heads > 0
    print(f"\n{acts.kills} kills; {len(acknowledged)} acts acknowledged, {became[0]} cut off, {became[503]} refused")
    print(f"{len(written)} rows, {found.rows} with all that was noted besides; {found.heads} heads")


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
