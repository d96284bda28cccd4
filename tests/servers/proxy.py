"""A TCP proxy in front of a real server that can make it slow, silent or unreachable without touching it."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Self

_CHUNK = 65_536


class TcpProxy:
    """Passes bytes between loopback `port` and a server on loopback; runs in the loop that entered it.

    `delay` holds each answer back; `black_hole()` keeps connections open and accepts new ones but passes nothing;
    `refuse()` ends connections and closes the port. `restore()` undoes all three: what a black hole swallowed stays
    lost, and its connections are ended, as a firewall that forgot them would. With `tls` it is what ends TLS in front
    of a server that has none.
    """

    def __init__(self, server_port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._server_port = server_port
        self._listener: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._silent = False
        self.delay = timedelta(0)
        self.port = 0

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    def black_hole(self) -> None:
        """From now on nothing passes, in either direction, and nobody is told."""
        self._silent = True

    async def refuse(self) -> None:
        """End every connection; new ones are refused by the kernel."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self._end_links()

    async def restore(self) -> None:
        """Be a plain, prompt proxy again, on the same port."""
        if self._silent:
            await self._end_links()
        self._silent = False
        self.delay = timedelta(0)
        if self._listener is None:
            await self._listen()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _end_links(self) -> None:
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.create_task(self._join(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)
        link.add_done_callback(lambda _: writer.transport.abort())  # also when it is ended before it began

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:  # the server is away: so are we
            writer.transport.abort()
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, server_writer, lambda: timedelta(0)))
                both.create_task(self._pass(server_reader, writer, lambda: self.delay))
        finally:
            server_writer.transport.abort()
            writer.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: Callable[[], timedelta]
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_CHUNK):
                if delay():
                    await asyncio.sleep(delay().total_seconds())
                if not self._silent:
                    writer.write(data)
                    await writer.drain()
        writer.close()
