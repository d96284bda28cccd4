"""The tables. `table=True` models do not validate: the rooms have done so, and the stores translate."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from service.limits import Rate
from service.storage.sql.columns import NUMBER, Figure, Id, Json, UtcDateTime

# Set before any model, so that every constraint has a name by which a migration can find it on both databases.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
METADATA: MetaData = SQLModel.metadata


def _partial(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


def _default(value: str) -> dict[str, Any]:
    """For a column that came later: what rows have that a worker of the version before writes during an upgrade."""
    return {"server_default": text(value)}


class UserRow(SQLModel, table=True):
    """A person. The keys are what names are compared by; `is_admin` repeats `roles` so that both databases can count
    administrators through an index."""

    __tablename__ = "users"
    __table_args__ = (_partial("ix_users_active_admins", "id", where="is_admin AND disabled_at IS NULL"),)

    id: str = Field(sa_type=Id, primary_key=True)
    username: str
    username_key: str = Field(unique=True)
    email: str | None = None
    email_key: str | None = Field(default=None, unique=True)
    password_hash: str | None = None
    roles: list[str] = Field(sa_type=Json)
    scopes: list[str] = Field(sa_type=Json)
    is_admin: bool
    epoch: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=UtcDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    second_factor_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    profile: dict[str, Any] = Field(sa_type=Json, sa_column_kwargs=_default("'{}'"))
    email_verified_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SetupLinkRow(SQLModel, table=True):
    """A link that makes the first administrator, as a digest."""

    __tablename__ = "setup_links"

    digest: bytes = Field(sa_type=LargeBinary, primary_key=True)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    taken_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ClientRow(SQLModel, table=True):
    """An application. `secrets` holds at most a few digests, so that a client is one row; `name_key` is for search.

    The column `metadata` has another name here, as every model has an attribute `metadata` of its own.
    """

    __tablename__ = "clients"

    id: str = Field(sa_type=Id, primary_key=True)
    name: str
    name_key: str
    confidential: bool
    scopes: list[str] = Field(sa_type=Json)
    secrets: list[dict[str, Any]] = Field(sa_type=Json)
    epoch: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=UtcDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    rate: Rate | None = Field(default=None, sa_type=Figure)
    about: dict[str, Any] = Field(sa_column=Column("metadata", Json, nullable=False, **_default("'{}'")))


class ApiKeyRow(SQLModel, table=True):
    """A person's key."""

    __tablename__ = "api_keys"
    __table_args__ = (_partial("ix_api_keys_living", "user_id", "id", where="revoked_at IS NULL"),)

    id: str = Field(sa_type=Id, primary_key=True)
    user_id: str = Field(sa_type=Id, foreign_key="users.id")
    name: str
    hint: str
    digest: bytes = Field(sa_type=LargeBinary)
    scopes: list[str] = Field(sa_type=Json)
    networks: list[str] = Field(sa_type=Json)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    previous_digest: bytes | None = Field(default=None, sa_type=LargeBinary)
    previous_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    rate: Rate | None = Field(default=None, sa_type=Figure)


class SessionRow(SQLModel, table=True):
    """A sign-in on one device, or what was granted to a client in one: then `parent_id` is the hosted sign-in.

    `client_id` refers to no row when it is the first-party sign-in or a preset client.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        _partial("ix_sessions_living", "user_id", "id", where="ended_at IS NULL"),
        _partial("ix_sessions_children", "parent_id", "id", where="ended_at IS NULL"),
    )

    id: str = Field(sa_type=Id, primary_key=True)
    user_id: str = Field(sa_type=Id, foreign_key="users.id")
    client_id: str = Field(sa_type=Id)
    scopes: list[str] = Field(sa_type=Json)
    created_at: datetime = Field(sa_type=UtcDateTime)
    auth_time: datetime = Field(sa_type=UtcDateTime)
    amr: list[str] = Field(sa_type=Json)
    acr: str | None = None
    ends_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime = Field(sa_type=UtcDateTime)
    floor: int = Field(sa_type=BigInteger)
    floor_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    user_agent: str
    address: str
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_why: str
    audience: list[str] = Field(sa_type=Json, sa_column_kwargs=_default("'[]'"))
    parent_id: str | None = Field(default=None, sa_type=Id)
    offline: bool = Field(sa_column_kwargs=_default("false"))


class ConsentRow(SQLModel, table=True):
    """What a person lets an application do: `agreed` has pairs of a resource and its scopes; `scopes` and `audience`
    repeat them for workers of the version before. `client_id` refers to no row when it is a preset client."""

    __tablename__ = "consents"

    user_id: str = Field(sa_type=Id, primary_key=True, foreign_key="users.id")
    client_id: str = Field(sa_type=Id, primary_key=True)
    agreed: list[Any] = Field(sa_type=Json, sa_column_kwargs=_default("'[]'"))
    scopes: list[str] = Field(sa_type=Json)
    audience: list[str] = Field(sa_type=Json)
    granted_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class LogoutNoticeRow(SQLModel, table=True):
    """One application to be told that a session has ended; due from `next_try_at` until delivered or given up."""

    __tablename__ = "logout_notices"
    __table_args__ = (
        _partial("ix_logout_notices_waiting", "next_try_at", where="delivered_at IS NULL AND given_up_at IS NULL"),
    )

    id: str = Field(sa_type=Id, primary_key=True)
    client_id: str = Field(sa_type=Id)
    uri: str
    subject: str
    session_id: str = Field(sa_type=Id)
    created_at: datetime = Field(sa_type=UtcDateTime)
    next_try_at: datetime = Field(sa_type=UtcDateTime)
    tries: int = Field(sa_type=BigInteger)
    delivered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    given_up_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class LinkRow(SQLModel, table=True):
    """A single-use link that was sent to an address, as a digest; `address_key` is what addresses are compared by."""

    __tablename__ = "links"
    __table_args__ = (Index("ix_links_address", "address_key", "purpose"),)

    digest: bytes = Field(sa_type=LargeBinary, primary_key=True)
    purpose: str
    address: str
    address_key: str
    user_id: str | None = Field(default=None, sa_type=Id, foreign_key="users.id")
    epoch: int | None = Field(default=None, sa_type=BigInteger)
    about: dict[str, Any] = Field(sa_type=Json)
    made_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class LetterRow(SQLModel, table=True):
    """A letter that waits to be written and sent; it holds no link and no secret."""

    __tablename__ = "letters"
    __table_args__ = (Index("ix_letters_address", "address_key", "kind"),)

    id: str = Field(sa_type=Id, primary_key=True)
    kind: str
    address: str
    address_key: str
    locale: str
    user_id: str | None = Field(default=None, sa_type=Id)
    about: dict[str, Any] = Field(sa_type=Json)
    created_at: datetime = Field(sa_type=UtcDateTime)
    next_try_at: datetime = Field(sa_type=UtcDateTime, index=True)
    tries: int = Field(sa_type=BigInteger)


class IdentityRow(SQLModel, table=True):
    """An identity at another service that is linked to an account; what it lets us do there sealed, if it is kept."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: str = Field(sa_type=Id, primary_key=True)
    issuer: str = Field(sa_type=Id)
    subject: str = Field(sa_type=Id)
    user_id: str = Field(sa_type=Id, foreign_key="users.id", index=True)
    provider: str
    account: str
    linked_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime = Field(sa_type=UtcDateTime)
    tokens: bytes | None = Field(default=None, sa_type=LargeBinary)


class IdentityProviderRow(SQLModel, table=True):
    """A provider that an administrator has added; its secret sealed."""

    __tablename__ = "identity_providers"

    name: str = Field(sa_type=Id, primary_key=True)
    kind: str
    issuer: str
    client_id: str
    sealed_secret: bytes = Field(sa_type=LargeBinary)
    label: str
    scopes: list[str] = Field(sa_type=Json)
    trusts_email: bool
    keeps_tokens: bool
    created_at: datetime = Field(sa_type=UtcDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RevocationRow(SQLModel, table=True):
    """One revocation; `pushed_at` is null while it is in the outbox. Numbers are never used again."""

    __tablename__ = "revocations"
    __table_args__ = (
        _partial("ix_revocations_outbox", "number", where="pushed_at IS NULL"),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, sa_column=Column(NUMBER, primary_key=True))
    kind: str
    subject: str
    owner: str
    epoch: int = Field(sa_type=BigInteger)
    until: datetime = Field(sa_type=UtcDateTime, index=True)
    why: str
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    pushed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SigningKeyRow(SQLModel, table=True):
    """A signing key; its private part sealed."""

    __tablename__ = "signing_keys"

    kid: str = Field(sa_type=Id, primary_key=True)
    algorithm: str
    public_jwk: dict[str, str] = Field(sa_type=Json)
    sealed: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=UtcDateTime)
    signs_from: datetime = Field(sa_type=UtcDateTime)
    signs_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    verifies_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    compromised_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AuditRow(SQLModel, table=True):
    """One event; `seq` and `link` are its place in the chain, null until it is sealed. `personal` and `salt` are null
    when the person was erased; `personal_digest` stays."""

    __tablename__ = "audit"
    __table_args__ = (
        _partial("ix_audit_unsealed", "id", where="seq IS NULL"),
        Index("ix_audit_subject", "subject", "id"),
        Index("ix_audit_actor", "actor", "id"),
    )

    id: str = Field(sa_type=Id, primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    kind: str
    outcome: str
    actor_kind: str
    actor: str = Field(sa_type=Id)
    scheme: str
    credential: str
    client_id: str
    subject: str = Field(sa_type=Id)
    target: str
    request_id: str
    detail: dict[str, Any] = Field(sa_type=Json)
    personal: dict[str, str] | None = Field(default=None, sa_type=Json)
    salt: bytes | None = Field(default=None, sa_type=LargeBinary)
    personal_digest: bytes = Field(sa_type=LargeBinary)
    secret_id: bytes = Field(sa_type=LargeBinary)
    mac: bytes = Field(sa_type=LargeBinary)
    seq: int | None = Field(default=None, sa_type=BigInteger, unique=True)
    link: bytes | None = Field(default=None, sa_type=LargeBinary)


class AuditStartRow(SQLModel, table=True):
    """Where the chain was when what was older than it was dropped; one row at most, under a MAC."""

    __tablename__ = "audit_start"

    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    link: bytes = Field(sa_type=LargeBinary)
    dropped_at: datetime = Field(sa_type=UtcDateTime)
    secret_id: bytes = Field(sa_type=LargeBinary)
    mac: bytes = Field(sa_type=LargeBinary)


class UsageRow(SQLModel, table=True):
    """So many requests that have all of this in common. No key leads elsewhere: what they name may have gone."""

    __tablename__ = "usage"
    __table_args__ = (Index("ix_usage_subject", "subject", "hour"),)

    hour: str = Field(sa_type=Id, primary_key=True)
    kind: str = Field(sa_type=Id, primary_key=True)
    subject: str = Field(sa_type=Id, primary_key=True)
    client_id: str = Field(sa_type=Id, primary_key=True)
    api_key_id: str = Field(sa_type=Id, primary_key=True)
    route: str = Field(sa_type=Id, primary_key=True)
    outcome: str = Field(sa_type=Id, primary_key=True)
    requests: int = Field(sa_type=BigInteger)


class UsageWorkerRow(SQLModel, table=True):
    """The last batch of usage that a worker has added, so that it counts once however often it is sent."""

    __tablename__ = "usage_workers"

    id: str = Field(sa_type=Id, primary_key=True)
    number: int = Field(sa_type=BigInteger)
    at: datetime = Field(sa_type=UtcDateTime)


def _table(name: str) -> Table:
    return METADATA.tables[name]


USERS = _table("users")
SETUP_LINKS = _table("setup_links")
CLIENTS = _table("clients")
API_KEYS = _table("api_keys")
SESSIONS = _table("sessions")
CONSENTS = _table("consents")
LOGOUT_NOTICES = _table("logout_notices")
LINKS = _table("links")
LETTERS = _table("letters")
IDENTITIES = _table("identities")
IDENTITY_PROVIDERS = _table("identity_providers")
REVOCATIONS = _table("revocations")
AUDIT = _table("audit")
AUDIT_START = _table("audit_start")
SIGNING_KEYS = _table("signing_keys")
USAGE = _table("usage")
USAGE_WORKERS = _table("usage_workers")
