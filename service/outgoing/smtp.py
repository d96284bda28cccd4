"""Messages by SMTP (RFC 5321), one connection each, under TLS unless the server is this very machine.

The library is loaded for the first message (10 ms): a worker that sends none is a megabyte smaller.
"""

import asyncio
import ssl
from datetime import timedelta
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from service import clock
from service.mail.message import Message, MessageRefused

if TYPE_CHECKING:
    from email.message import EmailMessage

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class SmtpCarrier:
    """Sends by `smtp://` (with STARTTLS, which only a server on this machine may lack) or `smtps://`.

    `within` bounds one message, however slowly the server answers.
    """

    def __init__(self, url: str, *, sender: str, within: timedelta = timedelta(seconds=20)) -> None:
        parts = urlsplit(url)
        self._host, self._secure = parts.hostname or "localhost", parts.scheme == "smtps"
        self._port = parts.port or (465 if self._secure else 587)
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._sender = sender
        self._within = within.total_seconds()

    async def send(self, message: Message) -> None:
        """See `Carrier.send`."""
        import aiosmtplib

        try:
            async with asyncio.timeout(self._within):
                await self._send(composed(message, self._sender), message.address)
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPResponseException) as error:
            codes = [one.code for one in getattr(error, "recipients", ())] or [getattr(error, "code", 0)]
            if isinstance(error, aiosmtplib.SMTPAuthenticationError) or any(code < 500 for code in codes):
                raise OSError(f"the server answers {codes}") from None
            raise MessageRefused(f"the server answers {codes}") from None
        except aiosmtplib.SMTPException as error:
            raise OSError(type(error).__name__) from None

    async def _send(self, letter: "EmailMessage", address: str) -> None:
        import aiosmtplib

        must = None if self._secure else (None if self._host in _LOOPBACK else True)
        async with aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            use_tls=self._secure,
            start_tls=must,
            timeout=self._within,
            tls_context=ssl.create_default_context(),
        ) as server:
            if self._user is not None and self._password is not None:
                await server.login(self._user, self._password)
            await server.send_message(letter, sender=parseaddr(self._sender)[1], recipients=[address])


def composed(message: Message, sender: str) -> "EmailMessage":
    """The message with its fields. Every value is checked for line breaks by the library (RFC 5322 §2.2)."""
    from email.message import EmailMessage

    letter = EmailMessage()
    letter.set_content(message.text)  # first: it drops every Content field
    letter["From"] = sender
    letter["To"] = message.address
    letter["Subject"] = message.subject
    letter["Date"] = format_datetime(clock.now())
    letter["Message-ID"] = f"<{message.id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter["Content-Language"] = message.language
    return letter
