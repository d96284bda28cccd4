"""The link to Redis or Valkey: one server, one behind Sentinel, or a cluster. All that is asked goes through it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from service.pending import Pending
from service.protocol.errors import StoreUnavailable
from service.storage.redis.address import Address, Layout, SentinelDialler, parse_address
from service.storage.redis.lane import Lane
from service.storage.redis.packed import Outline, Questions
from service.storage.redis.routes import ClusterRoutes, OneServer, Routes
from service.storage.redis.scripts import Command
from service.storage.redis.wire import Outcome, Reply, Wire

PATIENCE = timedelta(milliseconds=500)
"""How long one answer is waited for. Nothing is asked twice, so this is all the time that a busy host gets."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What an operator should know of one server."""

    server: str
    version: str
    eviction: str
    append_only: bool

    @property
    def evicts(self) -> bool:
        """Whether the server may throw away what has not expired."""
        return self.eviction != "noeviction"


async def _nothing() -> None:
    return None


class RedisLink:
    """Every call answers or raises `StoreUnavailable` within 2 seconds, whatever Redis does.

    Set `on_return` before the first call: it is awaited each time a server has become reachable, the first time too,
    before anyone else may use it; when it raises, the server is not used and all is tried again 200 ms later. Calls
    that it makes through this link pass. One link belongs to one event loop.
    """

    def __init__(self, address: Address, *, patience: timedelta = PATIENCE) -> None:
        self.on_return: Callable[[], Awaitable[None]] = _nothing
        self._patience = patience
        self._returning = asyncio.Lock()
        self._sentinels = SentinelDialler(address) if address.layout is Layout.SENTINEL else None
        self._routes: Routes
        if address.layout is Layout.CLUSTER:
            self._routes = ClusterRoutes(address, self._lane, patience=patience)
        else:
            dial = self._sentinels.dial if self._sentinels is not None else address.dial_single
            self._routes = OneServer(self._lane(("", 0), dial, None))

    @classmethod
    def from_url(cls, url: str, *, patience: timedelta = PATIENCE) -> Self:
        """A link to what the URL names (see `parse_address`); connects at the first call. Raises `ValueError`."""
        return cls(parse_address(url), patience=patience)

    @property
    def is_up(self) -> bool:
        """Whether every server that is known to hold keys may be used now."""
        lanes = self._routes.known()
        return bool(lanes) and all(lane.is_usable for lane in lanes)

    async def ask(self, key: str, command: Command) -> Reply:
        """The answer of the server that holds `key`. Raises `StoreUnavailable`, also for an error that it answers."""
        try:
            [reply] = await self._ask_lane(await self._routes.lane(key), (command,))
        except UnicodeError:
            raise _unwritable() from None
        return _checked(reply)

    def post(self, key: str, outline: Outline, number: int) -> Pending[Reply] | None:
        """Ask the server that holds `key` now; None where that takes waiting, and nothing was asked. Raises
        `StoreUnavailable`."""
        lane = self._routes.lane_at_once(key)
        pending: Pending[Outcome] = Pending()
        wire = None if lane is None else lane.send(outline.packed(number), 1, pending.settle)
        if lane is None or wire is None:
            return None
        return pending.then(_only_reply, lambda outcome: self._finish(lane, wire, outline.command(number), outcome))

    def post_all(self, questions: Questions) -> Pending[list[Reply]] | None:
        """Ask all now, of one server; None where that takes waiting or another server, and nothing was asked. Raises
        `StoreUnavailable`."""
        lanes = {self._routes.lane_at_once(key) for key, _ in questions.asked}
        lane = lanes.pop()
        pending: Pending[Outcome] = Pending()
        wire = None if lanes or lane is None else lane.send(questions.packed(), len(questions.asked), pending.settle)
        if lane is None or wire is None:
            return None
        return pending.then(
            _replies,
            lambda outcome: self._finish_all(lane, wire, [command for _, command in questions.asked], outcome),
        )

    async def ask_all(self, questions: Sequence[tuple[str, Command]]) -> list[Reply]:
        """The answers to all, in order, asked in one round trip of each server; not as one transaction.

        Raises `StoreUnavailable` when any is an error, and then others may have been done.
        """
        try:
            return await self._ask_all(questions)
        except UnicodeError:
            raise _unwritable() from None

    async def ping(self) -> None:
        """Raises `StoreUnavailable` unless every server that holds keys may be used and answers."""
        lanes = await self._routes.lanes()
        for [pong] in await asyncio.gather(*(lane.ask([("PING",)]) for lane in lanes)):
            _checked(pong)

    async def facts(self) -> Sequence[ServerFacts]:
        """What each server that holds keys says of itself. Raises `StoreUnavailable`."""
        lanes = await self._routes.lanes()
        answers = await asyncio.gather(*(lane.ask([("INFO", "server", "memory", "persistence")]) for lane in lanes))
        return [_parse_facts(lane.name, _checked(info)) for lane, [info] in zip(lanes, answers, strict=True)]

    @asynccontextmanager
    async def own_wire(self, key: str, *, patience: timedelta) -> AsyncIterator[Wire]:
        """A connection of one's own to the server that holds `key`, for commands that wait; replies may take
        `patience`. Raises `StoreUnavailable`, at once while the server is known to be away."""
        lane = await self._routes.lane(key)
        await lane.check()
        wire = await Wire.open(lane.dial(), patience=patience, on_broken=lambda *_: None)
        try:
            yield wire
        finally:
            await wire.close()

    async def close(self) -> None:
        """Hang up. Calls that wait, and any made later, are `StoreUnavailable`."""
        await self._routes.close()
        if self._sentinels is not None:
            await self._sentinels.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask_all(self, questions: Sequence[tuple[str, Command]]) -> list[Reply]:
        places: dict[Lane, list[int]] = {}
        for place, (key, _) in enumerate(questions):
            places.setdefault(await self._routes.lane(key), []).append(place)
        if len(places) == 1:
            [lane] = places
            replies = await self._ask_lane(lane, [command for _, command in questions])
            return [_checked(reply) for reply in replies]
        answers: list[Reply] = [None] * len(questions)
        asking = [self._ask_lane(lane, [questions[place][1] for place in own]) for lane, own in places.items()]
        outcomes = await asyncio.gather(*asking, return_exceptions=True)  # let each finish: they are not undone
        for own, outcome in zip(places.values(), outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome
            for place, reply in zip(own, outcome, strict=True):
                answers[place] = reply
        return [_checked(reply) for reply in answers]

    async def _ask_lane(self, lane: Lane, commands: Sequence[Command]) -> list[Reply]:
        return await self._followed(lane, commands, await lane.ask(commands))

    async def _finish(self, lane: Lane, wire: Wire, command: Command, outcome: Outcome) -> Reply:
        [reply] = await self._finish_all(lane, wire, (command,), outcome)
        return reply

    async def _finish_all(self, lane: Lane, wire: Wire, commands: Sequence[Command], outcome: Outcome) -> list[Reply]:
        replies = await self._followed(lane, commands, await lane.finish(wire, commands, outcome))
        return [_checked(reply) for reply in replies]

    async def _followed(self, lane: Lane, commands: Sequence[Command], replies: list[Reply]) -> list[Reply]:
        for place, reply in enumerate(replies):
            if isinstance(reply, ResponseError):
                replies[place] = await self._routes.follow(commands[place], reply, lane)
        return replies

    def _lane(
        self,
        node: tuple[str, int],
        dial: Callable[[], AbstractConnection],
        is_wanted: Callable[[], Awaitable[bool]] | None,
    ) -> Lane:
        return Lane(node, dial, patience=self._patience, on_return=self._return, is_wanted=is_wanted)

    async def _return(self) -> None:
        async with self._returning:
            await self.on_return()


def _only_reply(outcome: Outcome) -> Reply | None:
    replies = _replies(outcome)
    return None if replies is None else replies[0]


def _replies(outcome: Outcome) -> list[Reply] | None:
    """Those of an outcome, when none is an error. Raises `StoreUnavailable`."""
    if isinstance(outcome, StoreUnavailable):
        raise outcome
    for reply in outcome:
        if isinstance(reply, ResponseError):
            return None
    return outcome


def _checked(reply: Reply) -> Reply:
    if isinstance(reply, ResponseError):
        raise StoreUnavailable("redis", detail=f"{type(reply).__name__}: {reply}")
    return reply


def _unwritable() -> StoreUnavailable:
    return StoreUnavailable("redis", detail="a name has no UTF-8 form")


def _parse_facts(server: str, reply: Reply) -> ServerFacts:
    said = dict(line.split(":", 1) for line in _text(reply).splitlines() if ":" in line)
    return ServerFacts(
        server=server,
        version=said.get("valkey_version") or said.get("redis_version", "unknown"),
        eviction=said.get("maxmemory_policy", "unknown"),
        append_only=said.get("aof_enabled") == "1",
    )


def _text(reply: Reply) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
