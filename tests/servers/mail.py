"""A real mail server on loopback, which keeps what it is handed."""

import asyncio
import email
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.smtp import SMTP, Envelope, Session

_LINK = re.compile(r"https?://\S+\?token=(\S+)")


@dataclass
class MailServer:
    """`answers` are what the next recipients hear instead of 250, in order."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """What Gatepost is told."""
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(  # noqa: N802  # the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answers:
            return self.answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # as above
        content = envelope.content
        assert isinstance(content, bytes)
        letter = email.message_from_bytes(content, policy=default)
        assert isinstance(letter, EmailMessage)
        assert [letter["To"]] == envelope.rcpt_tos
        self.letters.append(letter)
        return "250 OK"

    async def letter_to(self, address: str, subject: str = "") -> EmailMessage:
        """The next letter to an address, taken away; waits for it."""
        async with asyncio.timeout(20):
            while True:
                for letter in self.letters:
                    if letter["To"] == address and subject in letter["Subject"]:
                        self.letters.remove(letter)
                        return letter
                await asyncio.sleep(0.02)

    async def link_to(self, address: str, subject: str = "") -> str:
        """The secret in the link of the next letter to an address."""
        found = _LINK.search(text_of(await self.letter_to(address, subject)))
        assert found, "a letter without a link"
        return found[1]


def text_of(letter: EmailMessage) -> str:
    """What a letter says."""
    return str(letter.get_content())


@asynccontextmanager
async def running_mail_server() -> AsyncIterator[MailServer]:
    """One server, on a port of its own, in this event loop."""
    mail = MailServer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mail, hostname="localhost", enable_SMTPUTF8=True), "127.0.0.1", 0)
    async with server:
        mail.port = server.sockets[0].getsockname()[1]
        yield mail
