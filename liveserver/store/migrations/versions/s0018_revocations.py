"""Access tokens that were taken back before their time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "revocations",
        sa.Column("of", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("training_class", sa.Text, primary_key=True),
        sa.Column("issued_until_s", _WHOLE, nullable=False),
        sa.Column("spared", sa.Text, nullable=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
        sa.Column("until_ms", _WHOLE, nullable=False),
    )
    op.create_index("revocations_by_age", "revocations", ["at_ms"])
    op.create_index("revocations_by_end", "revocations", ["until_ms"])
