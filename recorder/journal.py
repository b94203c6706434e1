"""The newest frames of a recording as they came, on the disk before they are in a fragment.

    spool/<recording>/journal.<generation>      messages of recorder.feed, one after the other

A fragment is stored 2 to 4 s after its first frame came. What that would cost when node and recorder die
together is here: whoever opens the folder again packs these frames once more and drops, by their numbers,
those that a fragment already holds. Only frames of the feed that the manifest names last are in it.

A file is written for `TURN_MS`, and removed when two more have been begun: no frame waits that long for its
fragment. A disk that is full costs the journal, never the recording.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import structlog

from recorder.feed import Decoder, FeedError, Frame, Message, Report, Track, encode
from recorder.spool import sync_folder

TURN_MS = 8_000  # twice `video_track.LONGEST_FRAGMENT_MS`; sound waits twice that at most, in two steps
KEPT = 3  # generations, so that what was read after a crash outlasts another one
SYNC_MS = 1_000  # what a loss of power may cost; a process that is killed loses nothing that was written
MAX_BYTES = 32 * 1024 * 1024  # each; frames beyond wait for their fragment alone
_NAME = "journal."
_READ_BYTES = 65_536

_log = structlog.get_logger("recorder.journal")


class Journal:
    """One recording's. Owned by the recording's thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._size: int | None = None  # of the file that is written; None before the first
        self._generation = max(_generations(folder), default=0)
        self._turned_ms = 0
        self._synced_ms = 0
        self._is_dirty = False
        self.is_failing = False  # the last frames could not be written
        self._reports: dict[Track, Report] = {}

    def read(self) -> list[Message]:
        """What earlier owners left, in the order in which it came."""
        found: list[Message] = []
        for generation in sorted(_generations(self._folder)):
            with self._path(generation).open("rb") as file:
                found += _messages(file)
        return found

    def add(self, messages: Iterable[Message], now_ms: int) -> None:
        """Write the frames and reports among `messages`; `now_ms` is monotonic."""
        kept = [message for message in messages if isinstance(message, Frame | Report)]
        self._reports.update({report.track: report for report in kept if isinstance(report, Report)})
        if not kept:
            return
        try:
            if self._size is None or now_ms - self._turned_ms >= TURN_MS:
                self._turn(now_ms)
            data = b"".join(map(encode, kept))
            if (self._size or 0) + len(data) <= MAX_BYTES:
                self._write(data)
            self.is_failing = False
        except OSError as error:
            self._fail(error)

    def sync(self, now_ms: int) -> None:
        """Make what was written outlast a loss of power, once a second."""
        if not self._is_dirty or now_ms - self._synced_ms < SYNC_MS:
            return
        self._synced_ms, self._is_dirty = now_ms, False
        try:
            with self._path(self._generation).open("ab") as file:
                os.fdatasync(file.fileno())
        except OSError as error:
            self._fail(error)

    def clear(self) -> None:
        """All of it is stored. Raises OSError."""
        self._size, self._is_dirty = None, False
        for generation in _generations(self._folder):
            self._path(generation).unlink(missing_ok=True)

    def _turn(self, now_ms: int) -> None:
        """Go on in a new file, which begins with the newest reports: they place what follows."""
        self._size = None
        self._generation += 1
        self._path(self._generation).write_bytes(b"")
        self._size, self._turned_ms = 0, now_ms
        self._write(b"".join(map(encode, self._reports.values())))
        for generation in _generations(self._folder):
            if generation <= self._generation - KEPT:
                self._path(generation).unlink(missing_ok=True)
        sync_folder(self._folder)

    def _write(self, data: bytes) -> None:
        with self._path(self._generation).open("ab", buffering=0) as file:
            if file.write(data) != len(data):  # what came after a torn message could not be read
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size = (self._size or 0) + len(data)
        self._is_dirty = True

    def _path(self, generation: int) -> Path:
        return self._folder / f"{_NAME}{generation}"

    def _fail(self, error: OSError) -> None:
        if not self.is_failing:
            _log.error("journal.write_failed", folder=self._folder.name, error=str(error))
        self.is_failing = True
        self._size = None  # after a torn message another file is begun


def _generations(folder: Path) -> list[int]:
    names = (path.name.removeprefix(_NAME) for path in folder.glob(f"{_NAME}*"))
    return [int(name) for name in names if name.isdecimal()]


def _messages(file: BinaryIO) -> list[Message]:
    """Whole messages up to where the file breaks off, or was never written."""
    decoder = Decoder()
    found: list[Message] = []
    while data := file.read(_READ_BYTES):
        try:
            found += decoder.feed(data)
        except FeedError:
            break
    return found
