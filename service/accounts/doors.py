"""What failures at a password close for its own account, and what opens it again."""

import structlog

from service.accounts.account import PasswordHashes, User
from service.accounts.names import login_key
from service.accounts.passwords import normalize_password
from service.audit import Event, Kind, Refusals
from service.limits import Guard
from service.protocol.errors import Invalid, StoreUnavailable

_log = structlog.get_logger("gatepost.accounts")


class AccountDoors:
    """Asks somebody who has signed in for the password again, and opens an account's doors with a new one."""

    def __init__(self, hashes: PasswordHashes, guard: Guard, refused: Refusals) -> None:
        self._refused = refused
        self._hashes = hashes
        self._guard = guard

    async def confirm(self, user: User, password: str) -> None:
        """Raises `Invalid` when it is wrong, `TooManyAttempts`, `TooBusy`, `StoreUnavailable`."""
        try:
            async with self._guard.confirmation(user.id):
                verdict = await self._hashes.verify(normalize_password(password), user.password_hash)
                if not verdict.right:
                    raise Invalid("current_password", "The current password is not right.", rule="wrong_password")
        except Invalid:
            await self._refused.note(Event(Kind.PASSWORD_REFUSED, subject=user.id, outcome="refused"))
            raise

    async def open(self, user: User) -> None:
        """Forget the failures at an account that has a new password. While Redis is away they stay: the password is
        set all the same, and setting it once more opens the doors."""
        names = [user.username] if user.email is None else [user.username, user.email]
        try:
            await self._guard.forget(user.id, [login_key(name) for name in names])
        except StoreUnavailable as refusal:
            _log.warning("failures at an account not forgotten", user_id=user.id, reason=refusal.detail)
