"""Delivering notices: behind everything else, again and again with growing pauses, and not for ever."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from service.clients.client import Client
from service.logout.notice import LogoutNotice, LogoutNotices, Posts
from service.logout.token import LogoutTokens
from service.outbox import Outbox, Pauses
from service.protocol.errors import Refusal

_log = structlog.get_logger("gatepost.logout")
_AT_ONCE = 32
_AT_ONCE_EACH = 4
_SEEN = _AT_ONCE * _AT_ONCE_EACH
_LEASE = timedelta(seconds=30)
PAUSES = Pauses(first=timedelta(seconds=2), longest=timedelta(minutes=30))
_GIVES_UP_AFTER = timedelta(hours=6)
_FORGETS_AFTER = timedelta(days=1)
_FORGETS_EVERY = timedelta(hours=1)


class FindsClients(Protocol):
    """What the sender needs of clients."""

    async def find(self, client_id: str) -> Client | None:
        """By id, disabled ones too. Raises `StoreUnavailable`."""


class LogoutSender:
    """Tells applications what waits in the outbox. Any number of workers may run one over the same ledger.

    An application that is slow or down takes up at most four of this worker's deliveries; others are told meanwhile.
    """

    def __init__(
        self,
        notices: LogoutNotices,
        clients: FindsClients,
        tokens: LogoutTokens,
        posts: Posts,
        *,
        posted: asyncio.Event,
        now: Callable[[], datetime],
    ) -> None:
        self._notices = notices
        self._clients = clients
        self._tokens = tokens
        self._posts = posts
        self._now = now
        self._under_way: dict[asyncio.Task[None], str] = {}
        self._forgets_at = now()
        self._posted = posted
        self._leaves_some = False
        self._outbox = Outbox("logout notices", self.send_due, posted)

    async def start(self) -> None:
        """Begin delivering."""
        await self._outbox.start()

    async def stop(self) -> None:
        """End; what was not delivered waits in the ledger."""
        await self._outbox.stop()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def send_due(self) -> bool:
        """Start the deliveries that are due, as many as there is room for; False: the end of one says when there is
        more. Raises `StoreUnavailable`."""
        now = self._now()
        if now >= self._forgets_at:
            self._forgets_at = now + _FORGETS_EVERY
            await self._notices.forget(before=now - _FORGETS_AFTER)
        room = _AT_ONCE - len(self._under_way)
        busy = Counter(self._under_way.values())
        due = await self._notices.due(now=now, limit=_SEEN, each=_AT_ONCE_EACH) if room else ()
        self._leaves_some = not room or len(due) >= _AT_ONCE_EACH
        for notice in due:
            if (
                room
                and busy[notice.client_id] < _AT_ONCE_EACH
                and await self._notices.claim(notice, until=now + _LEASE)
            ):
                room -= 1
                busy[notice.client_id] += 1
                task = asyncio.create_task(self._deliver(notice))
                self._under_way[task] = notice.client_id
                task.add_done_callback(self._ended)
        return False

    async def settle(self) -> None:
        """Wait for the deliveries that are under way."""
        await asyncio.gather(*self._under_way)

    async def _deliver(self, notice: LogoutNotice) -> None:
        """One try. Whatever goes wrong, the claim runs out and the notice is due again."""
        said: dict[str, object] = {"client_id": notice.client_id, "session_id": notice.session_id}
        try:
            client = await self._clients.find(notice.client_id)
            if client is None or not client.active:
                await self._notices.given_up(notice.id, now=self._now())
                return
            token = self._tokens.issue(notice, algorithm=client.metadata.id_token_alg, now=self._now())
            await self._record(notice, await self._problem(notice.uri, token), said)
        except Refusal as refusal:
            _log.debug("logout notice waits", reason=refusal.detail, **said)
        except Exception:
            _log.exception("logout notice failed", **said)

    async def _problem(self, uri: str, token: str) -> str:
        """What went wrong, nothing when the application has been told (§2.8, and 204 as frameworks make of it)."""
        try:
            status = await self._posts.post_form(uri, {"logout_token": token})
        except Exception as error:  # whatever it is, this notice must come to its end too
            return f"{type(error).__name__}: {error}"
        return "" if status in (200, 204) else f"answered {status}"

    async def _record(self, notice: LogoutNotice, problem: str, said: dict[str, object]) -> None:
        now = self._now()
        if not problem:
            await self._notices.delivered(notice.id, now=now)
        elif now - notice.created_at >= _GIVES_UP_AFTER:
            _log.warning("logout notice given up", reason=problem, tries=notice.tries + 1, **said)
            await self._notices.given_up(notice.id, now=now)
        else:
            _log.info("logout notice not delivered yet", reason=problem, tries=notice.tries + 1, **said)
            await self._notices.put_off(notice.id, until=now + PAUSES.after(notice.tries))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task)
        if self._leaves_some:
            self._posted.set()
