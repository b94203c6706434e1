"""Revocations for one role alone: who leaves a class as a learner may still teach it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_COPY = sa.text(
    "INSERT INTO revocations_of_roles"
    " (of, key, training_class, role, issued_until_s, spared, at_ms, until_ms)"
    " SELECT of, key, training_class, '', issued_until_s, spared, at_ms, until_ms FROM revocations"
)


def upgrade() -> None:
    """The role is part of the key, so that the table is made anew; what is known was for every role."""
    op.create_table(
        "revocations_of_roles",
        sa.Column("of", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("training_class", sa.Text, primary_key=True),
        sa.Column("role", sa.Text, primary_key=True),
        sa.Column("issued_until_s", _WHOLE, nullable=False),
        sa.Column("spared", sa.Text, nullable=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
        sa.Column("until_ms", _WHOLE, nullable=False),
    )
    op.execute(_COPY)
    op.drop_table("revocations")
    op.rename_table("revocations_of_roles", "revocations")
    op.create_index("revocations_by_age", "revocations", ["at_ms"])
    op.create_index("revocations_by_end", "revocations", ["until_ms"])
