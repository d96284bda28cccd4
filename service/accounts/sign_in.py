"""Who is it that knows this name and password: one answer, at one price, whether or not there is such a person."""

from contextlib import suppress

from service.accounts.account import PasswordHashes, User, Users
from service.accounts.names import MAX_EMAIL, login_key
from service.accounts.passwords import is_presentable, normalize_password
from service.protocol.errors import Conflict, InvalidLogin, StoreUnavailable


class PasswordSignIn:
    """Checks a person's password. Unknown names, disabled accounts and wrong passwords cost and answer alike."""

    def __init__(self, users: Users, hashes: PasswordHashes) -> None:
        self._users = users
        self._hashes = hashes

    async def check(self, login: str, password: str) -> User:
        """The person of this user name or e-mail and password.

        Raises `InvalidLogin` for every reason alike, `TooBusy`, `StoreUnavailable`. A hash of older parameters is
        replaced; when the ledger cannot take it the sign-in still stands.
        """
        normal = normalize_password(password)
        if not 0 < len(login) <= MAX_EMAIL or "\0" in login or not is_presentable(normal):
            raise InvalidLogin(detail="name or password that nobody can have")
        user = await self._users.find_by_login(login_key(login))
        stored = user.password_hash if user is not None else None
        verdict = await self._hashes.verify(normal, stored)
        if user is None or not verdict.right:
            raise InvalidLogin(detail="unknown name" if user is None else "wrong password")
        if not user.active:
            raise InvalidLogin(detail="account is disabled")
        if user.second_factor_at is not None:
            raise InvalidLogin(detail="a password alone is not enough for this account")
        if verdict.replacement is not None and stored is not None:
            with suppress(StoreUnavailable, Conflict):
                await self._users.rehash(user.id, old=stored, new=verdict.replacement)
        return user
