"""Telephone numbers of persons, sealed; what is in clear the node seals at its start, for it has the key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns, empty."""
    empty = sa.text("x''") if op.get_bind().dialect.name == "sqlite" else sa.text("''::bytea")
    for name in ("phone_sealed", "phone_mark"):
        op.add_column("persons", sa.Column(name, sa.LargeBinary, nullable=False, server_default=empty))
    op.create_index("persons_by_phone_mark", "persons", ["phone_mark"])
