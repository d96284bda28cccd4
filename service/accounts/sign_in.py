"""Who is it that knows this name and password: one answer, at one price, whether or not there is such a person."""

from contextlib import suppress

from service.accounts.account import PasswordHashes, User, Users, Verdict
from service.accounts.names import MAX_EMAIL, login_key
from service.accounts.passwords import is_presentable, normalize_password
from service.audit import Refusals
from service.limits import Guard, KnownDevice, Source
from service.protocol.errors import Conflict, InvalidLogin, StoreUnavailable


class PasswordSignIn:
    """Checks a person's password. Unknown names, disabled accounts and wrong passwords cost and answer alike, and close
    the same doors."""

    def __init__(self, users: Users, hashes: PasswordHashes, guard: Guard, refused: Refusals) -> None:
        self._users = users
        self._hashes = hashes
        self._guard = guard
        self._refused = refused

    async def check(self, login: str, password: str, *, source: Source) -> User:
        """The person of this user name or e-mail and password.

        Raises `InvalidLogin` for every reason alike, `TooManyAttempts` before anything is compared, `TooBusy`,
        `StoreUnavailable`. A hash of older parameters is replaced; when the ledger cannot take it the sign-in still
        stands.
        """
        normal, user = normalize_password(password), None
        if not 0 < len(login) <= MAX_EMAIL or "\0" in login or not is_presentable(normal):
            raise InvalidLogin(detail="name or password that nobody can have")
        name = login_key(login)
        try:
            async with self._guard.password(name, source, await self._device(name, source)) as attempt:
                user = await self._users.find_by_login(name)
                attempt.user_id = None if user is None else user.id
                stored = user.password_hash if user is not None else None
                verdict = await self._hashes.verify(normal, stored)
                known = _let_in(user, verdict)
        except InvalidLogin as refusal:
            await self._refused.sign_in("" if user is None else user.id, login=name, why=refusal.detail)
            raise
        if verdict.replacement is not None and stored is not None:
            with suppress(StoreUnavailable, Conflict):
                await self._users.rehash(known.id, old=stored, new=verdict.replacement)
        return known

    async def _device(self, name: str, source: Source) -> KnownDevice | None:
        """What the device is to the account of this name, if anybody has ever signed in on it."""
        user = await self._users.find_by_login(name) if source.known else None
        return None if user is None else source.known_to(user.id)


def _let_in(user: User | None, verdict: Verdict) -> User:
    if user is None or not verdict.right:
        raise InvalidLogin(detail="unknown name" if user is None else "wrong password")
    if not user.active:
        raise InvalidLogin(detail="account is disabled")
    if user.second_factor_at is not None:
        raise InvalidLogin(detail="a password alone is not enough for this account")
    return user
