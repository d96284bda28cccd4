"""Passwords and revocations: what a sign-in costs, what it does to everybody else, and how soon a logout is seen."""

import asyncio
import json
from statistics import quantiles
from time import perf_counter, process_time

import httpx2
from argon2 import PasswordHasher, Type

from bench.load import load, request
from bench.stage import Stage
from bench.workers import SERVER_CORE, Worker, on_core
from service.identifiers import new_id
from tests.rooms import add_user
from tests.servers.gatepost import PASSWORD, bearer

_PEOPLE = 4
_PROBE_EVERY = 0.005
_LEAST = 20
"""Samples, however slow the machine is."""


async def sign_ins(stage: Stage, worker: Worker, *, seconds: float) -> list[str]:
    """Four people sign in without pause while somebody else asks something small every 5 ms. None of them comes to a
    hundred sessions, where each new one ends an old one."""
    names = [f"bench-{new_id()}" for _ in range(_PEOPLE)]
    for name in names:
        await add_user(stage.house, name)
    asked = [json.dumps({"username": name, "password": PASSWORD}).encode() for name in names]
    requests = [request("/auth/login", method="POST", body=body) for body in asked]
    alone = await _probe(worker, seconds=min(seconds, 1))
    before = worker.cpu()
    done, beside = await asyncio.gather(
        load(worker.port, lambda number, _: requests[number], seconds=seconds, connections=_PEOPLE),
        _probe(worker, seconds=seconds),
    )
    cost = (worker.cpu() - before) * 1e3 / len(done.latencies)
    bare = _bare_hash()
    lag = [later - sooner for later, sooner in zip(_cuts(beside), _cuts(alone), strict=True)]
    return [
        f"- sign-in: {cost:.1f} ms of CPU, {bare:.1f} ms for argon2-cffi alone: share {bare / cost:.2f} (G7: 0.90);",
        f"  meanwhile others wait {lag[0]:.2f} ms longer at p50, {lag[1]:.2f} ms at p99 (G7: 5 ms)",
    ]


async def revocation_delay(stage: Stage, ended_at: Worker, seen_at: Worker, *, times: int) -> list[str]:
    """Log out at one worker; from its answer on, ask another until it refuses."""
    delays = []
    async with httpx2.AsyncClient() as client:
        for _ in range(times):
            pair = await stage.sign_in()
            fields = bearer(pair.access.token)
            assert (await client.get(seen_at.url, headers=fields)).status_code == 200
            ended = await client.post(f"{ended_at.url}/auth/logout", json={"refresh_token": pair.refresh_token})
            assert ended.status_code == 204
            acknowledged = perf_counter()
            while (await client.get(seen_at.url, headers=fields)).status_code == 200:
                assert perf_counter() - acknowledged < 10
            delays.append(perf_counter() - acknowledged)
    p50, p99 = _cuts(delays)
    return [
        f"- a logout is refused by another worker {p50:.1f} ms after its answer at p50, {p99:.1f} ms at p99,",
        f"  {max(delays) * 1e3:.1f} ms at most, of {times} (G8: 250 ms at p99, 1 s at most)",
    ]


async def _probe(worker: Worker, *, seconds: float) -> list[float]:
    latencies = []
    until = perf_counter() + seconds
    async with httpx2.AsyncClient(base_url=worker.url) as client:
        await client.get("/livez")
        while perf_counter() < until or len(latencies) < _LEAST:
            asked_at = perf_counter()
            await client.get("/livez")
            latencies.append(perf_counter() - asked_at)
            await asyncio.sleep(_PROBE_EVERY)
    return latencies


def _bare_hash() -> float:
    """Milliseconds of processor time of one verification with the server's parameters, on the server's core."""
    hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
    text = hasher.hash(PASSWORD)
    with on_core(SERVER_CORE):
        before = process_time()
        for _ in range(20):
            hasher.verify(text, PASSWORD)
        return (process_time() - before) * 1e3 / 20


def _cuts(seconds: list[float]) -> tuple[float, float]:
    cuts = quantiles(seconds, n=100)
    return cuts[49] * 1e3, cuts[98] * 1e3
