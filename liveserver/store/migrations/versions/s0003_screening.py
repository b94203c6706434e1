"""Incidents with decisions and appeals, policies and lists by version, mutes; where each chat line stands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# What was decided by is part of the evidence: a version is never rewritten. (INSERT OR REPLACE deletes
# without firing a DELETE trigger in SQLite, so a version that exists is refused on INSERT as well.)
_SQLITE = """
CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} are kept as they are: UPDATE refused'); END;
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} are kept as they are: DELETE refused'); END;
CREATE TRIGGER {table}_in_order BEFORE INSERT ON {table}
WHEN NEW.version <> (SELECT coalesce(max(version) + 1, 1) FROM {table} WHERE name = NEW.name)
BEGIN SELECT RAISE(ABORT, '{table}: a version follows the last one'); END;
"""
_POSTGRESQL = """
CREATE FUNCTION versions_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% are kept as they are: % refused', TG_TABLE_NAME, TG_OP; END $$;
"""
_POSTGRESQL_TABLE = """
CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION versions_refuse();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION versions_refuse();
"""


def upgrade() -> None:
    """Add the columns and the tables."""
    op.add_column("lessons", sa.Column("policy", sa.Text, nullable=False, server_default=""))
    op.add_column("lessons", sa.Column("policy_version", _WHOLE, nullable=False, server_default="0"))
    op.add_column("chat", sa.Column("state", sa.Text, nullable=False, server_default="shown"))
    op.create_table(
        "mutes",
        sa.Column("lesson", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("incidents", sa.JSON, nullable=False),
    )
    _create_incidents()
    for table in ("policies", "lexicons"):
        _create_versions(table)
    _keep_versions()


def _create_incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("lesson", sa.Text, nullable=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
        sa.Column("until_ms", _WHOLE, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("score_ppm", _WHOLE, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("receipt", sa.JSON, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("count", _WHOLE, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("track", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("why", sa.JSON, nullable=False),
        sa.Column("lines", sa.JSON, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
    )
    op.create_index("incidents_by_age", "incidents", ["at_ms", "id"])
    op.create_index("incidents_of_lesson", "incidents", ["lesson", "at_ms", "id"])
    op.create_table(
        "decisions",
        sa.Column("position", _WHOLE, primary_key=True),
        sa.Column("incident", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
    )
    op.create_index("decisions_of_incident", "decisions", ["incident", "position"])
    op.create_table(
        "appeals",
        sa.Column("incident", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
    )


def _create_versions(name: str) -> None:
    op.create_table(
        name,
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("entries", _WHOLE, nullable=False),
        sa.Column("at_ms", _WHOLE, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
    )


def _keep_versions() -> None:
    is_sqlite = op.get_context().dialect.name == "sqlite"
    script_of = _SQLITE if is_sqlite else _POSTGRESQL_TABLE
    scripts = [] if is_sqlite else [_POSTGRESQL]
    scripts += [script_of.format(table=table) for table in ("policies", "lexicons")]
    for script in scripts:
        for statement in script.strip().split("\nCREATE "):
            words = statement if statement.startswith("CREATE ") else f"CREATE {statement}"
            op.get_bind().exec_driver_sql(words)
