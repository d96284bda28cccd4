"""The people of this service: creating, changing and disabling them, and their passwords."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol

from service.access.catalogue import ADMIN_ROLE, Catalogue
from service.accounts.account import PasswordHashes, SetupLinks, User, Users
from service.accounts.change import UserChange, changed_user
from service.accounts.doors import AccountDoors
from service.accounts.events import account_changed, account_made
from service.accounts.names import login_key, parse_email, parse_username
from service.accounts.passwords import PasswordPolicy
from service.audit.event import Event, Kind
from service.identifiers import new_id
from service.protocol.errors import BeyondOwnScopes, Conflict, InvalidToken, NotFound
from service.revocation.acts import Act, Acts

SETUP_LINK_LIFE = timedelta(minutes=15)


class EndsSessions(Protocol):
    """What accounts need of sessions."""

    async def end_all_in(self, act: Act, user_id: str, *, why: str, now: datetime, but: str | None = None) -> int:
        """End a person's sessions, except `but`, as part of an act; how many."""

    async def end_in(self, act: Act, session_id: str, *, user_id: str, why: str, now: datetime) -> None:
        """End one as part of an act. Raises `NotFound` when it is not a living session of this person."""


class Directory:
    """Every act on accounts. Each is one transaction with its revocations.

    `within` is the scopes of the administrator who acts: he can neither hand out more than he has, nor act on someone
    who may do more. None is the operator at the machine itself.
    """

    def __init__(
        self,
        acts: Acts,
        users: Users,
        links: SetupLinks,
        hashes: PasswordHashes,
        policy: PasswordPolicy,
        catalogue: Catalogue,
        ending: EndsSessions,
        doors: AccountDoors,
    ) -> None:
        self._acts = acts
        self._users = users
        self._links = links
        self._hashes = hashes
        self._policy = policy
        self._catalogue = catalogue
        self._ending = ending
        self._doors = doors
        self.shortest_password = policy.minimum

    async def get(self, user_id: str) -> User:
        """One person. Raises `NotFound`."""
        user = await self._users.find(user_id)
        if user is None:
            raise NotFound(public="There is no such user.")
        return user

    async def get_commanded(self, user_id: str, *, within: frozenset[str] | None) -> User:
        """One person, on whom an administrator with these scopes may act. Raises `NotFound`, `BeyondOwnScopes`."""
        user = await self.get(user_id)
        self._check_covered(user, within)
        return user

    async def get_named(self, text: str) -> User:
        """One person, by id, user name or e-mail address, as an operator types it. Raises `NotFound`."""
        user = await self._users.find(text) or await self._users.find_by_login(login_key(text))
        if user is None:
            raise NotFound(public=f"There is no user {text!r}.")
        return user

    async def page(self, *, search: str, after: str, limit: int) -> Sequence[User]:
        """People in order of id, past `after`."""
        return await self._users.page(search=search, after=after, limit=limit)

    async def create(
        self,
        username: str,
        password: str,
        *,
        email: str | None,
        roles: Iterable[str],
        scopes: Iterable[str],
        now: datetime,
        within: frozenset[str] | None = None,
    ) -> User:
        """Add a person.

        Raises `Invalid` for a name, address, password, role or scope, `Conflict` for a taken name, `BeyondOwnScopes`.
        """
        user, secret = await self._drafted(username, password, email=email, roles=roles, scopes=scopes, now=now)
        self._check_covered(user, within)
        user = replace(user, password_hash=await self._hashes.hash(secret))
        async with self._acts.begin(now) as act:
            await self._users.add(act.tx, user)
            await act.note(account_made(Kind.USER_CREATED, user))
        return user

    async def change(
        self, user_id: str, change: UserChange, *, now: datetime, within: frozenset[str] | None = None
    ) -> User:
        """Apply a change; credentials issued before are looked at anew everywhere, unless it is of the profile alone.
        Disabling ends all sessions.

        Raises `NotFound`, `Invalid`, `BeyondOwnScopes`, and `Conflict` for a taken address and when no enabled
        administrator would be left.
        """
        async with self._acts.begin(now) as act:
            before = await self._locked(act, user_id, within)
            after = changed_user(before, change, self._catalogue, now=now)
            self._check_covered(after, within)
            await self._users.set_profile(
                act.tx, user_id, profile=after.profile, email_verified_at=after.email_verified_at
            )
            await act.note(account_changed(before, after))
            if change.is_of_profile_alone:
                return after
            epoch = await self._users.change(
                act.tx,
                user_id,
                roles=after.roles,
                scopes=after.scopes,
                email=after.email,
                disabled_at=after.disabled_at,
            )
            if ADMIN_ROLE in before.roles and before.active and await self._users.count_active_admins(act.tx) == 0:
                raise Conflict(public="The last administrator cannot be disabled or lose the role.")
            await act.raise_user_epoch(user_id, epoch, why="account changed")
            if not after.active:
                await self._ending.end_all_in(act, user_id, why="account disabled", now=now)
        return replace(after, epoch=epoch)

    async def end_sessions(
        self, user_id: str, *, only: str | None = None, now: datetime, within: frozenset[str] | None = None
    ) -> int:
        """End all of a person's sessions, or `only` one, on an administrator's word; how many that were.

        Raises `NotFound` for the person and for a session that is not a living one of theirs, `BeyondOwnScopes`.
        """
        why = "ended by an administrator"
        async with self._acts.begin(now) as act:
            await self._locked(act, user_id, within)
            if only is not None:
                await self._ending.end_in(act, only, user_id=user_id, why=why, now=now)
                target, detail = f"session:{only}", {"why": why}
                await act.note(Event(Kind.SESSION_ENDED, subject=user_id, target=target, detail=detail))
                return 1
            count = await self._ending.end_all_in(act, user_id, why=why, now=now)
            await act.note(Event(Kind.SESSIONS_ENDED, subject=user_id, detail={"why": why, "count": count}))
            return count

    async def change_own_password(
        self, user_id: str, *, current: str, new: str, keep_session: str | None, now: datetime
    ) -> None:
        """Replace a password by someone who knows it; every other session ends (ASVS 7.4.3).

        Raises `Invalid` when `current` is wrong and for a new one that the policy refuses, `TooManyAttempts`,
        `Conflict` when somebody else has set another one meanwhile.
        """
        user = await self.get(user_id)
        await self._doors.confirm(user, current)
        normal = await self._policy.check(new, username=user.username, email=user.email, field="new_password")
        await self._replace_password(
            user, normal, keep_session=keep_session, why="password changed", now=now, if_unchanged=True
        )

    async def set_first_password(self, user_id: str, new: str, *, keep_session: str | None, now: datetime) -> None:
        """Give a password to an account that has none, on the word of its owner, who has proved to be it in another
        way; every other session ends. Raises `Invalid`, and `Conflict` when it has one."""
        user = await self.get(user_id)
        if user.password_hash is not None:
            raise Conflict(public="The account has a password.")
        normal = await self._policy.check(new, username=user.username, email=user.email, field="new_password")
        await self._replace_password(
            user, normal, keep_session=keep_session, why="password set", now=now, if_unchanged=True
        )

    async def set_password(
        self, user_id: str, new: str, *, now: datetime, within: frozenset[str] | None = None
    ) -> None:
        """Replace a password on an administrator's word; every session ends.

        Raises `NotFound`, `Invalid`, `BeyondOwnScopes`.
        """
        user = await self.get_commanded(user_id, within=within)
        normal = await self._policy.check(new, username=user.username, email=user.email)
        await self._replace_password(
            user, normal, keep_session=None, why="password set by an administrator", now=now, within=within
        )

    async def set_password_in(
        self, act: Act, user_id: str, password_hash: str, *, keep_session: str | None, why: str, now: datetime
    ) -> None:
        """Replace a password and end every session but one, as part of an act. Raises `NotFound`."""
        epoch = await self._users.set_password(act.tx, user_id, password_hash)
        await act.raise_secret_epoch(user_id, epoch, why=why)
        await self._ending.end_all_in(act, user_id, why=why, now=now, but=keep_session)

    async def drafted(
        self, username: str, password: str, *, email: str, roles: Iterable[str], scopes: Iterable[str], now: datetime
    ) -> User:
        """A new account with a proven address that is not added yet. Raises `Invalid`, `TooBusy`."""
        user, secret = await self._drafted(username, password, email=email, roles=roles, scopes=scopes, now=now)
        return replace(user, password_hash=await self._hashes.hash(secret), email_verified_at=now)

    async def add_in(self, act: Act, user: User) -> None:
        """Add an account as part of an act. Raises `Conflict` for a taken name or address."""
        await self._users.add(act.tx, user)

    def checked_grant(
        self, roles: Iterable[str], scopes: Iterable[str], *, within: frozenset[str] | None
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Roles and scopes that there are, and that an administrator may hand out. Raises `Invalid`,
        `BeyondOwnScopes`."""
        known = self._catalogue.checked_roles(roles), self._catalogue.checked_scopes(scopes)
        if within is not None and not self._catalogue.covers(within, self._catalogue.effective(*known)):
            raise BeyondOwnScopes(detail="in an invitation")
        return known

    async def offer_setup(self, *, now: datetime) -> str | None:
        """The secret of a new single-use link, or None when there is an administrator already."""
        if await self._users.has_any_admin():
            return None
        secret = secrets.token_urlsafe(32)
        async with self._acts.begin(now) as act:
            await self._links.add(act.tx, _link_digest(secret), expires_at=now + SETUP_LINK_LIFE)
            await act.note(Event(Kind.SETUP_OFFERED))
        return secret

    async def is_setup_offered(self, secret: str, *, now: datetime) -> bool:
        """Whether a link's secret is live. Uses nothing up."""
        return await self._links.is_live(_link_digest(secret), now=now) and not await self._users.has_any_admin()

    async def create_first_admin(self, secret: str, username: str, password: str, *, now: datetime) -> User:
        """Use the link up and make the administrator, or neither. Raises `InvalidToken` for a dead link, `Invalid`."""
        if not await self.is_setup_offered(secret, now=now):
            raise InvalidToken(public="This link has been used or has expired.", detail="setup link")
        user, normal = await self._drafted(username, password, email=None, roles={ADMIN_ROLE}, scopes=(), now=now)
        user = replace(user, password_hash=await self._hashes.hash(normal))
        async with self._acts.begin(now) as act:
            is_ours = await self._links.take(act.tx, _link_digest(secret), now=now)
            if not is_ours or await self._users.count_active_admins(act.tx):
                raise InvalidToken(public="This link has been used or has expired.", detail="setup link")
            await self._users.add(act.tx, user)
            await act.note(account_made(Kind.SETUP_DONE, user))
        return user

    async def _locked(self, act: Act, user_id: str, within: frozenset[str] | None) -> User:
        """The person, held still until the act ends. Raises `NotFound`, `BeyondOwnScopes`."""
        user = await self._users.find_locked(act.tx, user_id)
        if user is None:
            raise NotFound(public="There is no such user.")
        self._check_covered(user, within)
        return user

    def _check_covered(self, user: User, within: frozenset[str] | None) -> None:
        if within is not None and not self._catalogue.covers(
            within, self._catalogue.effective(user.roles, user.scopes)
        ):
            raise BeyondOwnScopes(detail=f"about user {user.id}")

    async def _drafted(
        self,
        username: str,
        password: str,
        *,
        email: str | None,
        roles: Iterable[str],
        scopes: Iterable[str],
        now: datetime,
    ) -> tuple[User, str]:
        name = parse_username(username)
        address = None if email is None else parse_email(email)
        secret = await self._policy.check(password, username=name, email=address)
        user = User(
            id=new_id(),
            username=name,
            email=address,
            password_hash=None,
            roles=self._catalogue.checked_roles(roles),
            scopes=self._catalogue.checked_scopes(scopes),
            epoch=1,
            created_at=now,
        )
        return user, secret

    async def _replace_password(
        self,
        user: User,
        normal: str,
        *,
        keep_session: str | None,
        why: str,
        now: datetime,
        within: frozenset[str] | None = None,
        if_unchanged: bool = False,
    ) -> None:
        password_hash = await self._hashes.hash(normal)
        async with self._acts.begin(now) as act:
            locked = await self._locked(act, user.id, within)
            if if_unchanged and locked.password_hash != user.password_hash:
                raise Conflict(public="The password has been changed meanwhile.")
            await self.set_password_in(act, user.id, password_hash, keep_session=keep_session, why=why, now=now)
            kind = Kind.PASSWORD_CHANGED if if_unchanged else Kind.PASSWORD_SET
            await act.note(Event(kind, subject=user.id, detail={"why": why}))
        await self._doors.open(user)


def _link_digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
