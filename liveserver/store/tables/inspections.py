"""The tables of inspections."""

from __future__ import annotations

import sqlalchemy as sa

from liveserver.store.tables.base import METADATA, WHOLE

# What inspectors drew, and what they looked at; the ledger has each as well.
SAMPLES = sa.Table(
    "samples",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at_ms", WHOLE, nullable=False),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("until", sa.Text, nullable=False),
    sa.Column("percent", WHOLE, nullable=False),
    sa.Column("seed", sa.Text, nullable=False),
    sa.Column("population", WHOLE, nullable=False),
    sa.Column("population_sha256", sa.Text, nullable=False),
    sa.Column("total_s", WHOLE, nullable=False),
    sa.Column("drawn_s", WHOLE, nullable=False),
    sa.Column("lessons", sa.JSON, nullable=False),
    sa.Index("samples_by_age", "at_ms", "id"),
)

VIEWS = sa.Table(
    "views",
    METADATA,
    sa.Column("position", WHOLE, primary_key=True),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("lesson", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("at_ms", WHOLE, nullable=False),
    sa.Index("views_of_inspector", "by", "position"),
)
