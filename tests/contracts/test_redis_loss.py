"""What happens to families when Redis loses, forgets or takes back what it acknowledged: SQL is asked, every time."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.crc import key_slot

from service.protocol.errors import StoreUnavailable
from service.sessions.families import Closed, Outcome, Repeated, Reused, Rotated, Unsure
from service.storage.redis import RedisRefreshFamilies
from tests.contracts.redis_ground import GRACE, KEYS, Held, linked, make_family, move_slot, peek
from tests.servers.valkey import ValkeyCluster, ValkeyServer

pytestmark = pytest.mark.anyio
BACK_WITHIN = 5.0

MakeServer = Callable[..., ValkeyServer]
HoldOn = Callable[..., Any]


@pytest.fixture
def make_server(server_folder: Path) -> Iterator[MakeServer]:
    """Starts servers for this test alone."""
    with ExitStack() as stack:

        def make(**options: Any) -> ValkeyServer:
            server = ValkeyServer(
                server_folder / uuid4().hex[:8], settings={"repl-diskless-sync-delay": "0"}, **options
            )
            server.start()
            stack.callback(server.kill)
            return server

        yield make


@pytest.fixture
async def hold_on() -> AsyncIterator[HoldOn]:
    """Opens a family at generation 9 on the store at a URL, over a link of its own."""
    async with AsyncExitStack() as stack:

        async def hold(url: str) -> Held:
            link = await stack.enter_async_context(linked(url))
            raw = peek(url)
            stack.callback(raw.close)
            held = await Held(RedisRefreshFamilies(link), raw).open()
            return await held.advance(9)

        yield hold


async def when_back(held: Held, generation: int) -> Outcome:
    """Present again and again until Redis answers; it has five seconds."""
    async with asyncio.timeout(BACK_WITHIN):
        while True:
            try:
                return await held.present(generation)
            except StoreUnavailable:
                await asyncio.sleep(0.02)


async def ask_sql(held: Held) -> None:
    """What the service does when the engine is unsure; SQL has seen generation 9 a moment ago."""
    await held.restore(9, reached_at=datetime.now(UTC))


async def assert_only_the_ninth_works(held: Held) -> None:
    assert await held.present(8) == Repeated(held.family, 9)
    assert await held.present(9) == Rotated(held.family, 10)
    assert await held.present(8) == Reused(10)
    assert await held.present(10) == Closed()


async def test_a_restart_that_forgets_everything_sends_to_sql(make_server: MakeServer, hold_on: HoldOn) -> None:
    server = make_server()
    held = await hold_on(server.url)
    server.kill()
    server.start()
    assert await when_back(held, 3) == Unsure("absent")
    await ask_sql(held)
    await assert_only_the_ninth_works(held)


@pytest.mark.spec("CVE-2026-9802")
async def test_a_restart_that_kept_everything_sends_to_sql_once(own_valkey: ValkeyServer, hold_on: HoldOn) -> None:
    held = await hold_on(own_valkey.url)
    own_valkey.stop()
    own_valkey.start()
    assert await when_back(held, 3) == Unsure("stale")
    await ask_sql(held)
    await assert_only_the_ninth_works(held)


async def test_an_old_dump_yields_no_second_successor(make_server: MakeServer, hold_on: HoldOn) -> None:
    server = make_server()
    held = await hold_on(server.url)
    ended = await Held(held.store, held.raw, make_family()).open()
    held.raw.save()
    dump = Path(held.raw.config_get("dir")["dir"]) / "dump.rdb"
    shutil.copy(dump, dump.with_suffix(".old"))
    for generation in range(9, 14):
        assert await held.present(generation) == Rotated(held.family, generation + 1)
    await ended.store.close(ended.family.user_id, ended.family.id, until=ended.family.ends_at)
    server.kill()
    shutil.copy(dump.with_suffix(".old"), dump)
    server.start()
    assert await when_back(held, 9) == Unsure("stale")
    assert held.stored()[b"g"] == b"9"  # the dump is what we think it is
    assert await ended.present(0) == Unsure("stale")
    await held.restore(14, reached_at=datetime.now(UTC) - GRACE)
    for generation in range(9, 14):
        assert await held.present(generation) == Reused(14)


async def test_flushall_sends_to_sql(redis_backend: str, hold_on: HoldOn) -> None:
    held = await hold_on(redis_backend)
    held.raw.flushall()
    assert await held.present(9) == Unsure("absent")
    await ask_sql(held)
    await assert_only_the_ninth_works(held)


async def test_forgotten_scripts_are_brought_again(redis_backend: str, hold_on: HoldOn) -> None:
    held = await hold_on(redis_backend)
    held.raw.script_flush()
    outcomes = await asyncio.gather(*(held.present(9) for _ in range(20)))
    assert outcomes.count(Rotated(held.family, 10)) == 1
    assert outcomes.count(Repeated(held.family, 10)) == 19


async def test_an_evicted_family_or_epoch_sends_to_sql(make_server: MakeServer, hold_on: HoldOn) -> None:
    held = await hold_on(make_server().url)
    for key, why in ((held.key, "absent"), (held.epoch_key, "stale")):
        held.raw.delete(key)
        assert await held.present(9) == Unsure(why)
        await ask_sql(held)
        assert await held.present(8) == Repeated(held.family, 9)


def replicate(replica: ValkeyServer, master: ValkeyServer | None) -> None:
    """Make a server the copy of another, in step with it; or a master with None."""
    with replica.client() as client:
        if master is None:
            client.replicaof("NO", "ONE")
            return
        client.replicaof("127.0.0.1", master.port)
        with master.client() as source:
            while client.info("replication")["master_link_status"] != "up" or not source.execute_command("WAIT 1 10"):
                pass


async def test_a_replica_that_was_promoted_sends_to_sql(make_server: MakeServer, hold_on: HoldOn) -> None:
    first, second = make_server(), make_server()
    replicate(second, first)
    held = await hold_on(first.url)
    with first.client() as client:
        assert client.execute_command("WAIT 1 1000") == 1
    first.kill()
    replicate(second, None)
    async with linked(second.url) as link:
        moved = Held(RedisRefreshFamilies(link), peek(second.url), held.family)
        assert await moved.present(9) == Unsure("stale")
        await ask_sql(moved)
        await assert_only_the_ninth_works(moved)
        moved.raw.close()


async def test_a_master_that_was_a_replica_meanwhile_is_another_run(make_server: MakeServer, hold_on: HoldOn) -> None:
    """The same process, so the same run id; what the other master acknowledged in between may be lost."""
    first, second = make_server(), make_server()
    held = await hold_on(first.url)
    run = held.raw.info("server")["run_id"]
    replicate(second, first)
    replicate(second, None)
    replicate(first, second)
    replicate(first, None)
    assert held.raw.info("server")["run_id"] == run
    assert await when_back(held, 9) == Unsure("stale")
    await ask_sql(held)
    await assert_only_the_ninth_works(held)


async def test_a_server_that_became_a_replica_is_not_used(make_server: MakeServer, hold_on: HoldOn) -> None:
    first, second = make_server(), make_server()
    held = await hold_on(first.url)
    replicate(first, second)
    assert await held.present(9) == Unsure("absent")  # the other one was empty
    with pytest.raises(StoreUnavailable):
        await ask_sql(held)
    replicate(first, None)
    assert await when_back(held, 9) == Unsure("absent")
    await ask_sql(held)
    await assert_only_the_ninth_works(held)


async def test_a_family_whose_slot_moved_is_found_and_sends_to_sql(
    own_valkey_cluster: ValkeyCluster, hold_on: HoldOn
) -> None:
    held = await hold_on(own_valkey_cluster.url)
    for _ in range(4):  # once around and one further: back where it was is another run too
        move_slot(own_valkey_cluster, held.key)
        assert await held.present(9) == Unsure("stale")
        await ask_sql(held)
        assert await held.present(8) == Repeated(held.family, 9)
    await assert_only_the_ninth_works(held)


async def test_a_family_whose_slot_is_on_the_move_is_found(own_valkey_cluster: ValkeyCluster, hold_on: HoldOn) -> None:
    held = await hold_on(own_valkey_cluster.url)
    fresh = Held(held.store, held.raw, make_family(user_id=held.family.user_id))
    loop = asyncio.get_running_loop()
    moving = asyncio.Event()
    moved = asyncio.Event()

    def halfway() -> None:
        loop.call_soon_threadsafe(moving.set)
        asyncio.run_coroutine_threadsafe(moved.wait(), loop).result()

    work = loop.run_in_executor(None, lambda: move_slot(own_valkey_cluster, held.key, halfway=halfway))
    await moving.wait()
    assert await held.present(9) == Rotated(held.family, 10)  # its keys have not left yet
    with pytest.raises(StoreUnavailable):  # one key is here, one nowhere: nobody can say
        await fresh.present(0)
    moved.set()
    await work
    assert await held.present(10) == Unsure("stale")
    assert await fresh.present(0) == Unsure("absent")


async def test_a_dead_node_takes_only_its_own_families_along(
    own_valkey_cluster: ValkeyCluster, hold_on: HoldOn
) -> None:
    held = await hold_on(own_valkey_cluster.url)
    others = [await Held(held.store, held.raw, make_family()).open() for _ in range(30)]
    slots = [key_slot(other.key.encode()) // 5462 for other in others]
    for node in own_valkey_cluster.nodes:
        with node.client() as client:
            client.config_set("cluster-require-full-coverage", "no")
    own_valkey_cluster.nodes[1].kill()
    outcomes = await asyncio.gather(*(other.present(0) for other in others), return_exceptions=True)
    for slot, other, outcome in zip(slots, others, outcomes, strict=True):
        if slot == 1:
            assert isinstance(outcome, StoreUnavailable)
        else:
            assert outcome == Rotated(other.family, 1)
    own_valkey_cluster.nodes[1].start()
    lost = others[slots.index(1)]
    assert await when_back(lost, 0) == Unsure("absent")
    await lost.restore(1, reached_at=datetime.now(UTC))
    assert await lost.present(1) == Rotated(lost.family, 2)


async def test_a_slot_that_nobody_held_is_used_once_somebody_does(
    own_valkey_cluster: ValkeyCluster, hold_on: HoldOn
) -> None:
    family = make_family()
    slot = key_slot(KEYS.family(family.user_id, family.id).encode())
    for node in own_valkey_cluster.nodes:
        with node.client() as client:
            client.config_set("cluster-require-full-coverage", "no")
            client.execute_command("CLUSTER DELSLOTS", slot)
    held = await hold_on(own_valkey_cluster.url)  # of another user
    orphan = Held(held.store, held.raw, family)
    with pytest.raises(StoreUnavailable):
        await orphan.open()
    with own_valkey_cluster.nodes[0].client() as client:
        client.execute_command("CLUSTER ADDSLOTS", slot)
    assert await when_back(orphan, 0) == Unsure("absent")
    await orphan.open()
    assert await orphan.present(0) == Rotated(family, 1)
