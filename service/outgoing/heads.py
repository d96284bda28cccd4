"""Where heads of the audit go: a file that is only ever added to, or an address elsewhere."""

import asyncio
import os
from pathlib import Path

from service.outgoing.http import OutgoingHttp


class HeadFile:
    """One head a line, on the disk when `keep` returns. Any number of workers may add to one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def keep(self, head: str) -> None:
        """See `HeadKeeper.keep`."""
        await asyncio.to_thread(self._add, head)

    def _add(self, head: str) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, head.encode() + b"\n")
            os.fsync(file)
        finally:
            os.close(file)


class HeadAddress:
    """Sends each head as the field `head` of a form."""

    def __init__(self, outgoing: OutgoingHttp, address: str) -> None:
        self._outgoing = outgoing
        self._address = address

    async def keep(self, head: str) -> None:
        """See `HeadKeeper.keep`."""
        status = await self._outgoing.post_form(self._address, {"head": head})
        if not 200 <= status < 300:
            raise OSError(f"{self._address} answered {status}")
