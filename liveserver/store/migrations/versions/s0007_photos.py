"""Keys of persons, the photos and faces sealed under them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "person_keys",
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("purpose", sa.Text, primary_key=True),
        sa.Column("wrapped", sa.LargeBinary),
        sa.Column("made_at_ms", _WHOLE, nullable=False),
        sa.Column("destroyed_at_ms", _WHOLE),
    )
    op.create_table(
        "photos",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("lesson", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("challenge", sa.Text, nullable=False),
        sa.Column("taken_at_ms", _WHOLE, nullable=False),
        sa.Column("size", _WHOLE, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("look", sa.LargeBinary, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("erased_at_ms", _WHOLE),
    )
    op.create_index("photos_of_lesson", "photos", ["lesson", "taken_at_ms"])
    op.create_index("photos_of_person", "photos", ["person", "taken_at_ms"])
    op.create_index("photos_by_age", "photos", ["erased_at_ms", "taken_at_ms"])
    op.create_table(
        "faces",
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("photo", sa.Text, nullable=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
    )
