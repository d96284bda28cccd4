"""`python -m bench.inside`: what limits, usage and metrics add to the protected request, in this process and without a
network. Some twenty seconds.

The same request, `/auth/verify` with a token that was seen before, is asked of workers that differ in one setting each,
in turns, so that a noisy moment hits all alike. What permits cost that are drawn behind the requests is in it.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import uvloop
from fastapi import FastAPI

from bench.stage import prepared
from service.app import create_app
from service.settings import load_settings
from service.web.edge import Edge
from tests.servers.gatepost import settings_for
from tests.servers.process import fast_folder
from tests.servers.valkey import ValkeyServer

REQUESTS, AT_ONCE, TURNS = 5_000, 32, 30
NEITHER = {"USAGE__COUNT": "false", "TELEMETRY__METRICS": "false"}
RATE = {"LIMITS__VERIFY_RATE": "100000000/h"}
WORKERS: dict[str, dict[str, str]] = {
    "neither limits, usage nor metrics": NEITHER,
    "limits alone": NEITHER | RATE,
    "usage alone": NEITHER | {"USAGE__COUNT": "true"},
    "metrics alone": NEITHER | {"TELEMETRY__METRICS": "true"},
    "limits and usage": NEITHER | RATE | {"USAGE__COUNT": "true"},
}


async def cost(edge: Edge, token: str) -> float:
    """Microseconds of processor time for each request, as the connection asks."""
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())]
    before = process_time()
    for _ in range(REQUESTS // AT_ONCE):
        for _ in range(AT_ONCE):
            scope: dict[str, Any] = {
                "type": "http",
                "method": "GET",
                "path": "/auth/verify",
                "query_string": b"",
                "headers": headers,
                "client": ("127.0.0.1", 5),
            }
            if edge.at_hand(scope, b"") is None and await edge.later(scope, b"") is None:
                raise RuntimeError("the request was refused")
        await asyncio.sleep(0)
    return (process_time() - before) * 1e6 / (REQUESTS // AT_ONCE * AT_ONCE)


async def main(folder: Path, redis_url: str) -> None:
    """Open the workers, let them take turns, print."""
    environ = settings_for(f"sqlite+aiosqlite:///{folder}/sqlite", redis_url, LOG__LEVEL="warning")
    async with prepared(folder, environ) as stage, AsyncExitStack() as stack:
        token = (await stage.sign_in()).access.token
        edges: dict[str, Edge] = {}
        for name, more in WORKERS.items():
            told = {f"GATEPOST_{setting}": value for setting, value in more.items()}
            edge = edges[name] = create_app(load_settings(environ | told))
            app: FastAPI = edge._app  # type: ignore[assignment]  # what it wraps
            await stack.enter_async_context(app.router.lifespan_context(app))
        spent: dict[str, list[float]] = {name: [] for name in edges}
        for turn in range(TURNS + 3):
            for name, edge in edges.items():
                found = await cost(edge, token)
                if turn >= 3:
                    spent[name].append(found)
    without = spent[next(iter(edges))]
    print("| /auth/verify, token seen before | CPU µs | best | more, in the median of turns |")
    print("| --- | ---: | ---: | ---: |")
    for name, costs in spent.items():
        more_than = median(own - other for own, other in zip(costs, without, strict=True))
        print(f"| {name} | {median(costs):.2f} | {min(costs):.2f} | {more_than:+.2f} |")


if __name__ == "__main__":
    folder = fast_folder()
    valkey = ValkeyServer(folder / "valkey")
    valkey.start()
    try:
        uvloop.run(main(folder, valkey.url))
    finally:
        valkey.kill()
