"""Samples that inspectors drew, and what they looked at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add both tables."""
    op.create_table(
        "samples",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("until", sa.Text, nullable=False),
        sa.Column("percent", _WHOLE, nullable=False),
        sa.Column("seed", sa.Text, nullable=False),
        sa.Column("population", _WHOLE, nullable=False),
        sa.Column("population_sha256", sa.Text, nullable=False),
        sa.Column("total_s", _WHOLE, nullable=False),
        sa.Column("drawn_s", _WHOLE, nullable=False),
        sa.Column("lessons", sa.JSON, nullable=False),
    )
    op.create_index("samples_by_age", "samples", ["at_ms", "id"])
    op.create_table(
        "views",
        sa.Column("position", _WHOLE, primary_key=True),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("lesson", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
    )
    op.create_index("views_of_inspector", "views", ["by", "position"])
