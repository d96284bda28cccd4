"""Which lane a key's commands take: the only one, or in a cluster that of the primary which holds the key's slot."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AskError, MovedError, TryAgainError

from service.protocol.errors import StoreUnavailable
from service.storage.redis.address import Address
from service.storage.redis.lane import Lane
from service.storage.redis.scripts import Command
from service.storage.redis.slots import Node, SlotMap
from service.storage.redis.wire import Reply, Wire

_log = structlog.get_logger("gatepost.redis")
_REDIRECTS = 5
_TRY_AGAIN_AFTER = timedelta(milliseconds=20)
_RELOAD_EVERY = timedelta(milliseconds=150)
_LOAD_WITHIN = timedelta(milliseconds=500)
_FOLLOW_WITHIN = timedelta(milliseconds=400)

MakeLane = Callable[[Node, Callable[[], AbstractConnection], Callable[[], Awaitable[bool]]], Lane]
"""Makes a lane from the server's place, how to dial it, and how to find out whether it is still wanted."""


class Routes(Protocol):
    """Finds lanes and follows redirections. Everything here raises `StoreUnavailable`."""

    async def lane(self, key: str) -> Lane:
        """The lane to whoever holds the key."""

    def lane_at_once(self, key: str) -> Lane | None:
        """The same without asking anybody; None where that has to be."""

    async def lanes(self) -> Sequence[Lane]:
        """The lanes to every server that holds keys."""

    def known(self) -> Sequence[Lane]:
        """The lanes to servers that are known to hold keys; asks nobody."""

    async def follow(self, command: Command, reply: Reply, lane: Lane) -> Reply:
        """The command's real answer when `reply` sends it elsewhere, else `reply`."""

    async def close(self) -> None:
        """Hang up all lanes."""


class OneServer:
    """Everything is in one place."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    async def lane(self, key: str) -> Lane:
        """The only one."""
        return self._lane

    def lane_at_once(self, key: str) -> Lane | None:
        """The only one."""
        return self._lane

    async def lanes(self) -> Sequence[Lane]:
        """The only one."""
        return (self._lane,)

    def known(self) -> Sequence[Lane]:
        """The only one."""
        return (self._lane,)

    async def follow(self, command: Command, reply: Reply, lane: Lane) -> Reply:
        """There is nowhere else."""
        return reply

    async def close(self) -> None:
        """Hang up."""
        await self._lane.close()


class ClusterRoutes:
    """A lane to each primary. The map is read from whichever server answers first, and corrected as servers say."""

    def __init__(self, address: Address, make_lane: MakeLane, *, patience: timedelta) -> None:
        self._address = address
        self._make_lane = make_lane
        self._patience = patience
        self._slots = SlotMap()
        self._lanes: dict[Node, Lane] = {}
        self._loading = asyncio.Lock()
        self._tried_at = -math.inf
        self._tasks: set[asyncio.Task[None]] = set()

    async def lane(self, key: str) -> Lane:
        """The lane to the primary that is believed to hold the key."""
        lane = self.lane_at_once(key)
        if lane is None:
            await self._load()
            lane = self.lane_at_once(key)
        if lane is None:
            raise StoreUnavailable("redis", detail="a slot of the cluster is held by nobody")
        return lane

    def lane_at_once(self, key: str) -> Lane | None:
        """The same as far as the map is known."""
        node = self._slots.find(key)
        return None if node is None else self._lane_to(node)

    async def lanes(self) -> Sequence[Lane]:
        """The lanes to all primaries."""
        await self._load()
        return [self._lane_to(node) for node in self._slots.primaries]

    def known(self) -> Sequence[Lane]:
        """The lanes to the primaries of the map."""
        return [self._lane_to(node) for node in self._slots.primaries]

    async def follow(self, command: Command, reply: Reply, lane: Lane) -> Reply:
        """Go where MOVED or ASK point, and wait a moment at TRYAGAIN (a slot on the move)."""
        if not isinstance(reply, AskError | TryAgainError):
            return reply
        try:
            async with asyncio.timeout(_FOLLOW_WITHIN.total_seconds()):
                return await self._follow(command, reply, lane)
        except TimeoutError:
            raise StoreUnavailable("redis", detail="a slot is on the move") from None

    async def _follow(self, command: Command, reply: Reply, lane: Lane) -> Reply:
        for _ in range(_REDIRECTS):
            if isinstance(reply, TryAgainError):
                await asyncio.sleep(_TRY_AGAIN_AFTER.total_seconds())
                [reply] = await lane.ask([command])
            elif isinstance(reply, MovedError):
                lane = self._lane_to(self._moved(reply, lane))
                [reply] = await lane.ask([command])
            elif isinstance(reply, AskError):
                lane = self._lane_to((str(reply.host) or lane.node[0], int(reply.port)))
                _, reply = await lane.ask([("ASKING",), command])
            else:
                return reply
        return reply

    async def close(self) -> None:
        """Hang up all lanes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *(lane.close() for lane in self._lanes.values()), return_exceptions=True)

    def _moved(self, reply: MovedError, lane: Lane) -> Node:
        node = (str(reply.host) or lane.node[0], int(reply.port))
        self._slots.move(int(reply.slot_id), node)
        task = asyncio.create_task(self._reload())  # one slot seldom moves alone
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return node

    def _lane_to(self, node: Node) -> Lane:
        lane = self._lanes.get(node)
        if lane is None:
            lane = self._lanes[node] = self._make_lane(
                node, lambda: self._address.dial(*node), lambda: self._is_wanted(node)
            )
        return lane

    async def _is_wanted(self, node: Node) -> bool:
        """Asked while a server is away: or has another taken its place?"""
        await self._reload()
        return node in self._slots.primaries

    async def _reload(self) -> None:
        try:
            await self._load()
        except StoreUnavailable as refusal:
            _log.debug("redis cluster does not tell its slots", reason=refusal.detail)

    async def _load(self) -> None:
        """Read the map, unless somebody just has; one at a time."""
        loop = asyncio.get_running_loop()
        async with self._loading:
            if loop.time() - self._tried_at > _RELOAD_EVERY.total_seconds():
                try:
                    await self._ask_any(sorted({*self._address.hosts, *self._slots.primaries}))
                finally:
                    self._tried_at = loop.time()
        if not self._slots.primaries:
            raise StoreUnavailable("redis", detail="no server of the cluster answers")

    async def _ask_any(self, nodes: Sequence[Node]) -> None:
        """Ask all at once, since any may hang; the first good answer counts."""
        asking = [asyncio.create_task(self._ask_one(node)) for node in nodes]
        try:
            for answer in asyncio.as_completed(asking, timeout=_LOAD_WITHIN.total_seconds()):
                try:
                    reply, node = await answer
                    self._slots.replace(reply, asked=node)
                except StoreUnavailable as refusal:
                    _log.debug("redis cluster: no slots", reason=refusal.detail)
                    continue
                return
        except TimeoutError:
            _log.debug("redis cluster: no slots in time")
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def _ask_one(self, node: Node) -> tuple[Reply, Node]:
        wire = await Wire.open(self._address.dial(*node), patience=self._patience, on_broken=lambda *_: None)
        try:
            [reply] = await wire.ask([("CLUSTER", "SLOTS")])
        finally:
            await wire.close()
        return reply, node
