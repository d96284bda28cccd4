"""Valkey for tests: one server, one behind sentinels, or a cluster of three; and how a link to it begins."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.protocol.errors import StoreUnavailable
from service.storage.embedded import find_valkey_binary
from service.storage.redis import RedisLink
from tests.servers.process import STARTS_WITHIN, ServerProcess, free_ports

SLOTS = 16384
SERVICE = "main"
_AT_ONCE = {"repl-diskless-sync-delay": "0"}
_HASTE = ("info-period", 500, "ping-period", 100, "ask-period", 100, "publish-period", 100, "tilt-trigger", 60_000)


class ValkeyServer(ServerProcess):
    """One Valkey, reachable by unix socket (`url`) and by loopback (`tcp_url`).

    A restart finds its data when `persistent`; otherwise it comes back empty, as after a lost disk.
    """

    def __init__(
        self,
        folder: Path,
        *,
        persistent: bool = False,
        port: int | None = None,
        settings: dict[str, str] | None = None,
    ) -> None:
        binary = find_valkey_binary()
        assert binary is not None, "no Valkey binary: python3 run.py test installs one"
        folder.mkdir()
        self.port = port or free_ports(1)[0]
        self.url = f"unix://{folder}/s?db=0"
        self.tcp_url = f"redis://127.0.0.1:{self.port}/0"
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": f"{folder}/s",
            "unixsocketperm": "600",
            "save": "",
            "appendonly": "yes" if persistent else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "enable-debug-command": "local",
        }
        arguments = [part for name, value in (options | (settings or {})).items() for part in (f"--{name}", value)]
        super().__init__([str(binary), *arguments], folder=folder, is_ready=self._answers)

    def client(self) -> redis.Redis:
        """A plain client without retries, to look and to interfere."""
        return redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), decode_responses=True)

    def flush(self) -> None:
        """Forget every key and every script."""
        with self.client() as client:
            client.flushall()
            client.script_flush()

    def role(self) -> str:
        """`master` or `slave`, or "" when it cannot be asked: a sentinel that changes it hangs up on all clients."""
        with self.client() as client:
            try:
                return str(client.info("replication")["role"])
            except redis.ConnectionError:
                return ""

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):  # not there yet, or still loading
                return False


class ValkeyCluster:
    """Three masters on loopback, no replicas: a killed node takes its slots along, as the service must expect."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        ports = free_ports(6)
        self.nodes = [
            ValkeyServer(
                folder / str(number),
                port=ports[number],
                settings={
                    "cluster-enabled": "yes",
                    "cluster-port": str(ports[number + 3]),
                    "cluster-node-timeout": "2000",
                    "cluster-config-file": "nodes.conf",
                },
            )
            for number in range(3)
        ]

    @property
    def url(self) -> str:
        """`redis+cluster://` and every node."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def start(self) -> None:
        """Start the nodes, share the slots out among them, and wait until each calls the cluster whole."""
        for node in self.nodes:
            node.start()
        share = SLOTS // len(self.nodes) + 1
        with self._clients() as clients:
            for number, client in enumerate(clients):
                first = number * share
                client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
                client.execute_command("CLUSTER ADDSLOTSRANGE", first, min(first + share, SLOTS) - 1)
                client.execute_command("CLUSTER MEET", "127.0.0.1", self.nodes[0].port, _bus_port(clients[0]))
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Wait until every node serves. Raises `RuntimeError` after 30 s."""
        deadline = time.monotonic() + STARTS_WITHIN
        with self._clients() as clients:
            while not all(_is_whole(client, len(self.nodes)) for client in clients):
                if time.monotonic() > deadline:
                    raise RuntimeError("the cluster did not come together")
                time.sleep(0.02)

    def flush(self) -> None:
        """Forget every key and every script on every node."""
        for node in self.nodes:
            node.flush()

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()

    @contextmanager
    def _clients(self) -> Iterator[list[redis.Redis]]:
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(node.client()) for node in self.nodes]


class Sentinel(ServerProcess):
    """One sentinel of a primary, hasty: it looks ten times a second, and a pause of this machine is no reason to it to
    mistrust its clock."""

    def __init__(self, folder: Path, primary: ValkeyServer) -> None:
        binary = find_valkey_binary()
        assert binary is not None, "no Valkey binary: python3 run.py test installs one"
        folder.mkdir()
        self.port = free_ports(1)[0]
        file = folder / "sentinel.conf"
        file.write_text(
            f"port {self.port}\nbind 127.0.0.1\nsentinel monitor {SERVICE} 127.0.0.1 {primary.port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} 1000\nsentinel failover-timeout {SERVICE} 3000\n"
        )
        super().__init__([str(binary), str(file), "--sentinel"], folder=folder, is_ready=self._answers)

    def client(self) -> redis.Redis:
        """A plain client without retries."""
        return redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0), decode_responses=True)

    def sees(self, others: int) -> bool:
        """Whether it knows a replica that is in step, and this many other sentinels."""
        with self.client() as client:
            replicas = client.execute_command("SENTINEL REPLICAS", SERVICE)
            peers = client.execute_command("SENTINEL SENTINELS", SERVICE)
        return [one["master-link-status"] for one in replicas] == ["ok"] and len(peers) == others

    def names(self) -> int:
        """The port of the server that it takes for the primary."""
        with self.client() as client:
            return int(client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", SERVICE)[1])

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.execute_command("SENTINEL DEBUG", *_HASTE))
            except (redis.ConnectionError, redis.TimeoutError):
                return False


class ValkeyBehindSentinels:
    """A primary, its replica, and three sentinels of which two must agree; one of either sort may be killed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.primary = ValkeyServer(folder / "primary", settings=_AT_ONCE)
        followed = {"replicaof": f"127.0.0.1 {self.primary.port}"}
        self.replica = ValkeyServer(folder / "replica", settings=_AT_ONCE | followed)
        self.sentinels = [Sentinel(folder / f"sentinel{number}", self.primary) for number in range(3)]

    @property
    def url(self) -> str:
        """`redis+sentinel://`, every sentinel, and the name that they know the primary by."""
        return "redis+sentinel://" + ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels) + f"/{SERVICE}"

    def start(self) -> None:
        """Start all, and wait until each sentinel knows the others. Raises `RuntimeError` after 30 s."""
        for server in (self.primary, self.replica, *self.sentinels):
            server.start()
        deadline = time.monotonic() + STARTS_WITHIN
        while not all(one.sees(len(self.sentinels) - 1) for one in self.sentinels):
            if time.monotonic() > deadline:
                raise RuntimeError("the sentinels did not find each other")
            time.sleep(0.02)

    def catch_up(self) -> None:
        """Wait until the replica has all that the primary has acknowledged."""
        with self.primary.client() as client:
            assert client.execute_command("WAIT 1 5000") == 1

    def part(self) -> None:
        """From now on nothing reaches the replica: what the primary acknowledges will be lost with it."""
        with self.primary.client() as client:
            client.execute_command("ACL SETUSER default -psync -sync")
            client.execute_command("CLIENT KILL TYPE replica")

    def is_promoted(self) -> bool:
        """Whether the replica has become the primary."""
        return self.replica.role() == "master"

    def is_settled(self) -> bool:
        """Whether all sentinels name the replica as primary: before that an old one that comes back may stay it."""
        return {one.names() for one in self.sentinels} == {self.replica.port}

    def kill(self) -> None:
        for server in (*self.sentinels, self.replica, self.primary):
            server.kill()


def _bus_port(client: redis.Redis) -> int:
    return int(client.config_get("cluster-port")["cluster-port"])


def _is_whole(client: redis.Redis, size: int) -> bool:
    information = client.execute_command("CLUSTER INFO")
    return information["cluster_state"] == "ok" and int(information["cluster_known_nodes"]) == size


async def connected(link: RedisLink) -> None:
    """Wait for the first answer of every server: a busy machine may take longer to connect than a call would wait."""
    async with asyncio.timeout(STARTS_WITHIN):
        while True:
            with contextlib.suppress(StoreUnavailable):
                return await link.ping()
            await asyncio.sleep(0.05)
