"""Lessons, recordings, chat, used tokens and the append-only ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# INSERT OR REPLACE deletes without firing a DELETE trigger; the rule that each index follows the last one
# refuses that as well as gaps.
_SQLITE = """
CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'ledger is append-only: UPDATE refused'); END;
CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'ledger is append-only: DELETE refused'); END;
CREATE TRIGGER ledger_in_order BEFORE INSERT ON ledger
WHEN NEW.entry_index <> (SELECT coalesce(max(entry_index) + 1, 0) FROM ledger)
BEGIN SELECT RAISE(ABORT, 'ledger is append-only: an entry follows the last one'); END;
CREATE TRIGGER ledger_tiles_no_update BEFORE UPDATE ON ledger_tiles
BEGIN SELECT RAISE(ABORT, 'ledger is append-only: UPDATE refused'); END;
CREATE TRIGGER ledger_tiles_no_delete BEFORE DELETE ON ledger_tiles
BEGIN SELECT RAISE(ABORT, 'ledger is append-only: DELETE refused'); END;
CREATE TRIGGER ledger_tiles_in_order BEFORE INSERT ON ledger_tiles
WHEN NEW.position <> (SELECT coalesce(max(position) + 1, 0) FROM ledger_tiles WHERE level = NEW.level)
BEGIN SELECT RAISE(ABORT, 'ledger is append-only: a tile follows the last one'); END;
"""

# ENABLE ALWAYS: session_replication_role = replica does not get past them either.
_POSTGRESQL = """
CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'ledger is append-only: % refused', TG_OP; END $$;
CREATE FUNCTION ledger_entry_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.entry_index <> (SELECT coalesce(max(entry_index) + 1, 0) FROM ledger) THEN
    RAISE EXCEPTION 'ledger is append-only: an entry follows the last one';
  END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION ledger_tile_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.position <> (SELECT coalesce(max(position) + 1, 0) FROM ledger_tiles WHERE level = NEW.level) THEN
    RAISE EXCEPTION 'ledger is append-only: a tile follows the last one';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE ON ledger
FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON ledger
FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_in_order BEFORE INSERT ON ledger
FOR EACH ROW EXECUTE FUNCTION ledger_entry_follows();
CREATE TRIGGER ledger_tiles_no_change BEFORE UPDATE OR DELETE ON ledger_tiles
FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_tiles_no_truncate BEFORE TRUNCATE ON ledger_tiles
FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_tiles_in_order BEFORE INSERT ON ledger_tiles
FOR EACH ROW EXECUTE FUNCTION ledger_tile_follows();
ALTER TABLE ledger ENABLE ALWAYS TRIGGER ledger_no_change;
ALTER TABLE ledger ENABLE ALWAYS TRIGGER ledger_no_truncate;
ALTER TABLE ledger ENABLE ALWAYS TRIGGER ledger_in_order;
ALTER TABLE ledger_tiles ENABLE ALWAYS TRIGGER ledger_tiles_no_change;
ALTER TABLE ledger_tiles ENABLE ALWAYS TRIGGER ledger_tiles_no_truncate;
ALTER TABLE ledger_tiles ENABLE ALWAYS TRIGGER ledger_tiles_in_order;
"""


def upgrade() -> None:
    """Create everything."""
    _create_records()
    _create_ledger()
    script = _SQLITE if op.get_context().dialect.name == "sqlite" else _POSTGRESQL
    for statement in _statements(script):
        op.get_bind().exec_driver_sql(statement)


def _create_records() -> None:
    op.create_table(
        "lessons",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("instructor", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at_ms", _WHOLE, nullable=False),
        sa.Column("started_at_ms", _WHOLE),
        sa.Column("ended_at_ms", _WHOLE),
    )
    op.create_index("lessons_by_age", "lessons", ["created_at_ms", "id"])
    op.create_table(
        "recordings",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("lesson", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("started_at_ms", _WHOLE, nullable=False),
        sa.Column("sha256", sa.Text),
        sa.Column("size", _WHOLE),
        sa.Column("duration_ms", _WHOLE),
        sa.Column("sealed_at_ms", _WHOLE),
        sa.Column("retain_until_ms", _WHOLE),
        sa.Column("locked", sa.Boolean, nullable=False),
        sa.Column("gaps", sa.JSON, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("recordings_by_age", "recordings", ["started_at_ms", "id"])
    op.create_index("recordings_of_lesson", "recordings", ["lesson", "started_at_ms", "id"])
    op.create_table(
        "chat",
        sa.Column("position", _WHOLE, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("lesson", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("id", name="chat_id_once"),
    )
    op.create_index("chat_of_lesson", "chat", ["lesson", "position"])
    op.create_table(
        "used_tokens",
        sa.Column("token_id", sa.Text, primary_key=True),
        sa.Column("expires_at_ms", _WHOLE, nullable=False),
    )


def _create_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("entry_index", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("lesson", sa.Text),
        sa.Column("at_ms", _WHOLE, nullable=False),
        sa.Column("recorded_at_ms", _WHOLE, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("length(leaf) = 32", name="leaf_is_sha256"),
        sqlite_strict=True,
    )
    op.create_index("ledger_of_lesson", "ledger", ["lesson", "entry_index"])
    op.create_table(
        "ledger_tiles",
        sa.Column("level", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("position", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("length(hash) = 32", name="hash_is_sha256"),
        sqlite_strict=True,
    )


def _statements(script: str) -> list[str]:
    """The script's statements: each begins a line with CREATE or ALTER."""
    statements: list[str] = []
    for line in script.strip().splitlines():
        if line.startswith(("CREATE ", "ALTER ")):
            statements.append(line)
        else:
            statements[-1] += "\n" + line
    return statements
