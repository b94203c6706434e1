"""What a learner's share of a settlement is proven with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. What was settled before has no shares."""
    op.add_column("attendance", sa.Column("others", sa.Text, nullable=False, server_default="[]"))
    op.add_column("attendance", sa.Column("leaf", sa.Text, nullable=False, server_default=""))
    op.add_column("settlements", sa.Column("people_root", sa.Text, nullable=False, server_default=""))
    op.add_column("settlements", sa.Column("salt", sa.Text, nullable=False, server_default=""))
