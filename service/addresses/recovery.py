"""A new password for who has lost the old one: proven by a letter to the account's address (NIST SP 800-63B-4 §4.2)."""

from datetime import datetime
from typing import Protocol

from service.accounts.account import PasswordHashes, User, Users
from service.accounts.doors import AccountDoors
from service.accounts.names import email_key, parse_email
from service.accounts.passwords import PasswordPolicy
from service.addresses.letter import Letter, LetterKind, Letters
from service.addresses.link import Link, LinkDesk, Purpose
from service.audit.event import Actor, Event, Kind
from service.limits import Guard, Source
from service.protocol.errors import DeadLink
from service.revocation.acts import Act, Acts


class SetsPasswords(Protocol):
    """What recovery needs of the directory."""

    async def set_password_in(
        self, act: Act, user_id: str, password_hash: str, *, keep_session: str | None, why: str, now: datetime
    ) -> None:
        """Replace a password and end every session but one, as part of an act."""


class Recovery:
    """Asks for letters and follows their links. Nothing that it says or costs tells whether an address is known."""

    def __init__(
        self,
        acts: Acts,
        users: Users,
        letters: Letters,
        links: LinkDesk,
        hashes: PasswordHashes,
        policy: PasswordPolicy,
        directory: SetsPasswords,
        doors: AccountDoors,
        guard: Guard,
    ) -> None:
        self._acts = acts
        self._users = users
        self._letters = letters
        self._links = links
        self._hashes = hashes
        self._policy = policy
        self._directory = directory
        self._doors = doors
        self._guard = guard

    async def ask(self, address: str, *, source: Source, locale: str, now: datetime) -> None:
        """Have a letter written, if the address has an account: that is found out when it is sent.

        Raises `Invalid` for what is no address, `TooManyAttempts`, `StoreUnavailable`.
        """
        letter = Letter.now(LetterKind.RESET, parse_email(address), locale=locale, at=now)
        await self._guard.letter(email_key(letter.address), source.address)
        async with self._acts.begin(now) as act:
            await self._letters.post(act.tx, letter)
            await act.note(Event(Kind.RESET_ASKED, personal={"email": letter.address}))

    async def look(self, secret: str, *, now: datetime) -> User:
        """Whose password a live link is about; uses nothing up. Raises `DeadLink`."""
        return await self._owner(await self._links.look(secret, Purpose.RESET, now=now))

    async def reset(self, secret: str, new_password: str, *, locale: str, now: datetime) -> None:
        """Set the password by a link. The address is proven by it; every session ends, and the person is told.

        Raises `DeadLink` for one that was used, replaced or outlived, `Invalid` for a password that the policy refuses:
        then the link stays good.
        """
        link = await self._links.look(secret, Purpose.RESET, now=now)
        user = await self._owner(link)
        normal = await self._policy.check(new_password, username=user.username, email=user.email, field="new_password")
        password_hash = await self._hashes.hash(normal)
        async with self._acts.begin(now) as act:
            await self._links.take(act.tx, secret, link, now=now)
            locked = await self._users.find_locked(act.tx, user.id)
            if locked is None or not _is_about(link, locked):
                raise DeadLink
            await self._letters.withdraw(act.tx, user.id, LetterKind.CHANGE)  # else its link would be of the new epoch
            await self._users.verify_email(act.tx, user.id, email_key(link.address), at=now)
            await self._directory.set_password_in(
                act, user.id, password_hash, keep_session=None, why="password reset", now=now
            )
            notice = Letter.now(LetterKind.PASSWORD_CHANGED, link.address, locale=locale, at=now, user_id=user.id)
            await self._letters.post(act.tx, notice)
            by = Actor("user", user.id, "link")
            await act.note(Event(Kind.PASSWORD_RESET, subject=user.id, by=by))
        await self._doors.open(user)

    async def _owner(self, link: Link) -> User:
        user = None if link.user_id is None else await self._users.find(link.user_id)
        if user is None or not _is_about(link, user):
            raise DeadLink
        return user


def _is_about(link: Link, user: User) -> bool:
    """Whether the account is as it was when the link was made, and may be signed in to."""
    return (
        user.active
        and user.epoch == link.epoch
        and user.email is not None
        and email_key(user.email) == email_key(link.address)
    )
