"""The tables of what screening finds, what people make of it, and what it goes by."""

from __future__ import annotations

import sqlalchemy as sa

from liveserver.store.tables.base import METADATA, WHOLE

INCIDENTS = sa.Table(
    "incidents",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("lesson", sa.Text, nullable=False),
    sa.Column("at_ms", WHOLE, nullable=False),
    sa.Column("until_ms", WHOLE, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("score_ppm", WHOLE, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("receipt", sa.JSON, nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("count", WHOLE, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("track", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("line", sa.Text, nullable=False),
    sa.Column("why", sa.JSON, nullable=False),
    sa.Column("lines", sa.JSON, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Index("incidents_by_age", "at_ms", "id"),
    sa.Index("incidents_of_lesson", "lesson", "at_ms", "id"),
)

# The last one counts; all stay.
DECISIONS = sa.Table(
    "decisions",
    METADATA,
    sa.Column("position", WHOLE, primary_key=True),
    sa.Column("incident", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at_ms", WHOLE, nullable=False),
    sa.Index("decisions_of_incident", "incident", "position"),
)

APPEALS = sa.Table(
    "appeals",
    METADATA,
    sa.Column("incident", sa.Text, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at_ms", WHOLE, nullable=False),
)


def _versions(name: str) -> sa.Table:
    return sa.Table(
        name,
        METADATA,
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("entries", WHOLE, nullable=False),
        sa.Column("at_ms", WHOLE, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
    )


POLICIES = _versions("policies")

LEXICONS = _versions("lexicons")
