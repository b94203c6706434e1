"""What must outlive the process: lessons, recordings, chat, and the append-only ledger."""

from __future__ import annotations

from liveserver.core.ledger import Entry, Fact
from liveserver.store.model import (
    Appeal,
    Case,
    ChatLine,
    Decided,
    Incident,
    Lesson,
    Muted,
    Recording,
    StoredObject,
    StoreError,
    Tally,
    Version,
)
from liveserver.store.store import Store, open_store
from liveserver.store.verify import Fault, Verification, verify_ledger

__all__ = [
    "Appeal",
    "Case",
    "ChatLine",
    "Decided",
    "Entry",
    "Fact",
    "Fault",
    "Incident",
    "Lesson",
    "Muted",
    "Recording",
    "Store",
    "StoreError",
    "StoredObject",
    "Tally",
    "Verification",
    "Version",
    "open_store",
    "verify_ledger",
]
