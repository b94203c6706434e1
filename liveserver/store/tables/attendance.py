"""The tables of attendance: settled, adjusted."""

from __future__ import annotations

import sqlalchemy as sa

from liveserver.store.tables.base import METADATA, WHOLE

# Names of those who came, beside the ledger, which has their ids: erased here, every proof still holds.
ATTENDEES = sa.Table(
    "attendees",
    METADATA,
    sa.Column("lesson", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
)

# A settled lesson's newest revision; earlier ones can be reckoned again from the ledger.
ATTENDANCE = sa.Table(
    "attendance",
    METADATA,
    sa.Column("lesson", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("revision", WHOLE, nullable=False),
    sa.Column("course", sa.Text, nullable=False),
    sa.Column("started_at_ms", WHOLE, nullable=False),
    sa.Column("session_s", WHOLE, nullable=False),
    sa.Column("credited_s", WHOLE, nullable=False),
    sa.Column("result", sa.Text, nullable=False),  # canonical JSON, the bytes that were hashed
    sa.Column("others", sa.Text, nullable=False, server_default="[]"),
    sa.Column("leaf", sa.Text, nullable=False, server_default=""),
    sa.Index("attendance_of_person", "person", "started_at_ms", "lesson"),
    sa.Index("attendance_of_course", "course", "started_at_ms", "lesson"),
)

ATTENDANCE_DAYS = sa.Table(
    "attendance_days",
    METADATA,
    sa.Column("lesson", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("day", WHOLE, primary_key=True, autoincrement=False),  # in China, from 1970-01-01
    sa.Column("course", sa.Text, nullable=False),
    sa.Column("credited_s", WHOLE, nullable=False),
    sa.Index("attendance_days_of_person", "person", "day"),
    sa.Index("attendance_days_of_course", "course", "day"),
)

SETTLEMENTS = sa.Table(
    "settlements",
    METADATA,
    sa.Column("lesson", sa.Text, primary_key=True),
    sa.Column("revision", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("at_ms", WHOLE, nullable=False),
    sa.Column("ledger_size", WHOLE, nullable=False),
    sa.Column("result_sha256", sa.Text, nullable=False),
    sa.Column("people", WHOLE, nullable=False),
    sa.Column("credited_s", WHOLE, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("people_root", sa.Text, nullable=False, server_default=""),
    sa.Column("salt", sa.Text, nullable=False, server_default=""),
)

ADJUSTMENTS = sa.Table(
    "adjustments",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("lesson", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("delta_s", WHOLE, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("requested_at_ms", WHOLE, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False, server_default=""),
    sa.Column("decided_at_ms", WHOLE),
    sa.Column("decision", sa.Text, nullable=False, server_default=""),
    sa.Column("challenge", sa.Text, nullable=False, server_default=""),
    sa.Column("after", sa.Text, nullable=False, server_default=""),
    sa.Index("adjustments_of_lesson", "lesson", "requested_at_ms", "id"),
)
