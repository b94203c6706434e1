"""The tables of lessons and of links that work once."""

from __future__ import annotations

import sqlalchemy as sa

from liveserver.store.tables.base import METADATA, WHOLE

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

USED_TOKENS = sa.Table(
    "used_tokens",
    METADATA,
    sa.Column("token_id", sa.Text, primary_key=True),
    sa.Column("expires_at_ms", WHOLE, nullable=False),
)
