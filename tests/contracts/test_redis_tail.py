"""The stream of revocations: every worker hears of each within milliseconds, over gaps, restarts and roll-backs."""

import asyncio
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from gatepost.revocation import Revocation, RevocationKind
from service.protocol.errors import StoreUnavailable
from service.revocation.entry import Entry, Recorded
from service.storage.redis import RedisLink, RedisRevocationEngine
from service.storage.redis.link import PATIENCE
from tests.contracts.redis_ground import KEYS, PATIENT, linked, move_slot, peek
from tests.fair_clock import fair_clock
from tests.servers.proxy import TcpProxy
from tests.servers.valkey import ValkeyCluster, ValkeyServer

pytestmark = pytest.mark.anyio
UNTIL = datetime(2031, 2, 3, 4, 5, 6, 789_012, UTC)


def make_entry(number: int, kind: RevocationKind = RevocationKind.TOKEN) -> Recorded:
    return Recorded(number, Entry(Revocation(kind, f"subject {number}", UNTIL, number % 7), "owner-ü", "why\n✓"))


class Listener:
    """Tails in a task, as the feed does: when it is refused it waits a moment and calls again."""

    def __init__(self, engine: RedisRevocationEngine) -> None:
        self.engine = engine
        self.heard: list[Recorded] = []
        self.heard_at: list[float] = []
        self.beats: list[float] = []
        self.refusals = 0
        self.task = asyncio.create_task(self.listen())

    async def listen(self) -> None:
        while True:
            try:
                async with aclosing(self.engine.tail()) as tail:  # type: ignore[type-var]  # it is a generator
                    async for recorded in tail:
                        self.beats.append(fair_clock())
                        self.heard += recorded
                        self.heard_at += [fair_clock()] * len(recorded)
            except StoreUnavailable:
                self.refusals += 1
            await asyncio.sleep(0.05)

    async def has_beaten(self, times: int = 1) -> None:
        beats = len(self.beats)
        while len(self.beats) < beats + times:
            await asyncio.sleep(0.01)

    async def has_heard(self, entries: Sequence[Recorded], within: float = 3.0) -> None:
        async with asyncio.timeout(within):
            while self.heard[-len(entries) :] != list(entries):
                await asyncio.sleep(0.002)


class Ears:
    """A pusher and a listener, each over a link of its own."""

    def __init__(self, url: str, *, patience: timedelta = PATIENT) -> None:
        self.links = [RedisLink.from_url(url, patience=patience) for _ in range(2)]
        self.pusher = RedisRevocationEngine(self.links[0])
        self.listener = Listener(RedisRevocationEngine(self.links[1]))

    async def __aenter__(self) -> "Ears":
        await self.push_when_back([])
        await self.listener.has_beaten()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.listener.task.cancel()
        await asyncio.gather(self.listener.task, return_exceptions=True)
        for link in self.links:
            await link.close()

    async def push_when_back(self, entries: Sequence[Recorded]) -> None:
        async with asyncio.timeout(5):
            while True:
                try:
                    await self.links[0].ping()
                    return await self.pusher.push(entries)
                except StoreUnavailable:
                    await asyncio.sleep(0.02)


@pytest.fixture
async def ears(redis_backend: str) -> AsyncIterator[Ears]:
    async with Ears(redis_backend) as ears:
        yield ears


async def test_entries_arrive_whole_and_in_order(ears: Ears) -> None:
    entries = [make_entry(number, kind) for number, kind in enumerate(list(RevocationKind) * 50)]
    await ears.pusher.push(entries)
    await ears.listener.has_heard(entries)
    assert ears.listener.heard == entries


async def test_an_entry_is_heard_within_milliseconds(ears: Ears) -> None:
    delays = []
    for number in range(100):
        began = fair_clock()
        await ears.pusher.push([make_entry(number)])
        await ears.listener.has_heard([make_entry(number)])
        delays.append(ears.listener.heard_at[-1] - began)
    assert statistics.median(delays) < 0.025
    assert max(delays) < 0.250


async def test_what_was_there_before_the_first_call_is_not_heard(redis_backend: str) -> None:
    async with linked(redis_backend) as link:
        await RedisRevocationEngine(link).push([make_entry(1)])
    async with Ears(redis_backend) as ears:
        await ears.pusher.push([make_entry(2)])
        await ears.listener.has_heard([make_entry(2)])
        assert ears.listener.heard == [make_entry(2)]


async def test_a_sign_of_life_comes_each_second(ears: Ears) -> None:
    await ears.listener.has_beaten(3)
    gaps = [later - earlier for earlier, later in zip(ears.listener.beats, ears.listener.beats[1:], strict=False)]
    assert max(gaps) < 1.1
    assert ears.listener.heard == []


async def test_what_is_appended_between_two_calls_is_heard_by_the_second(redis_backend: str) -> None:
    async with linked(redis_backend) as link:
        engine = RedisRevocationEngine(link)
        heard: list[Recorded] = []
        await anext(engine.tail())
        for turn in range(20):
            entries = [make_entry(2 * turn), make_entry(2 * turn + 1)]
            await engine.push(entries)
            heard += await anext(engine.tail())
        assert heard == [make_entry(number) for number in range(40)]


async def test_nothing_is_lost_while_pushes_come_from_many_sides(ears: Ears, redis_backend: str) -> None:
    async with linked(redis_backend) as link:
        pushers = [ears.pusher, RedisRevocationEngine(link)]
        entries = [make_entry(number) for number in range(600)]
        await asyncio.gather(*(pushers[one.number % 2].push([one]) for one in entries))
        async with asyncio.timeout(3):
            while len(ears.listener.heard) < len(entries):
                await asyncio.sleep(0.005)
        assert sorted(ears.listener.heard, key=lambda one: one.number) == entries


async def test_a_flushed_stream_is_heard_on(ears: Ears, redis_backend: str) -> None:
    await ears.pusher.push([make_entry(1)])
    await ears.listener.has_heard([make_entry(1)])
    with closing(peek(redis_backend)) as raw:
        raw.flushall()
    await ears.pusher.push([make_entry(2)])
    await ears.listener.has_heard([make_entry(2)])


@pytest.mark.parametrize("beat_first", [True, False])
async def test_a_stream_whose_clock_went_back_is_heard_again_at_the_next_beat(
    ears: Ears, redis_backend: str, beat_first: bool
) -> None:
    await ears.pusher.push([make_entry(1)])
    await ears.listener.has_heard([make_entry(1)])
    with closing(peek(redis_backend)) as raw:
        [(_, fields)] = raw.xrange(KEYS.stream)
        raw.delete(KEYS.stream)
        if beat_first:
            await ears.listener.has_beaten(2)
        raw.xadd(KEYS.stream, {name: value.replace(b"[1,", b"[2,") for name, value in fields.items()}, id="5-1")
    async with asyncio.timeout(3):
        while ears.listener.heard[-1].number != 2:
            await asyncio.sleep(0.01)


async def test_a_stream_that_somebody_else_wrote_to_stops_nobody(ears: Ears, redis_backend: str) -> None:
    with closing(peek(redis_backend)) as raw:
        for fields in (
            {"r": "nonsense"},
            {"r": "[]", "x": "y"},
            {"r": "[" * 100_000},
            {"r": '[1,"jti","s",99999999999999999999,0,"o","w"]'},
            {"r": '["1","jti","s",1,0,"o","w"]'},
            {"r": '[1,"jti",null,1,0,"o","w"]'},
            {"r": '[1,"unheard of","s",1,0,"o","w"]'},
            {"": b"\xff\x00"},
        ):
            raw.xadd(KEYS.stream, fields)
        await ears.pusher.push([make_entry(2)])
        await ears.listener.has_heard([make_entry(2)])
        assert ears.listener.heard == [make_entry(2)]
        raw.delete(KEYS.stream)
        raw.set(KEYS.stream, "no stream at all")
        while not ears.listener.refusals:
            await asyncio.sleep(0.01)
        await ears.pusher.push([make_entry(3)])
        await ears.listener.has_heard([make_entry(3)])


async def test_after_a_restart_that_kept_the_stream_listening_goes_on_where_it_stopped(
    own_valkey: ValkeyServer,
) -> None:
    async with Ears(own_valkey.tcp_url) as ears:
        for number in range(3):
            await ears.push_when_back([make_entry(number)])
            await ears.listener.has_heard([make_entry(number)])
            own_valkey.stop()
            own_valkey.start()
        await ears.push_when_back([make_entry(9)])
        await ears.listener.has_heard([make_entry(9)])
        assert [one.number for one in ears.listener.heard] == [0, 1, 2, 9]


async def test_after_a_restart_that_lost_the_stream_listening_begins_anew(server_folder: Path) -> None:
    server = ValkeyServer(server_folder / uuid4().hex[:8])
    server.start()
    try:
        async with Ears(server.url) as ears:
            await ears.pusher.push([make_entry(1)])
            await ears.listener.has_heard([make_entry(1)])
            server.kill()
            server.start()
            await ears.push_when_back([make_entry(2)])
            await ears.listener.has_heard([make_entry(2)])
    finally:
        server.kill()


async def test_a_silent_server_is_given_up_within_two_seconds_and_heard_again(own_valkey: ValkeyServer) -> None:
    async with TcpProxy(own_valkey.port) as proxy, Ears(f"redis://127.0.0.1:{proxy.port}", patience=PATIENCE) as ears:
        for be_silent, be_well in ((own_valkey.freeze, own_valkey.resume), (proxy.black_hole, None)):
            refusals = ears.listener.refusals
            be_silent()
            async with asyncio.timeout(2):
                while ears.listener.refusals == refusals:
                    await asyncio.sleep(0.01)
            be_well() if be_well else await proxy.restore()
            number = len(ears.listener.heard)
            await ears.push_when_back([make_entry(number)])
            await ears.listener.has_heard([make_entry(number)])


async def test_a_stream_whose_slot_moved_is_heard_on(own_valkey_cluster: ValkeyCluster) -> None:
    async with Ears(own_valkey_cluster.url) as ears:
        await ears.pusher.push([make_entry(1)])
        await ears.listener.has_heard([make_entry(1)])
        move_slot(own_valkey_cluster, KEYS.stream)
        with closing(peek(own_valkey_cluster.url)) as raw:  # by somebody else: this process pushes nothing
            raw.xadd(KEYS.stream, {"r": raw.xrange(KEYS.stream)[0][1][b"r"].replace(b"[1,", b"[2,")})
        async with asyncio.timeout(3):
            while ears.listener.heard[-1].number != 2:
                await asyncio.sleep(0.01)
