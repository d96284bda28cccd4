"""Who used how much: requests by caller, route, outcome and hour, and which batches of counts have been added."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.String().with_variant(sa.String(collation="C"), "postgresql")
KEY = ("hour", "kind", "subject", "client_id", "api_key_id", "route", "outcome")


def upgrade() -> None:
    op.create_table(
        "usage",
        *(sa.Column(name, ID, nullable=False) for name in KEY),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*KEY, name="pk_usage"),
    )
    op.create_index("ix_usage_subject", "usage", ["subject", "hour"])
    op.create_table(
        "usage_workers",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_usage_workers"),
    )


def downgrade() -> None:
    op.drop_table("usage_workers")
    op.drop_table("usage")
