"""Notes of the objects that are on their way: a file in outbox/ each, and what the node knows of them.

A note is written before the object's file and removed after everything else, so a crash at any moment leaves
either a note to go on with or nothing to do.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import structlog

from recorder.spool import sync_folder, write_durably
from recorder.upload import UploadNote

PAUSE_FIRST_S = 1.0
TOLD_AT_ONCE = 100  # objects in one event, which has a bound in bytes
_log = structlog.get_logger("recorder.archive")

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it was read back. `store`: `disk` or `s3`."""

    key: str
    size: int
    sha256: str
    store: str
    version: str | None
    retain_until_ms: int | None
    locked: bool


@dataclass(slots=True)
class Item:
    """One object's note. `told`: the node has acknowledged `stored` as it is.

    From `size` on it is the archive's thread's alone, and not on disk.
    """

    key: str
    retain_until_ms: int | None
    note: UploadNote = field(default_factory=UploadNote)
    stored: Stored | None = None
    told: bool = False
    size: int = 0
    not_before_s: float = 0.0
    pause_s: float = PAUSE_FIRST_S

    @property
    def recording(self) -> str:
        return self.key.rpartition("/")[2].partition(".")[0]

    @property
    def lesson(self) -> str:
        return self.key.partition("/")[0]

    def as_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "retain_until_ms": self.retain_until_ms,
            "upload": self.note.as_json(),
            "stored": None if self.stored is None else asdict(self.stored),
            "told": self.told,
        }


class Outbox:
    """Owns the notes. From any thread. `is_worked_on`: whether more of that recording may come."""

    def __init__(self, folder: Path, is_worked_on: Callable[[str], bool]) -> None:
        self._folder = folder
        self._is_worked_on = is_worked_on
        self._items: dict[str, Item] = {}
        self._guard = threading.Lock()
        self._sent: dict[str, list[str]] = {}  # by recording: what the node was told and has not acknowledged
        self._released: set[str] = set()

    def load(self) -> None:
        """Read the notes of earlier starts. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in sorted(self._folder.glob("*/*.json")):
            item = self._read(path)
            if item is not None:
                self._items[item.key] = item

    def items(self) -> list[Item]:
        """All there are, the oldest note first."""
        with self._guard:
            return list(self._items.values())

    def put(self, key: str, retain_until_ms: int | None) -> None:
        """The object is about to be on the disk. Raises OSError."""
        with self._guard:
            item = self._items.get(key) or Item(key, retain_until_ms)
            self.save(item)
            self._items[key] = item

    def save(self, item: Item) -> None:
        """On disk. Raises OSError."""
        path = self._path(item.key)
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            sync_folder(self._folder)
        write_durably(path, json.dumps(item.as_json()).encode())

    def stored(self, item: Item, stored: Stored) -> None:
        """It is where it belongs, which the node is to know. Raises OSError."""
        with self._guard:
            item.stored, item.told = stored, False
            self.save(item)

    def remove(self, item: Item) -> None:
        """Nothing is left to do for it. Raises OSError."""
        with self._guard:
            self._path(item.key).unlink(missing_ok=True)
            del self._items[item.key]
        folder = self._path(item.key).parent
        sync_folder(folder)
        if not any(folder.iterdir()):
            folder.rmdir()
            self._released.discard(item.recording)

    # What the node is told

    def untold(self) -> list[Event]:
        """An `archived` event for each finished recording with objects the node has not acknowledged."""
        by_recording: dict[str, list[Item]] = {}
        with self._guard:
            for item in self._items.values():
                by_recording.setdefault(item.recording, []).append(item)
            events = []
            for recording, items in sorted(by_recording.items()):
                if self._is_worked_on(recording) and recording not in self._released:
                    continue  # its seal is not over, or the node has not heard of it
                if any(item.stored is None for item in items):
                    continue  # more will come
                news = [item for item in items if not item.told][:TOLD_AT_ONCE]
                if news:
                    self._sent[recording] = [item.key for item in news]
                    objects = [asdict(item.stored) for item in news if item.stored is not None]
                    events.append({"recording": recording, "lesson": news[0].lesson, "state": "archived",
                                   "objects": objects})  # fmt: skip
        return events

    def release(self, recording: str) -> None:
        """The node knows that the recording is sealed: it may be told where objects are, although versions
        are still made of it."""
        with self._guard:
            self._released.add(recording)

    def acknowledged(self, recording: str) -> None:
        """The node has stored what it was told of a recording. Raises OSError."""
        with self._guard:
            for key in self._sent.pop(recording, ()):
                item = self._items.get(key)
                if item is not None and not item.told:
                    item.told = True
                    self.save(item)

    def _path(self, key: str) -> Path:
        name = key.rpartition("/")[2]
        return self._folder / name.partition(".")[0] / f"{name}.json"

    def _read(self, path: Path) -> Item | None:
        """A note; None for one that cannot be read, which is said: its object then stays on the disk."""
        try:
            known = json.loads(path.read_bytes())
            item = Item(known["key"], known["retain_until_ms"], told=known["told"])
            item.note.load(known["upload"])
            item.stored = None if known["stored"] is None else Stored(**known["stored"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.error("archive.note_unreadable", note=path.name, error=type(error).__name__)
            return None
        return item
