"""Sending letters: behind everything else, again with growing pauses, and not for ever."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from service.addresses.letter import Letter, Letters
from service.mail.message import Carrier, MessageRefused
from service.mail.writer import LetterWriter
from service.outbox import Outbox, Pauses
from service.protocol.errors import Refusal

_log = structlog.get_logger("gatepost.mail")
_AT_ONCE = 8
_LEASE = timedelta(minutes=2)
PAUSES = Pauses(first=timedelta(seconds=70), longest=timedelta(hours=1))
_GIVES_UP_AFTER = timedelta(days=2)


class LetterSender:
    """Writes and sends what waits. Any number of workers may run one over the same ledger.

    A letter is written anew for each try, with a new link that replaces the one before: hence no try comes sooner than
    a link may be made again.
    """

    def __init__(
        self,
        letters: Letters,
        writer: LetterWriter,
        carrier: Carrier,
        *,
        posted: asyncio.Event,
        now: Callable[[], datetime],
    ) -> None:
        self._letters = letters
        self._writer = writer
        self._carrier = carrier
        self._now = now
        self._outbox = Outbox("letters", self.send_due, posted)

    async def start(self) -> None:
        """Begin sending."""
        await self._outbox.start()

    async def stop(self) -> None:
        """End; what was not sent waits in the ledger."""
        await self._outbox.stop()

    async def send_due(self) -> bool:
        """One round over what is due; whether more may be. Raises `StoreUnavailable`."""
        now = self._now()
        due = await self._letters.due(now=now, limit=_AT_ONCE)
        claimed = [letter for letter in due if await self._letters.claim(letter, until=now + _LEASE)]
        await asyncio.gather(*map(self._send, claimed))
        return len(due) == _AT_ONCE

    async def _send(self, letter: Letter) -> None:
        """One try. Whatever goes wrong, the claim runs out and the letter is due again."""
        said: dict[str, object] = {"letter": letter.id, "kind": str(letter.kind), "tries": letter.tries + 1}
        try:
            message = await self._writer.write(letter, now=self._now())
            if message is not None:
                await self._carrier.send(message)
                _log.info("letter sent", **said)
            await self._letters.done(letter.id)
        except MessageRefused as refused:
            _log.warning("letter refused", reason=str(refused), **said)
            await self._letters.done(letter.id)
        except OSError as error:
            await self._put_off(letter, f"{type(error).__name__}: {error}", said)
        except Refusal as refusal:
            _log.debug("letter waits", reason=refusal.detail, **said)
        except Exception:
            _log.exception("letter failed", **said)

    async def _put_off(self, letter: Letter, problem: str, said: dict[str, object]) -> None:
        now = self._now()
        if now - letter.created_at >= _GIVES_UP_AFTER:
            _log.warning("letter given up", reason=problem, **said)
            await self._letters.done(letter.id)
        else:
            _log.info("letter not sent yet", reason=problem, **said)
            await self._letters.put_off(letter.id, until=now + PAUSES.after(letter.tries))
