"""Messages as files, for a machine without a mail server: one `.eml` each, the newest last in order of name."""

import asyncio
import os
from pathlib import Path

from service import clock
from service.mail.message import Message
from service.outgoing.smtp import composed

KEPT = 100


class MailFolder:
    """Writes messages into a folder that only this user can read, and keeps the latest hundred."""

    def __init__(self, folder: Path, *, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, message: Message) -> None:
        """See `Carrier.send`."""
        await asyncio.to_thread(self._write, message)

    def latest(self) -> list[Path]:
        """The messages that are there, newest first."""
        return sorted(self._folder.glob("*.eml"), reverse=True) if self._folder.is_dir() else []

    def _write(self, message: Message) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{clock.now():%Y%m%dT%H%M%S%f}-{message.id}"
        partial = self._folder / f"{name}.part"
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(composed(message, self._sender).as_bytes())
        partial.rename(self._folder / f"{name}.eml")
        for old in self.latest()[KEPT:]:
            old.unlink(missing_ok=True)
