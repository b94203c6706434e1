"""The guard's book: of each lesson what stands, what the ledger has not yet, and how long cuts took.

One page is a lesson's `kills.Record`. The guard's loop alone writes; any thread may read. Three ways lead to
the disk: a cut stands in memory first and is saved after, for darkness waits for no disk; a restore is on
disk first, for light again is only what a restart would also leave light; times and what the ledger has are
put down as far as the disk allows.
"""

from __future__ import annotations

import threading

from liveserver.core.kill import Kill
from liveserver.core.measured import Measured
from liveserver.cut.kills import Act, KillFiles, Record
from liveserver.log import Event, get_logger

_log = get_logger()


class Book:
    """Owns the records and the files they are kept in."""

    def __init__(self, files: KillFiles):
        self._files = files
        self._lock = threading.Lock()  # guards the map; held for microseconds, never while a file is written
        self._records = files.load()
        self._unsaved: set[str] = set()  # lessons whose record is not on disk; the guard's loop only

    # --- from any thread ---

    def record(self, lesson: str) -> Record:
        """The lesson's page; an empty one where nothing was ever cut."""
        with self._lock:
            return self._records.get(lesson) or Record(Kill(lesson))

    def kill(self, lesson: str) -> Kill:
        """The lesson's active cuts."""
        return self.record(lesson).kill

    def kills(self) -> dict[str, Kill]:
        """All that is known, by lesson."""
        with self._lock:
            return {lesson: record.kill for lesson, record in self._records.items()}

    def measured(self, lesson: str, cut: str) -> Measured | None:
        """How long a cut that stands took, once that is known."""
        return self.record(lesson).measured.get(cut)

    def unrecorded(self) -> list[tuple[str, Act]]:
        """What the ledger has not yet, by lesson, in order."""
        with self._lock:
            return [(lesson, act) for lesson, record in self._records.items() for act in record.acts]

    # --- on the guard's loop ---

    def stand(self, record: Record) -> None:
        """From now on; on disk with `save`."""
        self._unsaved.add(record.kill.lesson)
        self._put(record)

    def unsaved(self) -> list[str]:
        """Lessons whose record the disk has not taken yet."""
        return list(self._unsaved)

    def save(self, lesson: str) -> None:
        """On disk, if what stands is not yet. Raises OSError; then the next `save` tries again."""
        if lesson in self._unsaved:
            self._files.write(self.record(lesson))
            self._unsaved.discard(lesson)

    def write(self, record: Record) -> None:
        """On disk, then in memory. Raises OSError, and then nothing has changed."""
        self._files.write(record)
        self._unsaved.discard(record.kill.lesson)
        self._put(record)

    def note(self, record: Record, *, durable: bool) -> None:
        """In memory, and on disk as far as that allows: nobody waits for it."""
        self._put(record)
        try:
            self._files.write(record, durable=durable)
        except OSError:
            _log.exception(Event.GUARD_FAILED, lesson=record.kill.lesson)

    def _put(self, record: Record) -> None:
        with self._lock:
            self._records[record.kill.lesson] = record
