"""The way to one Redis server: a wire, and a circuit that is open while the server cannot be relied on."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import Context, ContextVar
from datetime import timedelta

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ClusterDownError, NoScriptError, ReadOnlyError, ResponseError

from service.protocol.errors import StoreUnavailable
from service.storage.figures import REFUSED, TOOK
from service.storage.redis.scripts import BY_DIGEST, Command
from service.storage.redis.wire import CONNECT_WITHIN, SILENT, Outcome, Reply, Told, Wire

_log = structlog.get_logger("gatepost.redis")
_PROBE_EVERY = timedelta(milliseconds=200)
_DROPPED_FOR = timedelta(milliseconds=600)
"""How long callers wait, at most, for a connection that was dropped to come back."""
_RECOVERING: ContextVar[bool] = ContextVar("recovering", default=False)
_WRONG_SERVER = (ReadOnlyError, ClusterDownError)
"""Answers by which a server says that it should not be asked at all, as against not this or not now."""


class Lane:
    """Carries commands to one server, or refuses at once while its circuit is open.

    The circuit opens when the wire breaks. A probe then connects, asks PING and runs `on_return`; only when that too
    has succeeded are callers let through. Calls made inside `on_return` pass the open circuit. In the first moment of
    an outage callers wait for the first probe, so that a connection that was merely dropped costs nobody an error; so
    the first call of all connects. Nobody waits for a server that fell silent. `is_wanted` is asked after each failed
    probe; when it says no, probing ends until somebody calls.
    """

    def __init__(
        self,
        node: tuple[str, int],
        dial: Callable[[], AbstractConnection],
        *,
        patience: timedelta,
        on_return: Callable[[], Awaitable[None]],
        is_wanted: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self.node = node
        self.name = f"{node[0]}:{node[1]}" if node[0] else "redis"
        self.dial = dial
        self._patience = patience
        self._on_return = on_return
        self._is_wanted = is_wanted
        self._wire: Wire | None = None
        self._dialling = asyncio.Lock()
        self._usable = False
        self._why = "not connected yet"
        self._probed = asyncio.Event()
        self._worth_waiting_until = 0.0
        self._recovery: asyncio.Task[None] | None = None
        self._hung_up = False

    @property
    def is_usable(self) -> bool:
        """Whether the circuit is closed, with a wire."""
        return self._usable and self._wire is not None

    async def ask(self, commands: Sequence[Command]) -> list[Reply]:
        """Replies in order; a command's own error is a reply. Raises `StoreUnavailable`."""
        wire = self._wire
        try:
            if wire is None or not (self._usable or _RECOVERING.get()):
                wire = await self._wait_for_wire()
            began = time.monotonic()
            replies = await wire.ask(commands)
        except StoreUnavailable:
            REFUSED.add("redis")
            raise
        _note_answer(time.monotonic() - began)  # here, where it is known for which request it was
        return await self.finish(wire, commands, replies)

    def send(self, packed: bytes, count: int, tell: Told) -> Wire | None:
        """Ask without waiting, by this wire; None where that needs waiting. Raises `StoreUnavailable`."""
        wire = self._wire
        if wire is None or not self._usable:
            return None
        wire.send(packed, count, tell, _note_answer)
        return wire

    async def finish(self, wire: Wire, commands: Sequence[Command], outcome: Outcome) -> list[Reply]:
        """What `ask` gives, after what became of these commands that were sent by this wire."""
        try:
            if isinstance(outcome, StoreUnavailable):
                raise outcome
            replies = outcome
            for place, reply in enumerate(replies):
                if isinstance(reply, NoScriptError):
                    command = commands[place]
                    [replies[place]] = await wire.ask([BY_DIGEST[str(command[1])].in_full(command)])
                elif isinstance(reply, _WRONG_SERVER):
                    await self._refuse(wire, str(reply))
        except StoreUnavailable:
            REFUSED.add("redis")
            raise
        return replies

    async def check(self) -> None:
        """Raises `StoreUnavailable` while the circuit is open."""
        if self._wire is None or not self._usable:
            await self._wait_for_wire()

    async def close(self) -> None:
        """Hang up for good."""
        self._hung_up = True
        self._usable = False
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)
        if self._wire is not None:
            await self._wire.close()

    async def _wait_for_wire(self) -> Wire:
        if _RECOVERING.get():
            return await self._connected()
        if self._hung_up:
            raise StoreUnavailable("redis", detail="the link was closed")
        if self._recovery is None or self._recovery.done():
            self._begin_recovery(worth_waiting=CONNECT_WITHIN)
        if not self._probed.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._worth_waiting_until):
                    await self._probed.wait()
        if self._wire is None or not self._usable:
            raise StoreUnavailable("redis", detail=f"{self.name} is away: {self._why}")
        return self._wire

    def _begin_recovery(self, *, worth_waiting: timedelta) -> None:
        self._probed.clear()
        self._worth_waiting_until = asyncio.get_running_loop().time() + worth_waiting.total_seconds()
        self._recovery = asyncio.create_task(self._recover(), context=Context())

    async def _recover(self) -> None:
        probes = 0
        while True:
            probes += 1
            try:
                wire = await self._connected()
                [pong] = await wire.ask([("PING",)])
                if isinstance(pong, ResponseError):
                    await self._refuse(wire, str(pong))
                _RECOVERING.set(True)
                await self._on_return()
                if wire.broken is None:
                    self._usable = True
                    if probes > 1:
                        _log.info("redis is back", server=self.name, probes=probes)
                    return
            except Exception as error:  # whatever stops it, the answer is to try again, not to use the server
                self._why = str(error) or type(error).__name__
                if probes == 1:
                    _log.warning("redis is away", server=self.name, reason=self._why)
            finally:
                _RECOVERING.set(False)
                self._probed.set()
            await asyncio.sleep(_PROBE_EVERY.total_seconds())
            if self._is_wanted is not None and not await self._is_wanted():
                return

    async def _connected(self) -> Wire:
        async with self._dialling:
            if self._wire is None:
                self._wire = await Wire.open(self.dial(), patience=self._patience, on_broken=self._broke)
            return self._wire

    def _broke(self, wire: Wire, why: str) -> None:
        if wire is not self._wire:
            return
        self._wire = None
        self._why = why
        was_usable, self._usable = self._usable, False
        if was_usable and not self._hung_up:
            self._begin_recovery(worth_waiting=timedelta(0) if why == SILENT else _DROPPED_FOR)

    async def _refuse(self, wire: Wire, why: str) -> None:
        await wire.close()
        raise StoreUnavailable("redis", detail=why)


def _note_answer(seconds: float) -> None:
    TOOK.add(seconds, "redis")
