"""Seeds of random checks, banks of questions, consents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "lesson_checks",
        sa.Column("lesson", sa.Text, primary_key=True),
        sa.Column("seed", sa.LargeBinary, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
    )
    op.create_table(
        "questions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("course", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
        sa.Column("retired_at_ms", _WHOLE),
    )
    op.create_index("questions_of_course", "questions", ["course", "at_ms", "id"])
    op.create_table(
        "consents",
        sa.Column("position", _WHOLE, primary_key=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("text_sha256", sa.Text, nullable=False),
        sa.Column("given_at_ms", _WHOLE, nullable=False),
        sa.Column("withdrawn_at_ms", _WHOLE),
    )
    op.create_index("consents_of_person", "consents", ["person", "purpose", "position"])
