"""Kill files: what makes a cut outlast every restart. One JSON file per lesson, written whole, fsynced."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from liveserver.core.events import Cut, Level
from liveserver.rtp import flags

_LESSON_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
DARK_KINDS: Mapping[Level, int] = {
    Level.CHAT: 0,
    Level.PICTURE: flags.VIDEO,
    Level.PAUSE: flags.ALL,
    Level.LESSON: flags.ALL,
    Level.PERSON: 0,
}


@dataclass(frozen=True, slots=True)
class Kill:
    """All active cuts of one lesson. `epoch` counts cuts and restores and never goes back."""

    lesson: str
    epoch: int = 0
    cuts: Mapping[Level, Cut] = field(default_factory=dict)
    removed: Mapping[str, Cut] = field(default_factory=dict)

    @property
    def dark(self) -> int:
        """The kinds of media held back (`rtp.flags`)."""
        kinds = 0
        for level in self.cuts:
            kinds |= DARK_KINDS[level]
        return kinds

    def find(self, level: Level, person: str | None) -> Cut | None:
        """The active cut of that level, or of that person."""
        return self.cuts.get(level) if person is None else self.removed.get(person)

    def with_cut(self, cut: Cut) -> Kill:
        """This and one more cut, one epoch later."""
        cut = replace(cut, epoch=self.epoch + 1)
        if cut.level is Level.PERSON:
            assert cut.person is not None
            return replace(self, epoch=cut.epoch, removed={**self.removed, cut.person: cut})
        return replace(self, epoch=cut.epoch, cuts={**self.cuts, cut.level: cut})

    def lifted(self) -> Kill:
        """No cut any more, one epoch later."""
        return Kill(self.lesson, self.epoch + 1)


def cut_to_json(cut: Cut) -> dict[str, Any]:
    return {"level": cut.level, "reason": cut.reason, "at_ms": cut.at_ms, "by": cut.by, "epoch": cut.epoch,
            "person": cut.person}  # fmt: skip


def cut_from_json(data: Mapping[str, Any]) -> Cut:
    """Raises KeyError, ValueError or TypeError for anything `cut_to_json` did not write."""
    return Cut(Level(data["level"]), str(data["reason"]), int(data["at_ms"]), str(data["by"]),
               int(data["epoch"]), data.get("person"))  # fmt: skip


class KillFiles:
    """A folder of kill files. Blocking and small: the guard thread calls it directly."""

    def __init__(self, folder: Path):
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def load(self) -> dict[str, Kill]:
        """Every lesson's kill. A file that cannot be read cuts its lesson: better dark than shown."""
        return {path.stem: self._read(path) for path in self._folder.glob("*.json")}

    def write(self, kill: Kill) -> None:
        """On disk, name and all, when this returns. Raises OSError."""
        if not _LESSON_ID.fullmatch(kill.lesson):
            raise ValueError("not a lesson id")
        path = self._folder / f"{kill.lesson}.json"
        part = path.with_suffix(".part")
        text = json.dumps(
            {
                "lesson": kill.lesson,
                "epoch": kill.epoch,
                "cuts": [cut_to_json(cut) for cut in kill.cuts.values()],
                "removed": [cut_to_json(cut) for cut in kill.removed.values()],
            },
            ensure_ascii=False,
        )
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        directory = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    @staticmethod
    def _read(path: Path) -> Kill:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            cuts = [cut_from_json(item) for item in data["cuts"]]
            removed = [cut_from_json(item) for item in data["removed"]]
            return Kill(
                path.stem,
                int(data["epoch"]),
                {cut.level: cut for cut in cuts},
                {str(cut.person): cut for cut in removed},
            )
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            unreadable = Cut(Level.LESSON, "the record of an earlier cut cannot be read", 0, "server")
            return Kill(path.stem, 1, {Level.LESSON: unreadable})
