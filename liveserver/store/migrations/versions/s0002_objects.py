"""Stored objects; programmes, legal hold and deletion of recordings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("lessons", sa.Column("programmes", sa.Text, nullable=False, server_default=""))
    for name in ("programmes", "hold"):
        op.add_column("recordings", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("recordings", sa.Column("deleted_at_ms", _WHOLE))
    op.create_table(
        "objects",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("recording", sa.Text, nullable=False),
        sa.Column("size", _WHOLE, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("store", sa.Text, nullable=False),
        sa.Column("stored_at_ms", _WHOLE, nullable=False),
        sa.Column("version", sa.Text),
        sa.Column("retain_until_ms", _WHOLE),
        sa.Column("locked", sa.Boolean, nullable=False),
        sa.Column("verified_at_ms", _WHOLE),
        sa.Column("verdict", sa.Text, nullable=False),
    )
    op.create_index("objects_of_recording", "objects", ["recording"])
    op.create_index("objects_by_reading", "objects", ["verified_at_ms", "stored_at_ms"])
