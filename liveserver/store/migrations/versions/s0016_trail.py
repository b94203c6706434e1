"""Entries of the ledger by their types: what administrators did is read among everything else."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("ledger_by_type", "ledger", ["type", "entry_index"])
