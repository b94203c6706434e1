"""Who came, what it was worth, how it was settled, and what two persons changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns and the tables."""
    op.add_column("lessons", sa.Column("preset", sa.Text, nullable=False, server_default="default"))
    op.add_column("lessons", sa.Column("planned_s", _WHOLE))
    op.add_column("lessons", sa.Column("course", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "attendees",
        sa.Column("lesson", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.create_table(
        "attendance",
        sa.Column("lesson", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("revision", _WHOLE, nullable=False),
        sa.Column("course", sa.Text, nullable=False),
        sa.Column("started_at_ms", _WHOLE, nullable=False),
        sa.Column("session_s", _WHOLE, nullable=False),
        sa.Column("credited_s", _WHOLE, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
    )
    op.create_table(
        "attendance_days",
        sa.Column("lesson", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("day", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("course", sa.Text, nullable=False),
        sa.Column("credited_s", _WHOLE, nullable=False),
    )
    for kept_by in ("person", "course"):
        op.create_index(f"attendance_of_{kept_by}", "attendance", [kept_by, "started_at_ms", "lesson"])
        op.create_index(f"attendance_days_of_{kept_by}", "attendance_days", [kept_by, "day"])
    _create_settlements()


def _create_settlements() -> None:
    op.create_table(
        "settlements",
        sa.Column("lesson", sa.Text, primary_key=True),
        sa.Column("revision", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
        sa.Column("ledger_size", _WHOLE, nullable=False),
        sa.Column("result_sha256", sa.Text, nullable=False),
        sa.Column("people", _WHOLE, nullable=False),
        sa.Column("credited_s", _WHOLE, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
    )
    op.create_table(
        "adjustments",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("lesson", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("delta_s", _WHOLE, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("requested_by", sa.Text, nullable=False),
        sa.Column("requested_at_ms", _WHOLE, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False, server_default=""),
        sa.Column("decided_at_ms", _WHOLE),
        sa.Column("decision", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("adjustments_of_lesson", "adjustments", ["lesson", "requested_at_ms", "id"])
