"""An account's own address: proving it, and changing it for another that is proven first."""

from datetime import datetime

from service.accounts.account import User, Users
from service.accounts.doors import AccountDoors
from service.accounts.names import email_key, parse_email
from service.addresses.letter import Letter, LetterKind, Letters
from service.addresses.link import Link, LinkDesk, Purpose
from service.audit.event import Actor, Event, Kind
from service.limits import Guard, Source
from service.protocol.errors import Conflict, DeadLink, NotFound
from service.revocation.acts import Acts


class Verification:
    """Has letters written, and follows their links."""

    def __init__(
        self, acts: Acts, users: Users, letters: Letters, links: LinkDesk, doors: AccountDoors, guard: Guard
    ) -> None:
        self._acts = acts
        self._users = users
        self._letters = letters
        self._links = links
        self._doors = doors
        self._guard = guard

    async def ask(self, user_id: str, *, source: Source, locale: str, now: datetime) -> None:
        """Have a letter written to the account's address. Raises `Conflict` when there is nothing to prove,
        `TooManyAttempts`."""
        user = await self._get(user_id)
        if user.email is None or user.email_verified_at is not None:
            raise Conflict(public="There is no address to be proven.")
        await self._guard.letter(email_key(user.email), source.address)
        await self._post(
            Letter.now(LetterKind.VERIFY, user.email, locale=locale, at=now, user_id=user.id), user.id, now
        )

    async def ask_change(
        self, user_id: str, address: str, *, password: str, source: Source, locale: str, now: datetime
    ) -> None:
        """The same as `propose`, for who knows the account's password. Raises `Invalid` for a wrong one."""
        parse_email(address)
        await self._doors.confirm(await self._get(user_id), password)
        await self.propose(user_id, address, source=source, locale=locale, now=now)

    async def propose(self, user_id: str, address: str, *, source: Source, locale: str, now: datetime) -> None:
        """Have a letter written to the new address of an account, whose owner has just proved to be it.

        Whether another account has the address is found out when the letter is sent, and told to its owner alone.
        Raises `Invalid` for what is no address, `TooManyAttempts`.
        """
        letter = Letter.now(LetterKind.CHANGE, parse_email(address), locale=locale, at=now, user_id=user_id)
        await self._guard.letter(email_key(letter.address), source.address)
        await self._post(letter, user_id, now)

    async def look(self, secret: str, *, now: datetime) -> Link:
        """Which address a live link is about. Raises `DeadLink`."""
        return await self._links.look(secret, Purpose.VERIFY, Purpose.CHANGE, now=now)

    async def confirm(self, secret: str, *, locale: str, now: datetime) -> None:
        """The address is the account's from now on, and proven; the old one is told of a change.

        Raises `DeadLink`, and `Conflict` when another account has come to have the address.
        """
        link = await self.look(secret, now=now)
        async with self._acts.begin(now) as act:
            await self._links.take(act.tx, secret, link, now=now)
            user = None if link.user_id is None else await self._users.find_locked(act.tx, link.user_id)
            if user is None or user.epoch != link.epoch or not user.active:
                raise DeadLink
            by = Actor("user", user.id, "link")
            if link.purpose is Purpose.VERIFY:
                if not await self._users.verify_email(act.tx, user.id, email_key(link.address), at=now):
                    raise DeadLink
                await act.note(Event(Kind.EMAIL_VERIFIED, subject=user.id, by=by))
                return
            epoch = await self._users.set_email(act.tx, user.id, link.address, verified_at=now)
            await act.raise_user_epoch(user.id, epoch, why="address changed")
            personal = {"email_before": user.email or "", "email": link.address}
            await act.note(Event(Kind.EMAIL_CHANGED, subject=user.id, by=by, personal=personal))
            if user.email is not None:
                about = {"username": user.username}
                notice = Letter.now(LetterKind.CHANGED, user.email, locale=locale, at=now, user_id=user.id, about=about)
                await self._letters.post(act.tx, notice)

    async def _get(self, user_id: str) -> User:
        user = await self._users.find(user_id)
        if user is None:
            raise NotFound(public="There is no such user.")
        return user

    async def _post(self, letter: Letter, user_id: str, now: datetime) -> None:
        async with self._acts.begin(now) as act:
            await self._letters.post(act.tx, letter)
            detail, personal = {"for": letter.kind.value}, {"email": letter.address}
            await act.note(Event(Kind.EMAIL_ASKED, subject=user_id, detail=detail, personal=personal))
