"""Reels whose disk failed under them: the recording went on elsewhere, they are closed once that can be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog

from recorder import reels

_log = structlog.get_logger("recorder.server")


class LeftOpen:
    """Changed on the recorder's loop but for `close`. `trouble(reel, is_on)`: an alarm while one is open."""

    def __init__(self, trouble: Callable[[str, bool], None]) -> None:
        self._trouble = trouble
        self._reels: dict[Path, Path] = {}  # and what went on from each

    def __bool__(self) -> bool:
        return bool(self._reels)

    def __contains__(self, folder: Path) -> bool:
        return folder in self._reels

    def add(self, before: Path, folder: Path) -> None:
        """The recording went on from `before` in `folder`."""
        self._reels[before] = folder

    def close(self) -> list[Path]:
        """Close those whose disk takes something again; which they are, again and again until `taken_up`.
        Blocks; in one thread at a time."""
        closed = []
        for before, folder in list(self._reels.items()):
            try:
                is_closed = before.is_dir() and reels.close_before(folder, before)
            except OSError as error:
                self.failed(before, error)
                continue
            if is_closed:
                closed.append(before)
            else:
                self.taken_up(before)
        return closed

    def taken_up(self, before: Path) -> None:
        """Whatever is left to do for it, somebody else does."""
        self._reels.pop(before, None)
        self._trouble(str(before), False)

    def failed(self, before: Path, error: OSError) -> None:
        """Its disk took or gave nothing this time."""
        _log.warning("recording.left_open", recording=before.name, error=str(error))
