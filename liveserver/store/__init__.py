"""What must outlive the process: lessons, recordings, chat, and the append-only ledger."""

from __future__ import annotations

from liveserver.core.ledger import Entry, Fact
from liveserver.store.guarding import prepare_role
from liveserver.store.model import (
    Adjustment,
    Appeal,
    Attended,
    Case,
    ChatLine,
    CutRow,
    DayHours,
    Decided,
    Drill,
    Incident,
    Lesson,
    Muted,
    ProjectSum,
    Recording,
    Sample,
    Settlement,
    StoredObject,
    StoreError,
    Tally,
    Version,
    View,
)
from liveserver.store.opening import open_store
from liveserver.store.store import Store
from liveserver.store.verify import Fault, Verification, signed_rows, verify_ledger

__all__ = [
    "Adjustment",
    "Appeal",
    "Attended",
    "Case",
    "ChatLine",
    "CutRow",
    "DayHours",
    "Decided",
    "Drill",
    "Entry",
    "Fact",
    "Fault",
    "Incident",
    "Lesson",
    "Muted",
    "ProjectSum",
    "Recording",
    "Sample",
    "Settlement",
    "Store",
    "StoreError",
    "StoredObject",
    "Tally",
    "Verification",
    "Version",
    "View",
    "open_store",
    "prepare_role",
    "signed_rows",
    "verify_ledger",
]
