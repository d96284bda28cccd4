"""One connection that all callers share: what they ask in one turn of the event loop leaves in one write."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import cast

from hiredis import PushNotification, Reader
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import InvalidResponse, ResponseError

from service.protocol.errors import StoreUnavailable
from service.storage.redis.packed import pack
from service.storage.redis.scripts import Command

Reply = object
"""What Redis answered: bytes, int, list, dict, None, or a `ResponseError` that was one command's answer."""

CONNECT_WITHIN = timedelta(milliseconds=800)
SILENT = "no answer in time"
_NOT_YET = object()
Outcome = list[Reply] | StoreUnavailable
Told = Callable[[Outcome], None]
"""Is called with the replies, in order, or with why there are none."""


@dataclass(slots=True)
class _Asked:
    packed: bytes
    count: int
    tell: Told
    took: Callable[[float], None] | None
    replies: list[Reply]
    sent_at: float = math.inf


class Wire(asyncio.Protocol):
    """A live connection. It breaks once and for all when a reply is late, out of turn, or the connection is lost.

    Nobody but this reads, so a caller that is cancelled leaves its reply to be read and thrown away: replies cannot
    come to the wrong one. A command that was sent is never sent again: nobody knows whether it was done.

    redis-py dials and shakes hands (TLS, password, protocol, database); then its socket is read and written here,
    where a question costs a twentieth of what its streams take.
    """

    def __init__(
        self, connection: AbstractConnection, *, patience: timedelta, on_broken: Callable[["Wire", str], None]
    ) -> None:
        self._patience = patience.total_seconds()
        self._on_broken = on_broken
        self._loop = asyncio.get_running_loop()
        self._unsent: list[_Asked] = []
        self._awaited: deque[_Asked] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._late = False
        self._lost = asyncio.Event()
        self.broken: str | None = None
        self._reader = Reader(
            protocolError=InvalidResponse,
            replyError=connection._parser.parse_error,  # which class each error is
            notEnoughData=_NOT_YET,
        )
        # redis-py has no public way to its socket, and has to forget it, or it would close it
        self._writer = cast("asyncio.StreamWriter", connection._writer)
        connection._reader = connection._writer = None
        self._transport = cast("asyncio.Transport", self._writer.transport)
        self._transport.set_protocol(self)

    @classmethod
    async def open(
        cls, connection: AbstractConnection, *, patience: timedelta, on_broken: Callable[["Wire", str], None]
    ) -> "Wire":
        """Connect and shake hands. Raises `StoreUnavailable` within `CONNECT_WITHIN`."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN.total_seconds()):
                await connection.connect()  # type: ignore[no-untyped-call]  # redis-py left it untyped
            return cls(connection, patience=patience, on_broken=on_broken)
        except Exception as error:  # whatever a half-dead server or a broken proxy makes the client raise
            await connection.disconnect(nowait=True)
            raise StoreUnavailable("redis", detail=f"cannot connect: {_words(error)}") from error
        except BaseException:
            await connection.disconnect(nowait=True)
            raise

    async def ask(self, commands: Iterable[Command]) -> list[Reply]:
        """The replies to `send`. Raises `StoreUnavailable`, also when the wire breaks."""
        answer: asyncio.Future[list[Reply]] = self._loop.create_future()
        packed = [pack(command) for command in commands]
        self.send(b"".join(packed), len(packed), partial(_settle, answer))
        return await answer

    def send(self, packed: bytes, count: int, tell: Told, took: Callable[[float], None] | None = None) -> None:
        """Send so many commands one after the other with nothing between. `tell` is called once, as the last reply is
        read, and `took` after it with the seconds until then; both must be quick.

        A command's own error is a reply. Raises `StoreUnavailable` when the wire is broken.
        """
        if self.broken is not None:
            raise StoreUnavailable("redis", detail=self.broken)
        asked = _Asked(packed, count, tell, took, [])
        if not self._unsent:
            self._loop.call_soon(self._write)
        self._unsent.append(asked)
        if self._watch is None:
            self._watch = self._loop.call_later(self._patience, self._look)

    async def close(self) -> None:
        """Hang up; what was asked and not answered is `StoreUnavailable`."""
        self._break("closed")
        await self._lost.wait()

    def data_received(self, data: bytes) -> None:
        """Replies, or parts of them."""
        try:
            self._reader.feed(data)
            now = time.monotonic()
            while self.broken is None:
                reply = self._reader.gets()
                if reply is _NOT_YET:
                    return
                if not isinstance(reply, PushNotification):
                    self._take(reply, now)
        except Exception as error:  # what is no reply, or one that nobody asked for: this connection is done for
            self._break(_words(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """Either side, or the way between, has hung up."""
        self._lost.set()
        self._break("connection lost" if exc is None else _words(exc))

    def _write(self) -> None:
        if self.broken is None:
            leaving, self._unsent = self._unsent, []
            now = time.monotonic()
            for asked in leaving:
                asked.sent_at = now
            self._awaited.extend(leaving)
            self._transport.write(b"".join([asked.packed for asked in leaving]))

    def _take(self, reply: Reply, now: float) -> None:
        if isinstance(reply, Exception) and not isinstance(reply, ResponseError):
            raise reply  # it is about the connection: too many clients, still loading
        asked = self._awaited[0]
        asked.replies.append(reply)
        if len(asked.replies) == asked.count:
            self._awaited.popleft()
            self._late = False
            self._tell(asked, asked.replies, now)

    def _look(self) -> None:
        """Break the wire when the oldest question has waited too long; looks twice, so that a pause of this very
        process, with the reply already in the socket, is not taken for one of Redis."""
        self._watch = None
        oldest = self._awaited[0] if self._awaited else self._unsent[0] if self._unsent else None
        if oldest is None or self.broken is not None:
            return
        wait = min(oldest.sent_at - time.monotonic(), 0) + self._patience
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
        unanswered = [*self._awaited, *self._unsent]
        self._awaited.clear()
        self._unsent.clear()
        self._transport.abort()
        try:
            self._on_broken(self, why)
        finally:
            for asked in unanswered:
                self._tell(asked, StoreUnavailable("redis", detail=why))

    def _tell(self, asked: _Asked, outcome: Outcome, answered_at: float | None = None) -> None:
        try:
            asked.tell(outcome)
            if answered_at is not None and asked.took is not None:
                asked.took(answered_at - asked.sent_at)
        except Exception as error:  # whatever they make of it, others still wait for what comes here
            self._loop.call_exception_handler({"message": "a reply of redis was not taken", "exception": error})


def _settle(answer: asyncio.Future[list[Reply]], outcome: Outcome) -> None:
    if answer.done():
        return
    if isinstance(outcome, StoreUnavailable):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
