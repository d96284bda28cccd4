"""One notice to one application, and what the room needs from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """That the session `session_id` of `subject` has ended, to be told to `client_id` at `uri`. `tries` were made."""

    id: str
    client_id: str
    uri: str
    subject: str
    session_id: str
    created_at: datetime
    next_try_at: datetime
    tries: int = 0


class LogoutNotices(Protocol):
    """The outbox in the ledger. Every method raises `StoreUnavailable`."""

    async def due(self, *, now: datetime, limit: int, each: int) -> Sequence[LogoutNotice]:
        """Notices that are neither delivered nor given up and whose next try is due, those that wait longest first; at
        most `each` of one client, so that nobody's thousands hide what others wait for."""

    async def claim(self, notice: LogoutNotice, *, until: datetime) -> bool:
        """Count a try and put the next one off to `until`; of any number of racing workers one gets True."""

    async def delivered(self, notice_id: str, *, now: datetime) -> None:
        """The application has been told."""

    async def put_off(self, notice_id: str, *, until: datetime) -> None:
        """Try again at `until`."""

    async def given_up(self, notice_id: str, *, now: datetime) -> None:
        """Nobody will try again."""

    async def forget(self, *, before: datetime) -> None:
        """Drop what was delivered or given up before this."""


class Posts(Protocol):
    """Sends one form to one address."""

    async def post_form(self, uri: str, fields: dict[str, str]) -> int:
        """The status of the answer; redirects are not followed. Raises `OSError` when there was none in good time."""
