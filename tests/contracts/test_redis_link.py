"""The link to Redis when Redis is away, silent, slow, broken or not itself: refused within 2 s, back within 5 s."""

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from gatepost.revocation import Revocation, RevocationKind
from service.protocol.errors import StoreUnavailable
from service.revocation.entry import Entry, Recorded
from service.sessions.families import Rotated, Unsure
from service.storage.figures import TOOK
from service.storage.redis import RedisLink, RedisRefreshFamilies, RedisRevocationEngine
from service.storage.redis.link import PATIENCE
from service.storage.redis.packed import Outline, Questions, pack
from tests.contracts.redis_ground import IDLE, Held, make_family, make_token, peek
from tests.fair_clock import fair_clock
from tests.servers.proxy import TcpProxy
from tests.servers.valkey import ValkeyBehindSentinels, ValkeyCluster, ValkeyServer
from tests.settled import settled

pytestmark = pytest.mark.anyio
REFUSED_WITHIN = 2.0
AT_ONCE = 0.1
BACK_WITHIN = 5.0
FAILOVER_WITHIN = 60.0
"""How long the sentinels may take to agree; theirs, not ours."""

Call = Callable[[], Awaitable[object]]


@pytest.fixture
async def proxy(own_valkey: ValkeyServer) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(own_valkey.port) as proxy:
        yield proxy


@pytest.fixture
async def link(own_valkey: ValkeyServer) -> AsyncIterator[RedisLink]:
    async with RedisLink.from_url(own_valkey.tcp_url) as link:
        yield link


@pytest.fixture
async def far_link(proxy: TcpProxy) -> AsyncIterator[RedisLink]:
    """A link through the proxy."""
    async with RedisLink.from_url(f"redis://127.0.0.1:{proxy.port}") as link:
        yield link


def every_call(link: RedisLink) -> list[Call]:
    """Everything that the stores ask of Redis."""
    families, engine, family = RedisRefreshFamilies(link), RedisRevocationEngine(link), make_family()
    held = Held(families, None, family)
    until = datetime.now(UTC) + timedelta(hours=1)
    entry = Entry(Revocation(RevocationKind.SESSION, family.id, until), family.user_id, "signed out")
    return [
        link.ping,
        link.facts,
        lambda: families.open(family, idle=IDLE),
        lambda: held.present(0),
        lambda: held.restore(1),
        lambda: families.close(family.user_id, family.id, until=until),
        lambda: engine.push([Recorded(1, entry)]),
        lambda: engine.is_revoked(make_token(family.user_id)),
        lambda: anext(engine.tail()),
    ]


async def refusal_takes(call: Call) -> float:
    """How long the call took to be refused; it must be."""
    began = fair_clock()
    with pytest.raises(StoreUnavailable) as refusal:
        await call()
    assert refusal.value.store == "redis"
    return fair_clock() - began


async def assert_refused(link: RedisLink) -> None:
    """Every call, many at once, is refused in time; once that is known, at once."""
    taken = await asyncio.gather(*(refusal_takes(call) for call in every_call(link) * 10))
    assert max(taken) < REFUSED_WITHIN
    for call in every_call(link):
        assert await refusal_takes(call) < AT_ONCE


async def assert_back(link: RedisLink, within: float = BACK_WITHIN) -> None:
    """Every call succeeds again, soon."""
    async with asyncio.timeout(within):
        while True:
            try:
                await link.ping()
                break
            except StoreUnavailable:
                await asyncio.sleep(0.02)
    for call in every_call(link):
        await call()


async def test_a_frozen_server_is_refused_in_time_and_used_again_when_it_thaws(
    own_valkey: ValkeyServer, link: RedisLink
) -> None:
    await assert_back(link)
    own_valkey.freeze()
    await assert_refused(link)
    own_valkey.resume()
    await assert_back(link)


async def test_a_server_that_is_frozen_from_the_start_is_refused_in_time(
    own_valkey: ValkeyServer, link: RedisLink
) -> None:
    own_valkey.freeze()
    await assert_refused(link)
    own_valkey.resume()
    await assert_back(link)


async def test_a_killed_server_is_refused_in_time_and_used_again_when_it_is_restarted(
    own_valkey: ValkeyServer, link: RedisLink
) -> None:
    await assert_back(link)
    own_valkey.kill()
    await assert_refused(link)
    own_valkey.start()
    await assert_back(link)


async def test_answers_that_take_ten_seconds_are_not_waited_for(proxy: TcpProxy, far_link: RedisLink) -> None:
    await assert_back(far_link)
    proxy.delay = timedelta(seconds=10)
    await assert_refused(far_link)
    await proxy.restore()
    await assert_back(far_link)


async def test_connections_that_a_firewall_forgot_are_not_waited_for(proxy: TcpProxy, far_link: RedisLink) -> None:
    await assert_back(far_link)
    proxy.black_hole()
    await assert_refused(far_link)
    await proxy.restore()
    await assert_back(far_link)


async def test_a_closed_port_is_refused_in_time(proxy: TcpProxy, far_link: RedisLink) -> None:
    await assert_back(far_link)
    await proxy.refuse()
    await assert_refused(far_link)
    await proxy.restore()
    await assert_back(far_link)


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+OK\r\n" * 99, b"$-5\r\n", b"\x00\xff" * 50]
)
async def test_a_server_that_is_no_redis_is_refused_in_time(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for layout in ("redis", "redis+cluster"):
            async with RedisLink.from_url(f"{layout}://127.0.0.1:{port}") as link:
                taken = await asyncio.gather(*(refusal_takes(call) for call in every_call(link)))
                assert max(taken) < REFUSED_WITHIN


@pytest.mark.parametrize(
    "url",
    [
        "redis://nobody.invalid:6379",
        "unix:///nobody/there",
        "redis+sentinel://127.0.0.1:9/main",
        "redis+cluster://127.0.0.1:9,nobody.invalid:7",
        "redis://192.0.2.1:6379",
    ],
)
async def test_a_server_that_was_never_there_is_refused_in_time(url: str) -> None:
    async with RedisLink.from_url(url) as link:
        taken = await asyncio.gather(*(refusal_takes(call) for call in every_call(link)))
        assert max(taken) < REFUSED_WITHIN


async def test_a_frozen_cluster_is_refused_in_time_and_used_again_when_it_thaws(
    own_valkey_cluster: ValkeyCluster,
) -> None:
    async with RedisLink.from_url(own_valkey_cluster.url) as link:
        await assert_back(link)
        for node in own_valkey_cluster.nodes:
            node.freeze()
        taken = await asyncio.gather(*(refusal_takes(call) for call in every_call(link) * 10))
        assert max(taken) < REFUSED_WITHIN
        for node in own_valkey_cluster.nodes:
            node.resume()
        own_valkey_cluster.wait_until_whole()
        await assert_back(link)


async def test_a_cluster_that_is_down_is_refused_until_it_is_whole(own_valkey_cluster: ValkeyCluster) -> None:
    async with RedisLink.from_url(own_valkey_cluster.url) as link:
        await assert_back(link)
        own_valkey_cluster.nodes[2].kill()
        for node in own_valkey_cluster.nodes[:2]:
            with node.client() as client:
                while client.execute_command("CLUSTER INFO")["cluster_state"] == "ok":
                    await asyncio.sleep(0.05)
        taken = await asyncio.gather(*(refusal_takes(call) for call in every_call(link)[2:6]))
        assert max(taken) < REFUSED_WITHIN
        own_valkey_cluster.nodes[2].start()
        own_valkey_cluster.wait_until_whole()
        await assert_back(link)


class Trouble:
    """Ways in which a server that runs refuses to work; each puts it right again at the end."""

    def __init__(self, server: ValkeyServer) -> None:
        self.server = server
        self.undo = ExitStack()

    def configure(self, **settings: object) -> None:
        client = self.undo.enter_context(self.server.client())
        before = {name.replace("_", "-"): client.config_get(name.replace("_", "-")) for name in settings}
        for name, value in settings.items():
            client.config_set(name.replace("_", "-"), value)
        for name, old in before.items():
            self.undo.callback(client.config_set, name, old[name])

    def in_the_background(self, *command: object) -> None:
        """Somebody else asks something that takes a while."""

        def ask() -> None:
            with self.server.client() as client:
                try:
                    client.execute_command(*command)
                except redis.ResponseError as error:
                    assert "killed" in str(error).lower()  # noqa: PT017  # in a thread: nothing to catch it there

        thread = threading.Thread(target=ask)
        thread.start()
        self.undo.callback(thread.join)

    def out_of_memory(self) -> None:
        self.configure(maxmemory=1)

    def no_replicas(self) -> None:
        self.configure(min_replicas_to_write=1)

    def disk_full(self) -> None:
        with self.server.client() as client:
            place = Path(client.config_get("dir")["dir"], "dump.rdb")
            place.mkdir()
            self.configure(save="3600 1")
            client.set("one", "change")
            client.bgsave()
            while client.info("persistence")["rdb_bgsave_in_progress"]:
                time.sleep(0.01)
        self.undo.callback(self._save_again, place)

    def _save_again(self, place: Path) -> None:
        place.rmdir()
        with self.server.client() as client:
            client.save()

    def replica(self) -> None:
        client = self.undo.enter_context(self.server.client())
        client.execute_command("REPLICAOF", "127.0.0.1", 9)
        self.undo.callback(client.execute_command, "REPLICAOF", "NO", "ONE")

    def not_allowed(self) -> None:
        client = self.undo.enter_context(self.server.client())
        client.execute_command("ACL SETUSER default -@scripting")
        self.undo.callback(client.execute_command, "ACL SETUSER default +@all")

    def busy(self) -> None:
        self.configure(busy_reply_threshold=20)
        self.in_the_background("EVAL", "while true do end", 0)
        client = self.undo.enter_context(self.server.client())
        self.undo.callback(client.script_kill)
        while True:
            try:
                client.ping()
            except redis.ResponseError:
                return

    def loading(self) -> None:
        with self.server.client() as client:
            client.mset({f"key:{number}": "x" * 100 for number in range(2_000)})
        self.configure(key_load_delay=1_000, loading_process_events_interval_bytes=1_024)
        self.in_the_background("DEBUG", "RELOAD")
        time.sleep(0.3)


ANSWERS_READS = {"out_of_memory", "no_replicas", "disk_full", "replica", "not_allowed"}


@pytest.mark.parametrize("kind", [*sorted(ANSWERS_READS), "busy", "loading"])
async def test_a_server_in_trouble_is_refused_until_it_is_well(
    own_valkey: ValkeyServer, link: RedisLink, kind: str
) -> None:
    held = await Held(RedisRefreshFamilies(link), peek(own_valkey.url)).open()
    trouble = Trouble(own_valkey)
    with trouble.undo:
        getattr(trouble, kind)()
        calls = every_call(link)
        if kind in ANSWERS_READS:
            calls = [lambda: held.present(0), *calls[2:3], *calls[4:7]]
        taken = await asyncio.gather(*(refusal_takes(call) for call in calls * 5))
        assert max(taken) < REFUSED_WITHIN
    await assert_back(link)
    async with asyncio.timeout(BACK_WITHIN):
        while isinstance(outcome := await held.present(0), Unsure):
            await held.restore(0)
    assert outcome == Rotated(held.family, 1)


async def test_a_wrong_password_is_refused_until_it_is_put_right(own_valkey: ValkeyServer) -> None:
    with own_valkey.client() as client:
        client.config_set("requirepass", "open sesame")
        for user_info in ("", ":wrong@", "somebody:open%20sesame@"):
            async with RedisLink.from_url(f"redis://{user_info}127.0.0.1:{own_valkey.port}") as link:
                await assert_refused(link)
        async with RedisLink.from_url(f"redis://:open%20sesame@127.0.0.1:{own_valkey.port}") as link:
            await assert_back(link)
        client.config_set("requirepass", "")


async def test_a_server_that_is_full_of_clients_is_refused_until_there_is_room(own_valkey: ValkeyServer) -> None:
    with own_valkey.client() as client:
        client.config_set("maxclients", 1)
        async with RedisLink.from_url(own_valkey.tcp_url) as link:
            await assert_refused(link)
            client.config_set("maxclients", 100)
            await assert_back(link)


async def test_a_dropped_connection_costs_nobody_an_error(own_valkey: ValkeyServer, link: RedisLink) -> None:
    held = await Held(RedisRefreshFamilies(link), peek(own_valkey.url)).open()
    with own_valkey.client() as client:
        for generation in range(20):
            client.execute_command("CLIENT KILL TYPE normal SKIPME yes")
            await asyncio.sleep(0.01)
            assert await held.present(generation) == Rotated(held.family, generation + 1)


async def test_cancelled_calls_leave_no_answer_for_others(own_valkey: ValkeyServer, link: RedisLink) -> None:
    async def echo(number: int) -> None:
        assert await link.ask("any", ("ECHO", str(number))) == str(number).encode()

    for turn in range(60):
        tasks = [asyncio.create_task(echo(1_000 * turn + number)) for number in range(50)]
        await asyncio.sleep(random.uniform(0, 0.002))
        for task in random.sample(tasks, 40):
            task.cancel()
        await echo(-turn)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {type(None), asyncio.CancelledError}
    with own_valkey.client() as client:  # and all that over one connection
        assert len([one for one in client.client_list() if one["name"] == "gatepost"]) == 1


async def test_who_cannot_wait_is_told_what_became_of_the_question(own_valkey: ValkeyServer, link: RedisLink) -> None:
    put, get_field, get = Outline(("SET", "a"), ()), Outline(("HGET", "a"), ()), Outline(("GETRANGE", "a", 0), ())
    assert link.post("a", put, 1) is None, "nobody has connected yet"
    await link.ping()
    TOOK.take()
    kept, wrong = link.post("a", put, 1), link.post("a", get_field, 1)
    assert kept is not None
    assert wrong is not None
    await settled(kept, wrong)
    *counts, seconds = TOOK.take()["redis",]
    assert sum(counts) == 2
    assert 0 < seconds < 2 * PATIENCE.total_seconds()
    assert (kept.at_once(), wrong.at_once()) == (b"OK", None)
    with pytest.raises(StoreUnavailable, match="redis"):
        await wrong.in_time()
    both, half = (
        link.post_all(Questions(("a", ("GET", "a")), ("b", ("GET", "b")))),
        link.post_all(Questions(("a", ("GET", "a")), ("a", ("HGET", "a", "b")))),
    )
    assert both is not None
    assert half is not None
    await settled(both, half)
    assert (both.at_once(), half.at_once()) == ([b"1", None], None)
    with pytest.raises(StoreUnavailable, match="redis"):
        await half.in_time()
    own_valkey.freeze()
    lost = link.post("a", get, 0)
    assert lost is not None
    await asyncio.wait_for(settled(lost), REFUSED_WITHIN)
    with pytest.raises(StoreUnavailable):
        lost.at_once()
    with pytest.raises(StoreUnavailable):
        await lost.in_time()
    assert link.post("a", get, 0) is None


async def test_a_question_that_a_busy_worker_has_not_sent_yet_is_not_late(link: RedisLink) -> None:
    await link.ping()
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: problems.append(problem))
    asked = link.post("a", Outline(("SET", "a"), ()), 1)
    assert asked is not None
    time.sleep(PATIENCE.total_seconds() + 0.1)
    await settled(asked)
    assert (asked.at_once(), problems) == (b"OK", [])


async def test_who_is_told_and_fails_keeps_no_answer_from_others(link: RedisLink) -> None:
    await link.ping()
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: problems.append(problem["exception"]))
    put, get = Outline(("SET", "told"), ()), Outline(("GETRANGE", "told", 0), ())
    first, failing, last = link.post("told", put, 7), link.post("told", put, 8), link.post("told", get, 0)
    assert first is not None
    assert failing is not None
    assert last is not None
    failing.when_settled(lambda: {}["whatever"])  # type: ignore[call-overload]
    await settled(first, last)
    assert (first.at_once(), failing.at_once(), last.at_once()) == (b"OK", b"OK", b"8")
    assert [type(problem) for problem in problems] == [KeyError]
    assert await link.ask("told", ("GET", "told")) == b"8"


@pytest.mark.parametrize("number", [0, 9, 10, 2**32 - 2])
@pytest.mark.parametrize("after", [(), ("z", 7, b"\0")])
def test_what_is_packed_but_for_a_number_is_the_command_with_that_number(
    number: int, after: tuple[str | bytes | int, ...]
) -> None:
    outline = Outline(("EVALSHA", "é", b"\r\n"), after)
    assert outline.packed(number) == pack(outline.command(number)) == pack(("EVALSHA", "é", b"\r\n", number, *after))


async def test_a_name_without_a_utf8_form_is_refused(link: RedisLink) -> None:
    await refusal_takes(lambda: RedisRefreshFamilies(link).close("u", "\ud800", until=datetime.now(UTC)))
    await link.ping()


async def test_a_closed_link_refuses_at_once(own_valkey: ValkeyServer) -> None:
    used, unused = RedisLink.from_url(own_valkey.tcp_url), RedisLink.from_url(own_valkey.tcp_url)
    await used.ping()
    waiting = asyncio.create_task(refusal_takes(lambda: used.ask("any", ("BLPOP", "nothing", 5))))
    await asyncio.sleep(0.05)
    for link in (used, unused):
        await link.close()
        await link.close()
        for call in every_call(link):
            assert await refusal_takes(call) < AT_ONCE
    assert await waiting < REFUSED_WITHIN


async def test_facts_tell_what_an_operator_must_know(
    own_valkey: ValkeyServer, own_valkey_cluster: ValkeyCluster
) -> None:
    with own_valkey.client() as client:
        version = client.info("server")["valkey_version"]
        async with RedisLink.from_url(own_valkey.tcp_url) as link:
            [facts] = await link.facts()
            assert (facts.version, facts.eviction, facts.evicts) == (version, "noeviction", False)
            assert facts.append_only is True
            client.config_set("maxmemory-policy", "allkeys-lru")
            client.config_set("appendonly", "no")
            [facts] = await link.facts()
            assert (facts.eviction, facts.evicts, facts.append_only) == ("allkeys-lru", True, False)
    async with RedisLink.from_url(own_valkey_cluster.url) as link:
        assert {facts.server for facts in await link.facts()} == {
            f"127.0.0.1:{node.port}" for node in own_valkey_cluster.nodes
        }


class Recorder:
    """An `on_return` that writes through the link and notes what it saw; it may be made to fail or to wait."""

    def __init__(self, link: RedisLink) -> None:
        self.link = link
        self.ran = 0
        self.fails = 0
        self.gate = asyncio.Event()
        self.gate.set()
        link.on_return = self

    async def __call__(self) -> None:
        await self.gate.wait()
        await self.link.ask("drained", ("SET", "drained", self.ran + 1))
        await asyncio.gather(*(self.link.ask(f"{number}", ("GET", f"{number}")) for number in range(9)))
        self.ran += 1
        if self.fails:
            self.fails -= 1
            raise LookupError("SQL is away, or anything else")


@pytest.fixture(params=["single", "cluster"])
async def returning(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Recorder, list[ValkeyServer]]]:
    if request.param == "single":
        server: ValkeyServer = request.getfixturevalue("own_valkey")
        url, servers = server.tcp_url, [server]
    else:
        cluster: ValkeyCluster = request.getfixturevalue("own_valkey_cluster")
        url, servers = cluster.url, cluster.nodes
    async with RedisLink.from_url(url) as link:
        yield Recorder(link), servers


async def test_on_return_runs_before_the_first_use(returning: tuple[Recorder, list[ValkeyServer]]) -> None:
    recorder, servers = returning
    await recorder.link.ping()
    assert recorder.ran == len(servers)
    await recorder.link.ping()
    assert recorder.ran == len(servers)


async def test_after_an_outage_nobody_is_let_through_before_on_return_has_ended(
    returning: tuple[Recorder, list[ValkeyServer]],
) -> None:
    recorder, servers = returning
    link = recorder.link
    await link.ping()
    ran = recorder.ran
    for server in servers:
        server.freeze()
    await refusal_takes(link.ping)
    recorder.gate.clear()
    for server in servers:
        server.resume()
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        await refusal_takes(link.ping)
        await refusal_takes(lambda: link.ask("drained", ("GET", "drained")))
        assert link.post("drained", Outline(("GETRANGE", "drained", 0), ()), 0) is None
        await asyncio.sleep(0.01)
    assert recorder.ran == ran
    recorder.gate.set()
    async with asyncio.timeout(BACK_WITHIN):
        while True:
            try:
                answer = await link.ask("drained", ("GET", "drained"))
                assert isinstance(answer, bytes)
                assert int(answer) > ran
                break
            except StoreUnavailable:
                assert recorder.ran <= ran + len(servers)
                await asyncio.sleep(0.005)
    await assert_back(link)


async def test_while_on_return_fails_the_server_is_not_used_and_it_is_tried_again(
    returning: tuple[Recorder, list[ValkeyServer]],
) -> None:
    recorder, servers = returning
    recorder.fails = 3 * len(servers)
    began = fair_clock()
    while recorder.fails:
        await refusal_takes(recorder.link.ping)
        await asyncio.sleep(0.01)
    assert recorder.ran == 3 * len(servers)
    assert 0.3 < fair_clock() - began < BACK_WITHIN
    await assert_back(recorder.link)
    assert recorder.ran == 4 * len(servers)


async def test_behind_sentinels_a_frozen_primary_is_refused_in_time_and_its_successor_is_found(
    own_sentinels: ValkeyBehindSentinels,
) -> None:
    async with RedisLink.from_url(own_sentinels.url) as link:
        await assert_back(link)
        own_sentinels.catch_up()
        own_sentinels.primary.freeze()
        await assert_refused(link)
        async with asyncio.timeout(FAILOVER_WITHIN):
            while not own_sentinels.is_promoted():
                await asyncio.sleep(0.02)
        await assert_back(link)
