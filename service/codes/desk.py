"""The desk where authorization codes are given out and taken back, each once (RFC 6749 §4.1.2)."""

from datetime import datetime, timedelta
from typing import Protocol

import structlog

from service.codes.grant import AuthorizationGrant
from service.codes.text import Code, CodeMint
from service.protocol.errors import InvalidGrant, StoreUnavailable

CODE_LIFE = timedelta(seconds=60)
REMEMBERED = timedelta(minutes=10)
"""How long a spent code is known as spent; past that the ledger still knows its session's id."""
_log = structlog.get_logger("gatepost.codes")


class Codes(Protocol):
    """What codes stand for, in the engine. Every method raises `StoreUnavailable` when it cannot answer."""

    async def keep(self, code: Code, grant: AuthorizationGrant, *, life: timedelta) -> None:
        """Keep a new code's grant for `life` by the engine's own clock."""

    async def take(self, code: Code, *, life: timedelta, remembered: timedelta) -> AuthorizationGrant | None:
        """The grant, for the first of any number of racing calls, if the code was kept less than `life` ago.

        None for all others, and for a code that is not there; each of those calls leaves a mark that `is_replayed`
        finds. Marks stay for `remembered`. Asked once and never again: a second asking would look like a replay.
        """

    async def is_replayed(self, code: Code) -> bool:
        """Whether anybody came with this code after its first taking, or the mark of that has been lost."""


class EndsSessions(Protocol):
    """The end of sessions."""

    async def end_if_living(self, session_id: str, *, user_id: str, why: str, now: datetime) -> bool:
        """End one session, if it has not ended yet; whether this call ended it."""


class CodeDesk:
    """Gives out codes and takes each back once. Coming with a spent one ends what the first coming opened."""

    def __init__(self, codes: Codes, mint: CodeMint, ending: EndsSessions) -> None:
        self._codes = codes
        self._mint = mint
        self._ending = ending

    async def issue(self, grant: AuthorizationGrant) -> str:
        """A code for a grant, good for a minute. Raises `StoreUnavailable`."""
        code, text = self._mint.issue(grant.user_id, grant.session_id)
        await self._codes.keep(code, grant, life=CODE_LIFE)
        return text

    async def take(self, text: str, *, now: datetime) -> AuthorizationGrant:
        """What the code stands for; from now on it is spent, whatever the caller makes of it.

        Raises `InvalidGrant` for one that is not ours, expired or spent; in the last case its session has ended by
        then, if there was one (RFC 6749 §4.1.2, RFC 9700 §2.1.1). Raises `StoreUnavailable`.
        """
        code = self._mint.read(text)
        grant = await self._codes.take(code, life=CODE_LIFE, remembered=REMEMBERED)
        if grant is None:
            await self.end(text, now=now)
            raise InvalidGrant(detail="the code is spent or expired")
        return grant

    async def settle(self, text: str, *, now: datetime) -> None:
        """To be called when the session of a taken code stands in the ledger: end it when somebody else came with the
        code meanwhile, and found no session to end. Raises `StoreUnavailable`: nobody can say, so the session has
        ended.
        """
        code = self._mint.read(text)
        try:
            is_replayed = await self._codes.is_replayed(code)
        except StoreUnavailable:
            await self._ending.end_if_living(code.session_id, user_id=code.user_id, why="code in doubt", now=now)
            raise
        if is_replayed:
            await self.end(text, now=now)

    async def end(self, text: str, *, now: datetime) -> None:
        """End what this code has opened, which it has only if it was redeemed before."""
        code = self._mint.read(text)
        if await self._ending.end_if_living(code.session_id, user_id=code.user_id, why="code replayed", now=now):
            _log.warning("authorization code replayed", user_id=code.user_id, session_id=code.session_id)
