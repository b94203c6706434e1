"""The tables, as they are after the newest migration (a test compares the two)."""

from __future__ import annotations

import sqlalchemy as sa

# SQLite gives a gapless 64-bit key only to the type name INTEGER; PostgreSQL's INTEGER has 32 bits.
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

METADATA = sa.MetaData()

LESSONS = sa.Table(
    "lessons",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("instructor", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created_at_ms", WHOLE, nullable=False),
    sa.Column("started_at_ms", WHOLE),
    sa.Column("ended_at_ms", WHOLE),
    sa.Column("programmes", sa.Text, nullable=False, server_default=""),
    sa.Column("policy", sa.Text, nullable=False, server_default=""),
    sa.Column("policy_version", WHOLE, nullable=False, server_default="0"),
    sa.Column("preset", sa.Text, nullable=False, server_default="default"),
    sa.Column("planned_s", WHOLE),
    sa.Column("course", sa.Text, nullable=False, server_default=""),
    sa.Column("training_class", sa.Text, nullable=False, server_default=""),
    sa.Column("course_id", sa.Text, nullable=False, server_default=""),
    sa.Column("project", sa.Text, nullable=False, server_default=""),
    sa.Column("planned_start_ms", WHOLE),
    sa.Index("lessons_by_age", "created_at_ms", "id"),
    sa.Index("lessons_of_class", "training_class", "planned_start_ms", "id"),
)

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

CHAT = sa.Table(
    "chat",
    METADATA,
    sa.Column("position", WHOLE, primary_key=True),  # the order of arrival: clocks may jump
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("lesson", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("at_ms", WHOLE, nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="shown"),
    sa.UniqueConstraint("id", name="chat_id_once"),
    sa.Index("chat_of_lesson", "lesson", "position"),
)

MUTES = sa.Table(
    "mutes",
    METADATA,
    sa.Column("lesson", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at_ms", WHOLE, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("incidents", sa.JSON, nullable=False),
)

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

# What random checks of a lesson are drawn from; `seed` is sealed with the installation's key.
LESSON_CHECKS = sa.Table(
    "lesson_checks",
    METADATA,
    sa.Column("lesson", sa.Text, primary_key=True),
    sa.Column("seed", sa.LargeBinary, nullable=False),
    sa.Column("policy", sa.Text, nullable=False),  # JSON
)

# A bank of questions for each course; "" is everybody's.
QUESTIONS = sa.Table(
    "questions",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("course", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # JSON
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at_ms", WHOLE, nullable=False),
    sa.Index("questions_of_course", "course", "created_at_ms", "id"),
)

# Separate consents (PIPL 14, 29): each row one that was given, and when it was taken back.
CONSENTS = sa.Table(
    "consents",
    METADATA,
    sa.Column("position", WHOLE, primary_key=True),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("text_sha256", sa.Text, nullable=False),
    sa.Column("given_at_ms", WHOLE, nullable=False),
    sa.Column("withdrawn_at_ms", WHOLE),
    sa.Index("consents_of_person", "person", "purpose", "position"),
)

# A key for each person and purpose, wrapped by the installation's. NULL: destroyed, and never made again.
PERSON_KEYS = sa.Table(
    "person_keys",
    METADATA,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("wrapped", sa.LargeBinary),
    sa.Column("made_at_ms", WHOLE, nullable=False),
    sa.Column("destroyed_at_ms", WHOLE),
)

PHOTOS = sa.Table(
    "photos",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("lesson", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("challenge", sa.Text, nullable=False),
    sa.Column("taken_at_ms", WHOLE, nullable=False),
    sa.Column("size", WHOLE, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("look", sa.LargeBinary, nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("erased_at_ms", WHOLE),
    sa.Index("photos_of_lesson", "lesson", "taken_at_ms"),
    sa.Index("photos_of_person", "person", "taken_at_ms"),
    sa.Index("photos_by_age", "erased_at_ms", "taken_at_ms"),
)

# What photos are compared with: a descriptor, sealed under the person's key.
FACES = sa.Table(
    "faces",
    METADATA,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("photo", sa.Text, nullable=False),
    sa.Column("at_ms", WHOLE, nullable=False),
)

USED_TOKENS = sa.Table(
    "used_tokens",
    METADATA,
    sa.Column("token_id", sa.Text, primary_key=True),
    sa.Column("expires_at_ms", WHOLE, nullable=False),
)

LEDGER = sa.Table(
    "ledger",
    METADATA,
    sa.Column("entry_index", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("lesson", sa.Text),
    sa.Column("at_ms", WHOLE, nullable=False),
    sa.Column("recorded_at_ms", WHOLE, nullable=False),
    sa.Column("data", sa.Text, nullable=False),  # canonical JSON, the bytes that were hashed
    sa.Column("leaf", sa.LargeBinary, nullable=False),
    sa.CheckConstraint("length(leaf) = 32", name="leaf_is_sha256"),
    sa.Index("ledger_of_lesson", "lesson", "entry_index"),
    sa.Index("ledger_by_leaf", "leaf"),
    sa.Index("ledger_by_type", "type", "entry_index"),
    sqlite_strict=True,
)

# Hashes of the complete subtrees of 256, 256², … leaves: a proof reads a few hundred rows at any size.
LEDGER_TILES = sa.Table(
    "ledger_tiles",
    METADATA,
    sa.Column("level", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("position", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.CheckConstraint("length(hash) = 32", name="hash_is_sha256"),
    sqlite_strict=True,
)

# Signed heads in the order in which they were signed, and the log's keys: documents of core/heads.py.
LEDGER_HEADS = sa.Table(
    "ledger_heads",
    METADATA,
    sa.Column("number", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("size", WHOLE, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Index("ledger_heads_by_size", "size"),
)

LEDGER_KEYS = sa.Table(
    "ledger_keys",
    METADATA,
    sa.Column("number", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("size", WHOLE, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)

# What each witness answered to a head of this size.
LEDGER_WITNESSED = sa.Table(
    "ledger_witnessed",
    METADATA,
    sa.Column("witness", sa.Text, primary_key=True),
    sa.Column("size", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("at_ms", WHOLE, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)

# Appends that may be asked for again because their answer was lost: forgotten after some days.
LEDGER_ACCEPTED = sa.Table(
    "ledger_accepted",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("first_index", WHOLE, nullable=False),
    sa.Column("count", WHOLE, nullable=False),
    sa.Column("at_ms", WHOLE, nullable=False),
)

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
