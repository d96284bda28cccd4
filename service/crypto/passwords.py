"""Slow hashes of passwords, off the event loop, a bounded number at a time. The only import of passlib."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from secrets import token_urlsafe
from typing import TypeVar

from passlib.context import CryptContext

from service.accounts.account import Verdict
from service.protocol.errors import TooBusy

T = TypeVar("T")
_RETRY_AFTER = timedelta(seconds=1)


class Argon2Passwords:
    """Argon2id at OWASP's parameters (19 MiB, t=2, p=1); reads bcrypt, scrypt and PBKDF2 hashes brought from elsewhere.

    `threads` hashes run at once (argon2 releases the GIL); `waiting` more may queue, then `TooBusy`: a queue longer
    than a second helps nobody. A hash of another scheme or of other parameters is replaced at the next sign-in.
    """

    def __init__(self, *, threads: int = 2, waiting: int = 32) -> None:
        self._context = CryptContext(
            schemes=["argon2", "bcrypt", "bcrypt_sha256", "scrypt", "pbkdf2_sha256"],
            deprecated="auto",
            argon2__type="ID",
            argon2__memory_cost=19_456,
            argon2__time_cost=2,
            argon2__parallelism=1,
        )
        self._nobody = self._context.hash(token_urlsafe(32))
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=_give_way)
        self._room = self._free = threads + waiting

    async def hash(self, password: str) -> str:
        """A new argon2id hash in its `$argon2id$…` text form. Raises `TooBusy`."""
        return await self._run(lambda: str(self._context.hash(password)))

    async def verify(self, password: str, stored: str | None) -> Verdict:
        """Compare; nobody (`None`) costs what somebody costs. A stored hash that cannot be read is wrong."""
        return await self._run(lambda: self._compare(password, stored))

    @property
    def pending(self) -> int:
        """How many hashes are computed or wait for it."""
        return self._room - self._free

    def close(self) -> None:
        """End the threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _compare(self, password: str, stored: str | None) -> Verdict:
        try:
            right, replacement = self._context.verify_and_update(password, self._nobody if stored is None else stored)
        except ValueError:  # an unknown hash, or bcrypt's own limits on what it takes
            return Verdict(right=False)
        return Verdict(right=bool(right) and stored is not None, replacement=replacement if right else None)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._free <= 0:
            raise TooBusy(retry_after=_RETRY_AFTER, detail="password queue is full")
        self._free -= 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        future.add_done_callback(self._finished)
        return await asyncio.shield(future)

    def _finished(self, _: object) -> None:
        self._free += 1


def _give_way() -> None:
    """Let the event loop have the core first: requests that need no password do not wait for one that does."""
    if sys.platform == "linux":  # elsewhere a priority is the whole process's
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)
