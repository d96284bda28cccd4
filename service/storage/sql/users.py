"""Accounts in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Update, bindparam, or_, select, update

from service.access.catalogue import ADMIN_ROLE
from service.accounts.account import User
from service.accounts.names import email_key, username_key
from service.ledger import Transaction
from service.protocol.errors import NotFound
from service.storage.sql.database import Database, SqlTransaction, opened
from service.storage.sql.tables import USERS, UserRow
from service.storage.sql.text import like_pattern, storable

_u = USERS.c
USER_COLUMNS = (
    _u.id,
    _u.username,
    _u.email,
    _u.password_hash,
    _u.roles,
    _u.scopes,
    _u.epoch,
    _u.created_at,
    _u.disabled_at,
    _u.second_factor_at,
    _u.profile,
    _u.email_verified_at,
)
_SELECT = select(*USER_COLUMNS)
_BY_ID = _SELECT.where(_u.id == bindparam("id"))
_BY_LOGIN = _SELECT.where(or_(_u.username_key == bindparam("key"), _u.email_key == bindparam("key")))
_PAGE = _SELECT.where(_u.id > bindparam("after")).order_by(_u.id).limit(bindparam("limit"))
_SEARCH = _PAGE.where(
    or_(
        _u.username_key.like(bindparam("in_username"), escape="/"),
        _u.email_key.like(bindparam("in_email"), escape="/"),
    )
)
_ACTIVE_ADMINS = select(_u.id).where(_u.is_admin, _u.disabled_at.is_(None))
_LOCK_BY_ID = _BY_ID.with_for_update(key_share=True)
# In order, so that two transactions that lock several never wait for each other; not against the key-share lock that
# a sign-in takes through its foreign key.
_LOCK_ACTIVE_ADMINS = _ACTIVE_ADMINS.order_by(_u.id).with_for_update(key_share=True)
_LOCK_EPOCH = select(_u.id).where(_u.id == bindparam("id"), _u.epoch == bindparam("epoch")).with_for_update(read=True)


class SqlUsers:
    """Keeps `Users`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, user_id: str) -> User | None:
        """See `Users.find`."""
        return await self._find(_BY_ID, id=user_id)

    async def find_locked(self, tx: Transaction, user_id: str) -> User | None:
        """See `Users.find_locked`. The administrators are locked first, as everywhere, so that nobody waits in a
        circle: of two racing changes that each take one away, the later sees what the earlier has left."""
        if not storable(user_id):
            return None
        sql = opened(tx)
        await sql.run(_LOCK_ACTIVE_ADMINS)
        row = (await sql.run(_LOCK_BY_ID, {"id": user_id})).first()
        return None if row is None else user_of(row)

    async def is_current(self, tx: Transaction, user_id: str, epoch: int) -> bool:
        """See `Users.is_current`. A shared lock: sign-ins do not wait for each other."""
        return (await opened(tx).run(_LOCK_EPOCH, {"id": user_id, "epoch": epoch})).first() is not None

    async def find_by_login(self, key: str) -> User | None:
        """See `Users.find_by_login`."""
        return await self._find(_BY_LOGIN, key=key)

    async def page(self, *, search: str, after: str, limit: int) -> Sequence[User]:
        """See `Users.page`."""
        in_username, in_email = like_pattern(username_key(search)), like_pattern(email_key(search))
        if in_username is None or in_email is None or not storable(after):
            return ()
        asked = {"after": after, "limit": limit}
        if search:
            rows = await self._database.fetch_all(_SEARCH, {**asked, "in_username": in_username, "in_email": in_email})
        else:
            rows = await self._database.fetch_all(_PAGE, asked)
        return [user_of(row) for row in rows]

    async def has_any_admin(self) -> bool:
        """See `Users.has_any_admin`."""
        return await self._database.fetch_one(_ACTIVE_ADMINS.limit(1)) is not None

    async def add(self, tx: Transaction, user: User) -> None:
        """See `Users.add`."""
        await opened(tx).add(
            UserRow(
                id=user.id,
                username=user.username,
                username_key=username_key(user.username),
                email=user.email,
                email_key=None if user.email is None else email_key(user.email),
                password_hash=user.password_hash,
                roles=sorted(user.roles),
                scopes=sorted(user.scopes),
                is_admin=ADMIN_ROLE in user.roles,
                epoch=user.epoch,
                created_at=user.created_at,
                disabled_at=user.disabled_at,
                second_factor_at=user.second_factor_at,
                profile=dict(user.profile),
                email_verified_at=user.email_verified_at,
            )
        )

    async def change(
        self,
        tx: Transaction,
        user_id: str,
        *,
        roles: frozenset[str],
        scopes: frozenset[str],
        email: str | None,
        disabled_at: datetime | None,
    ) -> int:
        """See `Users.change`. The administrators are locked first: of two racing changes that each take away one, the
        later sees what the earlier has left."""
        sql = opened(tx)
        await sql.run(_LOCK_ACTIVE_ADMINS)
        return await _raise_epoch(
            sql,
            update(USERS)
            .where(_u.id == user_id)
            .values(
                roles=sorted(roles),
                scopes=sorted(scopes),
                is_admin=ADMIN_ROLE in roles,
                email=email,
                email_key=None if email is None else email_key(email),
                disabled_at=disabled_at,
            ),
        )

    async def set_profile(
        self, tx: Transaction, user_id: str, *, profile: Mapping[str, object], email_verified_at: datetime | None
    ) -> None:
        """See `Users.set_profile`."""
        values = {"profile": dict(profile), "email_verified_at": email_verified_at}
        await opened(tx).run(update(USERS).where(_u.id == user_id).values(values))

    async def set_password(self, tx: Transaction, user_id: str, password_hash: str) -> int:
        """See `Users.set_password`."""
        return await _raise_epoch(opened(tx), update(USERS).where(_u.id == user_id).values(password_hash=password_hash))

    async def hand_over(self, tx: Transaction, user_id: str, *, verified_at: datetime) -> int:
        """See `Users.hand_over`."""
        bare: dict[str, Any] = {"password_hash": None, "second_factor_at": None, "profile": {}}
        bare["email_verified_at"] = verified_at
        return await _raise_epoch(opened(tx), update(USERS).where(_u.id == user_id).values(**bare))

    async def set_email(self, tx: Transaction, user_id: str, email: str, *, verified_at: datetime) -> int:
        """See `Users.set_email`."""
        values = {"email": email, "email_key": email_key(email), "email_verified_at": verified_at}
        return await _raise_epoch(opened(tx), update(USERS).where(_u.id == user_id).values(**values))

    async def verify_email(self, tx: Transaction, user_id: str, key: str, *, at: datetime) -> bool:
        """See `Users.verify_email`."""
        proven = update(USERS).where(_u.id == user_id, _u.email_key == key).values(email_verified_at=at)
        return (await opened(tx).run(proven)).rowcount == 1

    async def rehash(self, user_id: str, *, old: str, new: str) -> None:
        """See `Users.rehash`."""
        async with self._database.begin() as tx:
            await tx.run(update(USERS).where(_u.id == user_id, _u.password_hash == old).values(password_hash=new))

    async def count_active_admins(self, tx: Transaction) -> int:
        """See `Users.count_active_admins`."""
        return len((await opened(tx).run(_LOCK_ACTIVE_ADMINS)).all())

    async def _find(self, statement: Any, **asked: str) -> User | None:
        if not all(storable(text) for text in asked.values()):
            return None
        row = await self._database.fetch_one(statement, asked)
        return None if row is None else user_of(row)


def user_of(row: Sequence[Any]) -> User:
    """The user in the values of `USER_COLUMNS`."""
    (
        user_id,
        username,
        email,
        password_hash,
        roles,
        scopes,
        epoch,
        created_at,
        disabled_at,
        second_factor_at,
        profile,
        email_verified_at,
    ) = row
    return User(
        id=user_id,
        username=username,
        email=email,
        password_hash=password_hash,
        roles=frozenset(roles),
        scopes=frozenset(scopes),
        epoch=epoch,
        created_at=created_at,
        disabled_at=disabled_at,
        second_factor_at=second_factor_at,
        profile=profile,
        email_verified_at=email_verified_at,
    )


async def _raise_epoch(sql: SqlTransaction, change: Update) -> int:
    result = await sql.run(change.values(epoch=_u.epoch + 1).returning(_u.epoch))
    epoch: int | None = result.scalar_one_or_none()
    if epoch is None:
        raise NotFound(public="There is no such user.")
    return epoch
