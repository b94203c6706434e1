"""The tables of the ledger: entries, tiles, heads, keys, witnesses."""

from __future__ import annotations

import sqlalchemy as sa

from liveserver.store.tables.base import METADATA, WHOLE

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
