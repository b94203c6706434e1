"""Kill files: what makes a cut outlast every restart. One JSON file per lesson, written whole, fsynced.

Beside the cuts that stand a file holds what the ledger has not been told yet, so that no cut is missing there
because the database was away, or the power, when it was made.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from liveserver.core.events.cut import Asked, Cut, Level
from liveserver.core.kill import Kill, cut_to_json
from liveserver.core.measured import Measured
from liveserver.rtp import flags

_LESSON_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_ACTS = 500
"""Acts of one lesson that may wait for the database; beyond them the oldest are dropped."""
DARK_KINDS: Mapping[Level, int] = {
    Level.CHAT: 0,
    Level.PICTURE: flags.VIDEO,
    Level.PAUSE: flags.ALL,
    Level.LESSON: flags.ALL,
    Level.PERSON: 0,
}


def dark_kinds(kill: Kill) -> int:
    """The kinds of media held back (`rtp.flags`)."""
    kinds = 0
    for cut in kill.standing.values():
        kinds |= DARK_KINDS[cut.level]
    return kinds


@dataclass(frozen=True, slots=True)
class Act:
    """Something done to a lesson, as the ledger is to have it. `id` is the same however often it is told.

    `kind`: cut, cut_measured, restore_asked or restore; `data` is JSON in whole numbers.
    """

    kind: str
    id: str
    data: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "id": self.id, "data": dict(self.data)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Act:
        """Raises KeyError, ValueError or TypeError for anything `as_json` did not write."""
        return cls(str(data["kind"]), str(data["id"]), dict(data["data"]))


def cut_act(cut: Cut) -> Act:
    return Act("cut", cut.id, cut_to_json(cut))


def measured_act(cut: Cut, node: str, measured: Measured) -> Act:
    """How long the cut took on that node."""
    return Act("cut_measured", f"{cut.id}@{node}", {**cut_to_json(cut), "node": node, **measured.as_json()})


def asked_act(lesson: str, asked: Asked, node: str) -> Act:
    return Act("restore_asked", f"{lesson}.{node}:asked:{asked.at_ms}", asdict(asked))


def restore_act(kill: Kill, node: str, restored: Mapping[str, Any], lifted: Iterable[Level]) -> Act:
    """`kill` is what came of it."""
    return Act("restore", kill.act_of(node), {**restored, "lifted": sorted(set(lifted))})


@dataclass(frozen=True, slots=True)
class Record:
    """One lesson's file: its kill, the acts the ledger has not yet, the times of cuts by their ids."""

    kill: Kill
    acts: tuple[Act, ...] = ()
    measured: Mapping[str, Measured] = field(default_factory=dict)

    def with_kill(self, kill: Kill) -> Record:
        """The times of cuts that do not stand any more go."""
        measured = {cut: times for cut, times in self.measured.items() if cut in kill.standing}
        return replace(self, kill=kill, measured=measured)

    def with_act(self, act: Act) -> Record:
        return replace(self, acts=(*self.acts, act)[-MAX_ACTS:])

    def with_measured(self, cut: str, measured: Measured) -> Record:
        """Unless the cut does not stand any more."""
        if cut not in self.kill.standing:
            return self
        return replace(self, measured={**self.measured, cut: measured})

    def without_act(self, act: str) -> Record:
        """The ledger has it."""
        return replace(self, acts=tuple(one for one in self.acts if one.id != act))


class KillFiles:
    """A folder of kill files. Blocking and small: the guard thread calls it directly."""

    def __init__(self, folder: Path):
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def load(self) -> dict[str, Record]:
        """Every lesson's record. A file that cannot be read cuts its lesson: better dark than shown."""
        return {path.stem: self._read(path) for path in self._folder.glob("*.json")}

    def write(self, record: Record, *, durable: bool = True) -> None:
        """On disk, name and all, when this returns; later if not `durable`. Raises OSError."""
        kill = record.kill
        if not _LESSON_ID.fullmatch(kill.lesson):
            raise ValueError("not a lesson id")
        path = self._folder / f"{kill.lesson}.json"
        part = path.with_suffix(".part")
        text = json.dumps(
            {
                "kill": kill.as_json(),
                "acts": [act.as_json() for act in record.acts],
                "measured": {cut: measured.as_json() for cut, measured in record.measured.items()},
            },
            ensure_ascii=False,
        )
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        part.replace(path)
        if not durable:
            return
        directory = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    @staticmethod
    def _read(path: Path) -> Record:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            kill = Kill.from_json(data["kill"])
            if kill.lesson != path.stem:
                raise ValueError("another lesson's file")
            return Record(
                kill,
                tuple(map(Act.from_json, data["acts"])),
                {str(cut): Measured.from_json(times) for cut, times in data["measured"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            reason = "the record of an earlier cut cannot be read"
            return Record(Kill(path.stem).with_cut(Cut(Level.LESSON, reason, 0, "server"), "unreadable"))
