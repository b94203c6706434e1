"""Adjustments that excuse a missed check instead of adding seconds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the check, and what it becomes."""
    for name in ("challenge", "after"):
        op.add_column("adjustments", sa.Column(name, sa.Text, nullable=False, server_default=""))
