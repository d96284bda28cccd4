"""New accounts: the address first, then everything else, so that nobody registers with the address of another.

Whoever holds the address chooses name and password behind the letter's link. An account never waits for its address to
be proven, and so never has a password that somebody else chose (pre-hijacking).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from service.accounts.account import User
from service.accounts.names import email_key, parse_email
from service.addresses.letter import Letter, LetterKind, Letters
from service.addresses.link import Link, LinkDesk, Purpose
from service.audit.event import Actor, Event, Kind
from service.limits import Guard, Source
from service.protocol.errors import NotOffered
from service.revocation.acts import Act, Acts


class RegistrationMode(StrEnum):
    """Who may make an account: everybody, who was invited, or nobody but an administrator."""

    OPEN = "open"
    INVITATION = "invitation"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What somebody will be who follows an invitation."""

    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()


class AddsPeople(Protocol):
    """What registration needs of the directory."""

    async def drafted(
        self, username: str, password: str, *, email: str, roles: Iterable[str], scopes: Iterable[str], now: datetime
    ) -> User:
        """A new account that is not added yet, its password hashed. Raises `Invalid`, `TooBusy`."""

    async def add_in(self, act: Act, user: User) -> None:
        """Add it as part of an act. Raises `Conflict` for a taken name or address."""

    def checked_grant(
        self, roles: Iterable[str], scopes: Iterable[str], *, within: frozenset[str] | None
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Roles and scopes that there are, and that an administrator may hand out. Raises `Invalid`,
        `BeyondOwnScopes`."""


class Registration:
    """Has letters written, and makes accounts by their links. `roles` is what everybody gets who comes uninvited."""

    def __init__(
        self,
        acts: Acts,
        letters: Letters,
        links: LinkDesk,
        directory: AddsPeople,
        guard: Guard,
        *,
        mode: RegistrationMode,
        roles: frozenset[str],
    ) -> None:
        self._acts = acts
        self._letters = letters
        self._links = links
        self._directory = directory
        self._guard = guard
        self.mode = mode
        self._roles = roles

    async def ask(self, address: str, *, source: Source, locale: str, now: datetime) -> None:
        """Have a letter written: with a link, or to somebody who has an account that they have one.

        Raises `NotOffered` unless registration is open, `Invalid` for what is no address, `TooManyAttempts`,
        `StoreUnavailable`.
        """
        if self.mode is not RegistrationMode.OPEN:
            raise NotOffered
        letter = Letter.now(LetterKind.REGISTER, parse_email(address), locale=locale, at=now)
        await self._guard.letter(email_key(letter.address), source.address)
        await self._post(letter, Event(Kind.REGISTRATION_ASKED, personal={"email": letter.address}), now)

    async def invite(
        self, address: str, invitation: Invitation, *, locale: str, now: datetime, within: frozenset[str] | None = None
    ) -> None:
        """Have an invitation written on an administrator's word.

        Raises `NotOffered` when registration is closed, `Invalid`, `BeyondOwnScopes`, `StoreUnavailable`.
        """
        if self.mode is RegistrationMode.CLOSED:
            raise NotOffered
        roles, scopes = self._directory.checked_grant(invitation.roles, invitation.scopes, within=within)
        about: dict[str, object] = {"roles": sorted(roles), "scopes": sorted(scopes)}
        letter = Letter.now(LetterKind.INVITE, parse_email(address), locale=locale, at=now, about=about)
        await self._post(letter, Event(Kind.USER_INVITED, detail=about, personal={"email": letter.address}), now)

    async def look(self, secret: str, *, now: datetime) -> Link:
        """For which address a live link is. Raises `DeadLink`."""
        return await self._links.look(secret, Purpose.REGISTER, Purpose.INVITE, now=now)

    async def complete(self, secret: str, username: str, password: str, *, now: datetime) -> User:
        """Make the account behind a link, its address proven.

        Raises `DeadLink`, `Invalid`, and `Conflict` for a name that is taken, also by a racing call: then the link
        stays good.
        """
        link = await self.look(secret, now=now)
        invited = _invitation(link.about) if link.purpose is Purpose.INVITE else Invitation(self._roles)
        user = await self._directory.drafted(
            username, password, email=link.address, roles=invited.roles, scopes=invited.scopes, now=now
        )
        async with self._acts.begin(now) as act:
            await self._links.take(act.tx, secret, link, now=now)
            await self._directory.add_in(act, user)
            detail = {"roles": sorted(user.roles), "invited": link.purpose is Purpose.INVITE}
            by = Actor("user", user.id, "link")
            await act.note(Event(Kind.USER_REGISTERED, subject=user.id, by=by, detail=detail))
        return user

    async def _post(self, letter: Letter, event: Event, now: datetime) -> None:
        async with self._acts.begin(now) as act:
            await self._letters.post(act.tx, letter)
            await act.note(event)


def _invitation(about: Mapping[str, object]) -> Invitation:
    return Invitation(_words(about.get("roles")), _words(about.get("scopes")))


def _words(value: object) -> frozenset[str]:
    return frozenset(str(one) for one in value) if isinstance(value, list) else frozenset()
