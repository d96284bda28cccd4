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
from service.protocol.errors import Refusal

_log = structlog.get_logger("gatepost.logout")
_INTERVAL = 0.5
_AT_ONCE = 32
_AT_ONCE_EACH = 4
_SEEN = _AT_ONCE * _AT_ONCE_EACH
_LEASE = timedelta(seconds=30)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=2), timedelta(minutes=30)
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
        now: Callable[[], datetime],
    ) -> None:
        self._notices = notices
        self._clients = clients
        self._tokens = tokens
        self._posts = posts
        self._now = now
        self._under_way: dict[asyncio.Task[None], str] = {}
        self._forgets_at = now()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin delivering."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; what was not delivered waits in the ledger."""
        running = [*self._under_way, *([self._task] if self._task else [])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def send_due(self) -> None:
        """Start the deliveries that are due, as many as there is room for. Raises `StoreUnavailable`."""
        room = _AT_ONCE - len(self._under_way)
        if room <= 0:
            return
        now = self._now()
        busy = Counter(self._under_way.values())
        for notice in await self._notices.due(now=now, limit=_SEEN, each=_AT_ONCE_EACH):
            if (
                room
                and busy[notice.client_id] < _AT_ONCE_EACH
                and await self._notices.claim(notice, until=now + _LEASE)
            ):
                room -= 1
                busy[notice.client_id] += 1
                task = asyncio.create_task(self._deliver(notice))
                self._under_way[task] = notice.client_id
                task.add_done_callback(self._under_way.pop)

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
            await self._notices.put_off(notice.id, until=now + pause_after(notice.tries))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                await self.send_due()
                if self._now() >= self._forgets_at:
                    self._forgets_at = self._now() + _FORGETS_EVERY
                    await self._notices.forget(before=self._now() - _FORGETS_AFTER)
            except Refusal as refusal:
                _log.debug("logout notices wait", reason=refusal.detail)
            except Exception:  # a loop that ends would tell nobody until the restart
                _log.exception("logout notices could not be sent")


def pause_after(tries: int) -> timedelta:
    """How long to wait after a failed try, when `tries` had failed before it: 2 s, 4 s, 8 s … half an hour."""
    return min(_FIRST_PAUSE * (1 << min(tries, 16)), _LONGEST_PAUSE)
