"""Long recordings in reels."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns and the index. What was recorded before has one reel."""
    op.add_column("recordings", sa.Column("series", sa.Text, nullable=False, server_default=""))
    op.add_column("recordings", sa.Column("reel", _WHOLE, nullable=False, server_default="1"))
    op.add_column("recordings", sa.Column("begins_ms", _WHOLE, nullable=False, server_default="0"))
    op.create_index("recordings_of_series", "recordings", ["series", "reel"])
