"""The tables of recordings and of where their objects are."""

from __future__ import annotations

import sqlalchemy as sa

from liveserver.store.tables.base import METADATA, WHOLE

RECORDINGS = sa.Table(
    "recordings",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("lesson", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("started_at_ms", WHOLE, nullable=False),
    sa.Column("sha256", sa.Text),
    sa.Column("size", WHOLE),
    sa.Column("duration_ms", WHOLE),
    sa.Column("sealed_at_ms", WHOLE),
    sa.Column("retain_until_ms", WHOLE),
    sa.Column("locked", sa.Boolean, nullable=False),
    sa.Column("gaps", sa.JSON, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("programmes", sa.Text, nullable=False, server_default=""),
    sa.Column("hold", sa.Text, nullable=False, server_default=""),
    sa.Column("deleted_at_ms", WHOLE),
    sa.Column("series", sa.Text, nullable=False, server_default=""),
    sa.Column("reel", WHOLE, nullable=False, server_default="1"),
    sa.Column("begins_ms", WHOLE, nullable=False, server_default="0"),
    sa.Index("recordings_by_age", "started_at_ms", "id"),
    sa.Index("recordings_of_lesson", "lesson", "started_at_ms", "id"),
    sa.Index("recordings_of_series", "series", "reel"),
)

OBJECTS = sa.Table(
    "objects",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("recording", sa.Text, nullable=False),
    sa.Column("size", WHOLE, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("store", sa.Text, nullable=False),
    sa.Column("stored_at_ms", WHOLE, nullable=False),
    sa.Column("version", sa.Text),
    sa.Column("retain_until_ms", WHOLE),
    sa.Column("locked", sa.Boolean, nullable=False),
    sa.Column("verified_at_ms", WHOLE),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Index("objects_of_recording", "recording"),
    sa.Index("objects_by_reading", "verified_at_ms", "stored_at_ms"),
)
