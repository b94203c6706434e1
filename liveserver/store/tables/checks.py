"""The tables of random checks: questions, consents, photos, keys of single persons."""

from __future__ import annotations

import sqlalchemy as sa

from liveserver.store.tables.base import METADATA, WHOLE

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
