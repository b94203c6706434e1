"""The tables of cuts and of drills."""

from __future__ import annotations

import sqlalchemy as sa

from liveserver.store.tables.base import METADATA, WHOLE

# One row for each cut and each node that measured it.
CUTS = sa.Table(
    "cuts",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),  # cut@node
    sa.Column("cut", sa.Text, nullable=False),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("lesson", sa.Text, nullable=False),
    sa.Column("epoch", WHOLE, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("person", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("at_ms", WHOLE, nullable=False),
    sa.Column("measured", sa.JSON(none_as_null=True)),
    sa.Column("restored_at_ms", WHOLE),
    sa.Column("restored_by", sa.Text),
    sa.Index("cuts_of_lesson", "lesson", "at_ms", "key"),
)

DRILLS = sa.Table(
    "drills",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("lesson", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("at_ms", WHOLE, nullable=False),
    sa.Column("viewers", WHOLE, nullable=False),
    sa.Column("rounds", WHOLE, nullable=False),
    sa.Column("times", sa.JSON, nullable=False),
    sa.Index("drills_by_age", "at_ms", "id"),
)
