"""`python -m bench`: compare, print, go. Loopback only; about 3 minutes, `--quick` about one.

The servers stay on core 0, this client and the stores on core 1. What counts is the processor time of the server's
process for each request (user and system): requests per second move by half with whatever else the machine does.
"""

import argparse
import json
import os
import platform
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import uvloop

from bench import oauth, peer
from bench.load import CONNECTIONS, Source, each_once, request, same
from bench.race import Subject, always, costs, race, shares, surplus
from bench.sign_in import revocation_delay, sign_ins
from bench.stage import SCOPE, Stage, prepared
from bench.workers import CLIENT_CORE, IS_PINNED, SERVER_CORE, GatepostWorker, Worker, on_core
from service.sessions.pairs import TokenPair
from tests.servers.gatepost import settings_for
from tests.servers.process import fast_folder, free_ports
from tests.servers.valkey import ValkeyServer

NEW_TOKENS_PER_SECOND = 15_000
"""More than any server here can judge."""

MORE_THAN_COMES = "100000000/h"
"""A rate that takes part in every request and refuses none."""

FREE, COUNTED = "server: /auth/verify, neither limits nor usage", "server: /auth/verify, with limits and usage"
HELLO, ROUTE, TRIVIAL = "uvicorn, ASGI hello", "FastAPI route", "FastAPI route, trivial dependency"


GUARDS, OAUTH = "guards", "oauth"
Start = Callable[[Worker | ValkeyServer], None]


async def main(rounds: int, seconds: float, only: str | None) -> None:
    """Start everything, run the races, print the tables, end everything."""
    folder = fast_folder()
    with ExitStack() as stack:

        def start(server: Worker | ValkeyServer) -> None:
            server.start()
            stack.callback(server.kill)

        start(valkey := ValkeyServer(folder / "valkey"))
        port = free_ports(1)[0]
        issuer = f"http://127.0.0.1:{port}"
        environ = settings_for(
            f"sqlite+aiosqlite:///{folder}/sqlite", valkey.url, PUBLIC_URL=issuer, LOG__LEVEL="warning"
        )
        async with prepared(folder, environ) as stage:
            start(gatepost := GatepostWorker(folder / "gatepost", environ, port=port))
            print(*conditions(rounds, seconds), "", sep="\n")
            if only != OAUTH:
                await guards(stage, gatepost, start, folder, environ, rounds=rounds, seconds=seconds)
                gatepost.kill()  # each race has a worker that did nothing before, and nobody beside it but its own
                gatepost.start()
            if only != GUARDS:
                await endpoints(stage, gatepost, start, folder, valkey.url, rounds=rounds, seconds=seconds)


async def guards(
    stage: Stage,
    gatepost: Worker,
    start: Start,
    folder: Path,
    environ: dict[str, str],
    *,
    rounds: int,
    seconds: float,
) -> None:
    """What it costs to know who calls."""
    idle = gatepost.resident()
    others = {
        "hello": Worker("bench.subjects.hello:app", folder / "hello"),
        "bare": Worker("bench.subjects.bare:app", folder / "bare"),
        "guarded": Worker("bench.subjects.guarded:app", folder / "guarded", environ),
        "strict": GatepostWorker(folder / "strict", environ | {"GATEPOST_TOKENS__STRICT": "true"}),
        "free": GatepostWorker(folder / "free", environ | {"GATEPOST_USAGE__COUNT": "false"}),
        "counted": GatepostWorker(folder / "counted", environ | {"GATEPOST_LIMITS__VERIFY_RATE": MORE_THAN_COMES}),
        "kit": Worker("bench.subjects.kit:app", folder / "kit", kit_environ(stage)),
    }
    for worker in others.values():
        start(worker)
    subjects = await cast(stage, gatepost, others, rounds=rounds, seconds=seconds)
    await race(subjects, rounds=rounds, seconds=seconds)
    print(*costs(subjects), "", *shares(subjects), "", sep="\n")
    print(f"- limits and usage: {surplus(subjects, COUNTED, FREE):.1f} µs more for each request (goal: 10 µs)")
    print(*await sign_ins(stage, gatepost, seconds=rounds * seconds), sep="\n")
    print(*await revocation_delay(stage, gatepost, others["guarded"], times=20 * rounds), sep="\n")
    print(f"- one worker: first answer {gatepost.took:.2f} s after its start, {idle:.0f} MiB resident when idle,")
    print(f"  {gatepost.resident():.0f} MiB after the load (goal: 2 s, 120 MiB)\n")
    for worker in others.values():  # they read what is revoked twice a second each, on the core of whoever comes next
        worker.kill()


async def endpoints(
    stage: Stage, gatepost: Worker, start: Start, folder: Path, store: str, *, rounds: int, seconds: float
) -> None:
    """What the endpoints of OAuth cost, beside a peer where that can be run."""
    peers = {}
    if peer.IS_HERE:
        peers = {
            oauth.IN_MEMORY: peer.OidcProvider(folder / "in_memory"),
            oauth.IN_REDIS: peer.OidcProvider(folder / "in_redis", store=store),
        }
    for worker in peers.values():
        start(worker)
    sides = [await oauth.oidc_provider(name, worker) for name, worker in peers.items()]
    subjects = (await oauth.gatepost(stage, gatepost)).subjects(list(peers), seconds=seconds)
    subjects += [subject for side in sides for subject in side.subjects([], seconds=seconds)]
    await race(subjects, rounds=rounds, seconds=seconds)
    print(f"oidc-provider {peer.version()} on node {peer.node_version()}." if peers else oauth.NO_PEER, "", sep="\n")
    print(*costs(subjects), "", *shares(subjects), "", sep="\n")
    bare, issued = oauth.bare_signature(), min(subjects[0].cpu)
    print(
        f"- a bare ES256 signature: {bare:.1f} µs, an issued token at best {issued:.1f}: {bare / issued:.2f} (G5: 0.25)"
    )


async def cast(
    stage: Stage, gatepost: Worker, others: dict[str, Worker], *, rounds: int, seconds: float
) -> list[Subject]:
    """Who takes part, and what each is asked."""
    pair = await stage.sign_in()
    token = bearer(pair.access.token)
    new = new_tokens(stage, pair, rounds=rounds, seconds=seconds)
    root, verify = same(request("/", authorization=token)), same(request("/auth/verify", authorization=token))
    scoped = same(request(f"/auth/verify?scope={SCOPE}", authorization=token))
    by_key = same(request("/auth/verify", x_api_key=stage.api_key))
    basic = same(request("/auth/verify", authorization=stage.basic))
    refreshing = await refreshes(stage)
    return [
        Subject(HELLO, others["hello"], always(root)),
        Subject(ROUTE, others["bare"], always(same(request("/plain")))),
        Subject(TRIVIAL, others["bare"], always(root)),
        Subject("kit: FastAPI route behind require()", others["kit"], always(root), {TRIVIAL: "G1: 0.80"}),
        Subject("server: FastAPI route behind require()", others["guarded"], always(root), {TRIVIAL: "G1: 0.80"}),
        Subject("server: /auth/verify, token seen before", gatepost, always(verify), {HELLO: "G2: 0.75"}),
        Subject("the same with ?scope=", gatepost, always(scoped), {HELLO: ""}),
        Subject("the same by API key", gatepost, always(by_key), {HELLO: ""}),
        Subject("the same by Basic", gatepost, always(basic), {HELLO: ""}),
        Subject("server: /auth/verify, every token new", gatepost, new("/auth/verify"), {TRIVIAL: "G3: 0.85"}),
        Subject("kit: every token new", others["kit"], new("/"), {TRIVIAL: ""}),
        Subject("server: /auth/verify, strict", others["strict"], always(verify), {HELLO: "G8: +10 µs"}),
        Subject(FREE, others["free"], always(verify)),
        Subject(COUNTED, others["counted"], always(verify), {FREE: "+10 µs"}),
        Subject("server: /auth/refresh", gatepost, always(refreshing)),
    ]


def new_tokens(
    stage: Stage, pair: TokenPair, *, rounds: int, seconds: float
) -> Callable[[str], Callable[[int], Awaitable[Source]]]:
    """Sources in which no token comes twice to the same server."""
    turns = [stage.access_tokens(pair, int(seconds * NEW_TOKENS_PER_SECOND)) for _ in range(rounds + 1)]

    def to(path: str) -> Callable[[int], Awaitable[Source]]:
        async def source(turn: int) -> Source:
            return each_once([request(path, authorization=bearer(text)) for text in turns[turn]])

        return source

    return to


async def refreshes(stage: Stage) -> Source:
    """A session for each connection, whose refresh token is traded in again and again."""
    first = [(await stage.sign_in()).refresh_token for _ in range(CONNECTIONS)]
    latest = dict(enumerate(first))

    def source(number: int, body: bytes) -> bytes:
        if body:
            latest[number] = json.loads(body)["refresh_token"]
        asked = json.dumps({"refresh_token": latest[number]}).encode()
        return request("/auth/refresh", method="POST", body=asked)

    return source


def kit_environ(stage: Stage) -> dict[str, str]:
    """What the service with the kit is told."""
    return {
        "BENCH_ISSUER": stage.settings.issuer,
        "BENCH_CLIENT_ID": stage.client_id,
        "BENCH_CLIENT_SECRET": stage.client_secret,
    }


def bearer(token: str) -> str:
    """The value of the Authorization field."""
    return f"Bearer {token}"


def conditions(rounds: int, seconds: float) -> list[str]:
    """What ran where."""
    names = ("uvicorn", "uvloop", "httptools", "fastapi", "starlette", "python-jose")
    where = f"server on core {SERVER_CORE}, client and stores on core {CLIENT_CORE}" if IS_PINNED else "not pinned"
    return [
        f"CPython {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in names) + ".",
        f"{os.cpu_count()} cores, {where}; {CONNECTIONS} keep-alive connections; {rounds} rounds of {seconds} s each.",
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2 rounds of 0.4 s")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.3, help="length of one turn")
    parser.add_argument("--only", choices=(GUARDS, OAUTH), help="one of the two races")
    return parser.parse_args()


if __name__ == "__main__":
    asked = _arguments()
    turns = (2, 0.4) if asked.quick else (asked.rounds, asked.seconds)
    with on_core(CLIENT_CORE):
        uvloop.run(main(*turns, asked.only))
