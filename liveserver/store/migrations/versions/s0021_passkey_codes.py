"""Codes for the first passkey of somebody whose role takes one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "passkey_codes",
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("mark", sa.LargeBinary, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("until_ms", _WHOLE, nullable=False),
        sa.Column("tries", _WHOLE, nullable=False),
    )
