"""The tables of the chat."""

from __future__ import annotations

import sqlalchemy as sa

from liveserver.store.tables.base import METADATA, WHOLE

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
