"""One connection that all callers share: what they ask in one turn of the event loop leaves in one write."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from service.protocol.errors import StoreUnavailable
from service.storage.redis.scripts import Command

Reply = object
"""What Redis answered: bytes, int, list, dict, None, or a `ResponseError` that was one command's answer."""

CONNECT_WITHIN = timedelta(milliseconds=800)
SILENT = "no answer in time"


@dataclass(slots=True)
class _Asked:
    packed: list[bytes]
    deadline: float
    answer: asyncio.Future[list[Reply]]
    replies: list[Reply] = field(default_factory=list)


class Wire:
    """A live connection. It breaks once and for all when a reply is late, out of turn, or the connection is lost.

    Callers only ever wait for a future, so one that is cancelled leaves its reply to be read and thrown away: replies
    cannot come to the wrong caller. A command that was sent is never sent again: nobody knows whether it was done.
    """

    def __init__(
        self, connection: AbstractConnection, *, patience: timedelta, on_broken: Callable[["Wire", str], None]
    ) -> None:
        self._connection = connection
        self._patience = patience.total_seconds()
        self._on_broken = on_broken
        self._loop = asyncio.get_running_loop()
        self._unsent: list[_Asked] = []
        self._awaited: deque[_Asked] = deque()
        self._wake = asyncio.Event()
        self._watch: asyncio.TimerHandle | None = None
        self._late = False
        self.broken: str | None = None
        self._tasks = (asyncio.create_task(self._write_for_ever()), asyncio.create_task(self._read_for_ever()))

    @classmethod
    async def open(
        cls, connection: AbstractConnection, *, patience: timedelta, on_broken: Callable[["Wire", str], None]
    ) -> "Wire":
        """Connect and shake hands. Raises `StoreUnavailable` within `CONNECT_WITHIN`."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN.total_seconds()):
                await connection.connect()  # type: ignore[no-untyped-call]  # redis-py left it untyped
        except Exception as error:  # whatever a half-dead server or a broken proxy makes the client raise
            await connection.disconnect(nowait=True)
            raise StoreUnavailable("redis", detail=f"cannot connect: {_words(error)}") from error
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return cls(connection, patience=patience, on_broken=on_broken)

    async def ask(self, commands: Iterable[Command]) -> list[Reply]:
        """Send these one after the other with nothing between; their replies, in order.

        A command's own error is a reply. Raises `StoreUnavailable` when the wire is broken or breaks.
        """
        packed = [pack_command(command) for command in commands]  # type: ignore[arg-type]  # it takes any length
        if self.broken is not None:
            raise StoreUnavailable("redis", detail=self.broken)
        asked = _Asked(packed, self._loop.time() + self._patience, self._loop.create_future())
        self._unsent.append(asked)
        self._wake.set()
        if self._watch is None:
            self._watch = self._loop.call_later(self._patience, self._look)
        return await asked.answer

    async def close(self) -> None:
        """Hang up; what was asked and not answered is `StoreUnavailable`."""
        self._break("closed")
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _write_for_ever(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                asked, self._unsent = self._unsent, []
                self._awaited.extend(asked)
                packed = [part for item in asked for part in item.packed]
                await self._connection.send_packed_command(packed, check_health=False)
        except Exception as error:  # whatever the client raises, this connection is done for
            self._break(_words(error))

    async def _read_for_ever(self) -> None:
        try:
            while True:
                try:
                    reply: Reply = await self._connection.read_response(timeout=math.inf)
                except ResponseError as error:
                    reply = error
                self._take(reply)
        except Exception as error:  # as above: also an answer that nobody asked for
            self._break(_words(error))
        finally:
            await self._connection.disconnect(nowait=True)

    def _take(self, reply: Reply) -> None:
        asked = self._awaited[0]
        asked.replies.append(reply)
        if len(asked.replies) == len(asked.packed):
            self._awaited.popleft()
            self._late = False
            if not asked.answer.done():
                asked.answer.set_result(asked.replies)

    def _look(self) -> None:
        """Break the wire when the oldest question has waited too long; looks twice, so that a pause of this very
        process, with the reply already in the socket, is not taken for one of Redis."""
        self._watch = None
        oldest = self._awaited[0] if self._awaited else self._unsent[0] if self._unsent else None
        if oldest is None or self.broken is not None:
            return
        wait = oldest.deadline - self._loop.time()
        if wait <= 0:
            if self._late:
                self._break(SILENT)
                return
            self._late = True
            wait = 0.02
        self._watch = self._loop.call_later(wait, self._look)

    def _break(self, why: str) -> None:
        if self.broken is not None:
            return
        self.broken = why
        if self._watch is not None:
            self._watch.cancel()
        for asked in (*self._awaited, *self._unsent):
            if not asked.answer.done():
                asked.answer.set_exception(StoreUnavailable("redis", detail=why))
        self._awaited.clear()
        self._unsent.clear()
        for task in self._tasks:
            if task is not asyncio.current_task():  # the one that is here comes to its own end
                task.cancel()
        self._on_broken(self, why)


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
