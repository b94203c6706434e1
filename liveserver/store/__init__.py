"""What must outlive the process: lessons, recordings, chat, and the append-only ledger."""

from __future__ import annotations

from liveserver.core.ledger import Entry, Fact
from liveserver.store.model import ChatLine, Lesson, Recording, StoredObject, StoreError
from liveserver.store.store import Store, open_store
from liveserver.store.verify import Fault, Verification, verify_ledger

__all__ = [
    "ChatLine",
    "Entry",
    "Fact",
    "Fault",
    "Lesson",
    "Recording",
    "Store",
    "StoreError",
    "StoredObject",
    "Verification",
    "open_store",
    "verify_ledger",
]
