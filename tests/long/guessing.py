"""A stranger at ten thousand addresses, and a spray over ten thousand accounts: `python -m tests.long.guessing`.

Two workers with the figures that Gatepost ships with, over real sockets: each guess comes from an address of its own in
127.0.0.0/8, which Linux lets anybody bind. The short cut is in tests/limits/test_sign_in.py.
"""

import asyncio
import json
import shutil
import sys
import time
from collections import Counter
from contextlib import ExitStack

from tests.servers.gatepost import PASSWORD, SHIPPED, Fleet, running_fleet, settings_for
from tests.servers.postgres import PostgresServer
from tests.servers.process import fast_folder
from tests.servers.valkey import ValkeyServer

_AT_ONCE = 50


async def main(guesses: int) -> None:
    """Start everything, guess, and say what came of it; fails when anything is not as promised."""
    with ExitStack() as stack:
        folder = fast_folder()
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        valkey, postgres = ValkeyServer(folder / "v", persistent=True), PostgresServer(folder / "p")
        for server in (valkey, postgres):
            server.start()
            stack.callback(server.kill)
        environ = settings_for(postgres.url(), valkey.url, **SHIPPED, LOG__LEVEL="error")
        async with running_fleet(folder / "fleet", environ, workers=2) as fleet:
            await fleet.add_user("ada")
            known = (await fleet.sign_in("ada"))["device"]
            await _strangers(fleet, known, guesses)
            await _spray(fleet, guesses)


async def _strangers(fleet: Fleet, known: str, guesses: int) -> None:
    """One guess at one account from each of many addresses; the owner comes by again and again."""
    began, answers, owner = time.monotonic(), Counter[int](), Counter[int]()
    for first in range(0, guesses, _AT_ONCE):
        hand = range(first, min(first + _AT_ONCE, guesses))
        answers.update(await asyncio.gather(*(guess(fleet, "ada", address_of(n), n) for n in hand)))
        if first % (_AT_ONCE * 20) == 0:
            body = {"username": "ada", "password": PASSWORD, "device": known}
            answer = await fleet.clients[0].post("/auth/login", json=body)
            owner[answer.status_code] += 1
    seconds = time.monotonic() - began
    stranger = await fleet.clients[0].post("/auth/login", json={"username": "ada", "password": PASSWORD})
    print(f"{guesses} guesses from as many addresses in {seconds:.0f} s: {dict(answers)}; the owner: {dict(owner)}")
    minutes = seconds / 60
    assert set(owner) == {200}, "the owner's device was shut out"
    assert answers[200] == 0
    assert answers[401] <= 5 + minutes + 1, "more were compared than the closures allow"
    assert stranger.status_code == 429, "the right password from a strange device would have got in"


async def _spray(fleet: Fleet, accounts: int) -> None:
    """One password at each of many accounts, from one address."""
    began, answers = time.monotonic(), Counter[int]()
    for first in range(0, accounts, _AT_ONCE):
        hand = range(first, min(first + _AT_ONCE, accounts))
        answers.update(await asyncio.gather(*(guess(fleet, f"user{n}", "127.200.0.1", n) for n in hand)))
    seconds = time.monotonic() - began
    print(f"one password at {accounts} accounts from one address in {seconds:.0f} s: {dict(answers)}")
    assert answers[200] == 0
    assert answers[401] <= 50 + 2 * _AT_ONCE + 10 + seconds / 30, "the spray was not slowed"


async def guess(fleet: Fleet, name: str, address: str, number: int) -> int:
    """The status of one guess, over a connection of its own."""
    port = fleet.workers[number % len(fleet.workers)].port
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    body = json.dumps({"username": name, "password": f"guess number {number}"}).encode()
    head = (
        f"POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    writer.write(head.encode() + b"\r\nConnection: close\r\n\r\n" + body)
    status = int((await reader.readline()).split()[1])
    await reader.read()
    writer.close()
    return status


def address_of(number: int) -> str:
    return f"127.{100 + number // 65_536}.{number // 256 % 256}.{number % 256}"


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
