"""A million names, each tried once, and a hundred thousand networks, each asking once: `python -m tests.long.names`.

What a failure counts is counted for each of them, with the figures that Gatepost ships with; a thousandth comes over
HTTP to a worker that is running. What Redis holds of it is bounded: every key has its end. The short cut is in
tests/limits/test_names.py.
"""

import asyncio
import shutil
import sys
import time
from collections import Counter as Tally
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from service import clock
from service.app import House
from service.limits import Budget, Counter, Rate, Step, network_of
from service.settings import load_settings
from tests.long.guessing import address_of, guess
from tests.servers.gatepost import SHIPPED, running_fleet, settings_for
from tests.servers.postgres import PostgresServer
from tests.servers.process import fast_folder
from tests.servers.valkey import ValkeyServer

_AT_ONCE = 200
_NAMES_OF_ONE = 40
"""Names that are tried from one network: fewer than close its door, so that every name is counted."""


@dataclass(frozen=True)
class Held:
    """What Redis holds: keys, how many of them have no end, and bytes."""

    keys: int
    endless: int
    memory: int


def held(valkey: ValkeyServer) -> Held:
    """At this moment."""
    with valkey.client() as client:
        of_keys = client.info("keyspace").get("db0", {"keys": 0, "expires": 0})
        memory: int = client.info("memory")["used_memory"]
    return Held(of_keys["keys"], of_keys["keys"] - of_keys["expires"], memory)


def longest_budget(valkey: ValkeyServer) -> int:
    """In how many milliseconds the last budget that is there ends; below 0, all have ended. Redis itself may hold it a
    while longer: it sweeps what has ended only where that is a tenth of all."""
    with valkey.client() as client:
        keys = list(client.scan_iter(match="*:r", count=10_000))
        with client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.pttl(key)
            lives: list[int] = pipe.execute()
    return max(lives, default=0) if -1 not in lives else sys.maxsize


async def try_names(house: House, names: int) -> None:
    """Count a wrong password for each of so many names that nobody has, from many networks."""
    guard = house.rooms.sign_in._guard
    policy = guard._policy
    for first in range(0, names, _AT_ONCE):
        counters = []
        for number in range(first, min(first + _AT_ONCE, names)):
            name, network = f"name{number}@example.org", str(ip_address("100.64.0.0") + number // _NAMES_OF_ONE)
            counters += [Counter(policy.account, name), Counter(policy.account_from_network, name, network)]
            counters += [Counter(policy.network, network)]
        await guard._failures.step(Step.FAIL, counters)


async def ask_from_networks(house: House, networks: int, rate: Rate) -> None:
    """One request from each of so many networks."""
    for first in range(0, networks, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, networks))
        places = [network_of(str(IPv6Address((0x20010DB8 << 96) + (number << 64) + 1))) for number in numbers]
        await asyncio.gather(
            *(house.permits.count(Budget("network", place, rate), now=clock.now()) for place in places)
        )


async def main(names: int) -> None:
    """Start everything, send them, and say what Redis holds; fails when anything is not as promised."""
    with ExitStack() as stack:
        folder = fast_folder()
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        valkey, postgres = ValkeyServer(folder / "v"), PostgresServer(folder / "p")
        for server in (valkey, postgres):
            server.start()
            stack.callback(server.kill)
        environ = settings_for(postgres.url(), valkey.url, **SHIPPED, LOG__LEVEL="error")
        rate = load_settings(environ).limits.network_rate
        async with running_fleet(folder / "fleet", environ, workers=1) as fleet:
            before = held(valkey)
            statuses = Tally([await guess(fleet, f"user{n}", address_of(n), n) for n in range(names // 1_000)])
            by_http = held(valkey)
            print(f"{names // 1_000} names over HTTP: {dict(statuses)}, {by_http.keys - before.keys} keys")
            began = time.monotonic()
            await try_names(fleet.house, names)
            tried = _say(f"{names} names", by_http, held(valkey), names, time.monotonic() - began)
            began = time.monotonic()
            await ask_from_networks(fleet.house, names // 10, rate)
            asked = _say(f"{names // 10} networks", tried, held(valkey), names // 10, time.monotonic() - began)
            longest = longest_budget(valkey)
            print(f"the last of them ends in {max(longest, 0)} ms at most")
    assert set(statuses) == {401}
    assert tried.keys - by_http.keys >= 2 * names, "a name is two counters"
    assert by_http.endless == tried.endless == asked.endless, "a key without an end"
    assert (tried.memory - by_http.memory) / names < 500
    assert longest <= rate.batch * rate.per.total_seconds() / rate.permits * 1_000 + 1, "longer than until it is whole"


def _say(what: str, before: Held, after: Held, times: int, seconds: float) -> Held:
    more = after.memory - before.memory
    print(
        f"{what} in {seconds:.0f} s: {after.keys - before.keys} keys, {after.endless - before.endless} of them without "
        f"an end, {more / 2**20:.0f} MiB, {more / times:.0f} bytes each",
        flush=True,
    )
    return after


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
