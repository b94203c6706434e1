"""A recording without its process and thread: what is fed is packed at once, and time is the frames' own."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from recorder.derive import Slots
from recorder.feed import Codec, Frame, Message, Report, Track
from recorder.journal import Journal
from recorder.manifest import FORMAT
from recorder.objects import DiskStore
from recorder.packager import Packager
from recorder.reels import go_on
from recorder.seal import seal
from recorder.spool import RecordingSpool

from .media import START_MS, Fed, report_of

OPENED = {
    "format": FORMAT, "recording": "r1", "lesson": "L1", "title": "", "started_at_ms": START_MS, "feed": "f",
    "retain_until_ms": None, "series": "r1", "reel": 1, "begins_ms": 0, "begins_bytes": 0, "through": {},
}  # fmt: skip


class Deck:
    """Reels of `reel_ms`, in `folder`; `end` seals them."""

    def __init__(self, folder: Path, reel_ms: int) -> None:
        self.folder = folder
        self.reel_ms = reel_ms
        self.spools = [RecordingSpool(folder / "spool" / "r1")]
        self.spools[0].note("opened", **OPENED)
        self.journal = Journal(self.spool.folder)
        self.packager = Packager(self.spool)
        self._numbers: dict[str, int] = {}
        (folder / "objects").mkdir(parents=True, exist_ok=True)
        self.store = DiskStore(folder / "objects")

    @property
    def spool(self) -> RecordingSpool:
        return self.spools[-1]

    def report(self, fed: Fed, offset_ms: int = 0) -> None:
        """The sender report that belongs to a frame."""
        report = Report("r1", **{**report_of(fed, offset_ms), "track": Track(fed.track)})  # type: ignore[arg-type]
        self.journal.add([report], fed.arrival_ms - START_MS)
        self.packager.report(report)

    def play(self, frames: Iterable[Fed]) -> Deck:
        for fed in frames:
            self._numbers[fed.track] = number = self._numbers.get(fed.track, 0) + 1
            fields = {**fed.arguments(), "track": Track(fed.track), "codec": Codec(fed.codec)}
            now_ms = fed.arrival_ms - START_MS
            frame = Frame("r1", number, **fields)  # type: ignore[arg-type]
            self.journal.add([frame], now_ms)
            self.packager.push(frame, now_ms)
            self.packager.tick(now_ms)
            self.change_reel(now_ms)
        return self

    def change_reel(self, now_ms: int) -> None:
        if self.packager.is_parted(now_ms):
            at_ms, through = self.packager.leave(now_ms)
            left = self.left(through)
            following = go_on(self.spool, at_ms, through, left, now_ms)
            self.journal = following.journal
            self.spools.append(following.spool)
            self.packager.go_on(following.spool)
        elif self.packager.duration_ms >= self.reel_ms:
            self.packager.seek_part(now_ms)

    def left(self, through: dict[str, int]) -> list[Message]:
        return [m for m in self.journal.read() if not isinstance(m, Frame) or m.n > through.get(m.track, 0)]

    def end(self) -> list[Path]:
        """Finish and seal all reels: their files."""
        self.packager.finish()
        self.spool.note("closed", reason="ended")
        slots = Slots(threading.Semaphore(1), threading.Semaphore(1))
        self.events = [
            seal(spool, self.store, lambda: 0, lambda _: None, slots, threading.Event())
            for spool in self.spools
        ]
        return [self.folder / "objects" / event["path"] for event in self.events]

    def begins_ms(self) -> list[int]:
        return [spool.contents.opened["begins_ms"] for spool in self.spools]
