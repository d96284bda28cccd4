"""How much may be asked: a figure of its own for an API key and for a client."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = ("api_keys", "clients")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("rate", sa.String(), nullable=True))


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_column(table, "rate")
