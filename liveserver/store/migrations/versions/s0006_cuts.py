"""Every cut there was, with its own times."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "cuts",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("cut", sa.Text, nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("lesson", sa.Text, nullable=False),
        sa.Column("epoch", _WHOLE, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("person", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
        sa.Column("measured", sa.JSON),
        sa.Column("restored_at_ms", _WHOLE),
        sa.Column("restored_by", sa.Text),
    )
    op.create_index("cuts_of_lesson", "cuts", ["lesson", "at_ms", "key"])
