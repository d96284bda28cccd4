"""A small web server that notices are sent to: it keeps what it hears, and answers, hangs or is away as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

SAYS_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\r\n"
_PATIENCE = 60


@dataclass
class Heard:
    """One request: its first line, its fields by lower-case name, and its body."""

    line: str
    fields: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The body, where it is a form."""
        return dict(parse_qsl(self.body.decode(), strict_parsing=bool(self.body)))


@dataclass
class Receiver:
    """`answer` is what it says, None to say nothing for as long as it stands; `then_hangs` when it does not hang up."""

    answer: bytes | None = SAYS_OK
    then_hangs: bool = False
    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _serving: set[asyncio.Task[None]] = field(default_factory=set)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        """Where notices go."""
        return f"http://127.0.0.1:{self.port}/backchannel_logout"

    async def start(self) -> None:
        """Begin, at the port of before if there was one."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Be away."""
        if self._server is not None:
            self._server.close()
            for task in tuple(self._serving):
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)
            await self._server.wait_closed()

    async def hear(self, count: int = 1) -> list[Heard]:
        """Wait until so many requests have come."""
        async with self._changed:
            waiting = self._changed.wait_for(lambda: len(self.heard) >= count)
            await asyncio.wait_for(waiting, _PATIENCE)
        return self.heard

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip()
            line, *rest = head.split("\r\n")
            fields = {name.lower(): value for name, value in (text.split(": ", 1) for text in rest)}
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            async with self._changed:
                self.heard.append(Heard(line, fields, body))
                self._changed.notify_all()
            if self.answer is not None:
                writer.write(self.answer)
                await writer.drain()
            if self.answer is None or self.then_hangs:
                await asyncio.Event().wait()
        except (OSError, asyncio.IncompleteReadError):
            pass  # who asked has gone
        finally:
            writer.close()


@asynccontextmanager
async def receiving(answer: bytes | None = SAYS_OK, *, then_hangs: bool = False) -> AsyncIterator[Receiver]:
    """A receiver that stands."""
    receiver = Receiver(answer, then_hangs)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()
