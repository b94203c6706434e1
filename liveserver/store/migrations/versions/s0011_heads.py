"""Signed heads of the ledger, its keys, what witnesses answered; appends that are known again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_APPEND_ONLY = ("ledger_heads", "ledger_keys", "ledger_witnessed")


def upgrade() -> None:
    """Create the tables; no row of the first three is ever changed."""
    for table in ("ledger_heads", "ledger_keys"):
        op.create_table(
            table,
            sa.Column("number", _WHOLE, primary_key=True, autoincrement=False),
            sa.Column("size", _WHOLE, nullable=False),
            sa.Column("document", sa.Text, nullable=False),
        )
    op.create_index("ledger_heads_by_size", "ledger_heads", ["size"])
    op.create_table(
        "ledger_witnessed",
        sa.Column("witness", sa.Text, primary_key=True),
        sa.Column("size", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "ledger_accepted",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("first_index", _WHOLE, nullable=False),
        sa.Column("count", _WHOLE, nullable=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
    )
    op.create_index("ledger_by_leaf", "ledger", ["leaf"])
    for table in _APPEND_ONLY:
        _make_append_only(table)


def _make_append_only(table: str) -> None:
    run = op.get_bind().exec_driver_sql
    if op.get_context().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            run(
                f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, 'ledger is append-only: {verb.upper()} refused'); END"
            )
        return
    run(
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION ledger_refuse()"
    )
    run(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
    )
    for trigger in ("no_change", "no_truncate"):
        run(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_{trigger}")
