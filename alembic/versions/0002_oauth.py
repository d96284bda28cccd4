"""What OAuth and OpenID Connect keep: metadata of clients, profiles, granted sessions, consents, logout notices.

The new columns have defaults in the database, so that workers of the version before go on writing meanwhile.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.String().with_variant(sa.String(collation="C"), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
INSTANT = sa.DateTime(timezone=True)
ADDED = (
    ("clients", "metadata"),
    ("users", "profile"),
    ("users", "email_verified_at"),
    ("sessions", "audience"),
    ("sessions", "parent_id"),
    ("sessions", "offline"),
)


def upgrade() -> None:
    op.add_column("clients", sa.Column("metadata", JSON, nullable=False, server_default=sa.text("'{}'")))
    op.add_column("users", sa.Column("profile", JSON, nullable=False, server_default=sa.text("'{}'")))
    op.add_column("users", sa.Column("email_verified_at", INSTANT, nullable=True))
    op.add_column("sessions", sa.Column("audience", JSON, nullable=False, server_default=sa.text("'[]'")))
    op.add_column("sessions", sa.Column("parent_id", ID, nullable=True))
    op.add_column("sessions", sa.Column("offline", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    _partial_index("ix_sessions_children", "sessions", "parent_id", "id", where="ended_at IS NULL")
    op.create_table(
        "consents",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("audience", JSON, nullable=False),
        sa.Column("granted_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "client_id", name="pk_consents"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_consents_user_id_users"),
    )
    op.create_table(
        "logout_notices",
        sa.Column("id", ID, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("session_id", ID, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("next_try_at", INSTANT, nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", INSTANT, nullable=True),
        sa.Column("given_up_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_logout_notices"),
    )
    _partial_index(
        "ix_logout_notices_waiting",
        "logout_notices",
        "next_try_at",
        where="delivered_at IS NULL AND given_up_at IS NULL",
    )


def downgrade() -> None:
    op.drop_table("logout_notices")
    op.drop_table("consents")
    op.drop_index("ix_sessions_children", "sessions")
    for table, column in reversed(ADDED):
        op.drop_column(table, column)


def _partial_index(name: str, table: str, *columns: str, where: str) -> None:
    op.create_index(name, table, list(columns), sqlite_where=sa.text(where), postgresql_where=sa.text(where))
