"""What must outlive the process: lessons, recordings, chat, and the append-only ledger."""

from __future__ import annotations

from liveserver.core.ledger import Entry, Fact
from liveserver.store.guarding import prepare_role
from liveserver.store.model.attendance import Adjustment, Attended, DayHours, ProjectSum, Settlement
from liveserver.store.model.chat import ChatLine, Muted
from liveserver.store.model.cuts import CutRow, Drill
from liveserver.store.model.errors import StoreError
from liveserver.store.model.inspections import Sample, View
from liveserver.store.model.lessons import Lesson
from liveserver.store.model.recordings import Recording, StoredObject
from liveserver.store.model.screening import Appeal, Case, Decided, Incident, Tally, Version
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
