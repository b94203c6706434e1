"""One recording's thread while its lesson runs: takes messages from the feed, packs, stores, reel after reel.

The feed's side (`offer`) only appends to a list with a bound in bytes, so a slow disk never makes the feed
wait: frames beyond the bound are refused and become a gap. The thread wakes a few times a second, not per
frame: that alone halves the recorder's cost. What has ended is finished by another thread (`finishing`).
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import structlog

from recorder import reels
from recorder.events import event_of, failure
from recorder.feed import Frame, Message, Open, Report, State
from recorder.finishing import Surroundings
from recorder.inbox import Inbox
from recorder.journal import Journal
from recorder.manifest import FORMAT
from recorder.packager import Packager
from recorder.spool import RecordingSpool

PROGRESS_MS = 1_000
REEL_AGAIN_MS = 10_000  # after a reel that could not be begun
FAILING_MS = 500  # a disk that takes nothing for so long is left for another one
_WAKE_S = 0.25

_log = structlog.get_logger("recorder.recording")


def monotonic_ms() -> int:
    """CLOCK_MONOTONIC in milliseconds."""
    return time.monotonic_ns() // 1_000_000


class Recording:
    """A recording from its opening to its end. `folder` is its newest reel's, which may not be there yet."""

    def __init__(self, folder: Path, opening: Open | None, around: Surroundings) -> None:
        self._folder = folder
        self._opening = opening
        self._around = around
        self._inbox = Inbox()
        self._told_ms = 0
        self._reel_after_ms = 0
        self._failing_ms: int | None = None  # since when
        self._is_failing = False
        self._flee_to: Path | None = None  # where the next reel goes, off a disk that fails
        self._spool: RecordingSpool
        self._journal: Journal
        self._packager: Packager
        self._thread = threading.Thread(target=self._run, name=f"recording-{folder.name}", daemon=True)

    def start(self) -> None:
        """Begin the thread."""
        self._thread.start()

    def offer(self, message: Frame | Report | Open) -> bool:
        """Hand over a message; False when there is no room (never waits)."""
        return self._inbox.put(message)

    def close(self, reason: str) -> None:
        """The lesson ended (`ended`) or nobody came back for it (`abandoned`)."""
        self._inbox.end(reason)

    def stop(self) -> None:
        """The process ends: store what is there and leave the recording open."""
        self._inbox.end("stop")

    @property
    def over(self) -> bool:
        """Nothing is left to do."""
        return not self._thread.is_alive()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; True when it ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            if self._begin():
                try:
                    self._record()
                finally:
                    self._told(is_failing=False)
        except Exception as error:
            # The thread's edge: one recording's trouble is told and must not take others with it. The
            # folder stays, the next start of the recorder tries again.
            _log.exception("recording.failed", recording=self._folder.name)
            o = self._opening
            series, lesson = (o.recording, o.lesson) if o is not None else (self._folder.name, "")
            detail = f"internal: {type(error).__name__}"
            self._around.emit(failure(self._folder.name, lesson, detail, series))

    def _begin(self) -> bool:
        """Open the folder, or one on another disk; while no disk takes it what is sent is lost. Whether there
        is anything to record. Raises OSError when the lesson ended before."""
        while True:
            for folder in (self._folder, *(root / self._folder.name for root in self._elsewhere())):
                try:
                    self._spool = RecordingSpool(folder)
                    return self._open()
                except OSError as error:
                    _log.error("recording.cannot_begin", recording=folder.name, error=str(error))
                    failure = error
            self._told(is_failing=True)
            if self._inbox.take(1.0)[1] is not None:
                raise failure

    def _elsewhere(self) -> list[Path]:
        """Other disks, for a reel that is not begun yet: one that goes on is where it is."""
        return [] if self._folder.is_dir() else self._around.roots.others(self._folder)

    def _record(self) -> None:
        """Until the end."""
        self._packager, self._journal = Packager(self._spool), Journal(self._spool.folder)
        self._resume()
        while True:
            messages, ended = self._inbox.take(_WAKE_S)
            now_ms = monotonic_ms()
            self._journal.add(messages, now_ms)
            for message in messages:
                self._handle(message, now_ms)
            self._packager.tick(now_ms)
            self._journal.sync(now_ms)
            if ended is not None:
                self._end(ended)
                return
            self._watch_disk(now_ms)
            self._change_reel(now_ms)
            if now_ms - self._told_ms >= PROGRESS_MS:
                self._told_ms = now_ms
                self._tell()

    def _open(self) -> bool:
        """Note the opening of a new recording; False when the folder tells nothing at all."""
        if self._spool.contents.opened:
            return True
        if self._opening is None:
            return False
        o = self._opening
        self._spool.note(
            "opened",
            format=FORMAT,
            recording=o.recording,
            lesson=o.lesson,
            title=o.title,
            started_at_ms=o.started_at_ms,
            feed=o.feed,
            retain_until_ms=o.retain_until_ms,
            series=o.recording,
            reel=1,
            begins_ms=0,
            begins_bytes=0,
            through={},
        )
        return True

    def _resume(self) -> None:
        """Go on with a recording that broke off: take in what was not in a fragment yet."""
        left, now_ms = self._journal.read(), monotonic_ms()
        contents = self._spool.contents
        if not left and not contents.fragments:
            return
        for message in left:
            self._handle(message, now_ms)
        feed = self._opening.feed if self._opening is not None else contents.feed
        if feed != contents.feed:
            self._change_feed(feed)
        else:
            self._spool.note("resumed", feed=feed)

    def _handle(self, message: Message, now_ms: int) -> None:
        try:
            match message:
                case Frame():
                    self._packager.push(message, now_ms)
                case Report():
                    self._packager.report(message)
                case Open():
                    if message.feed != self._spool.contents.feed:
                        self._change_feed(message.feed)
        except OSError as error:
            _log.error("recording.write_failed", recording=self._spool.folder.name, error=str(error))

    def _change_feed(self, feed: str) -> None:
        """Another run of the node sends from now on; its frames are numbered anew. Raises OSError."""
        self._packager.store()
        self._journal.clear()
        self._spool.note("resumed", feed=feed)
        self._packager.feed_changed()

    def _watch_disk(self, now_ms: int) -> None:
        """Say when the disk takes nothing, and look for another one."""
        is_failing = self._spool.is_failing or self._journal.is_failing
        self._told(is_failing)
        if not is_failing:
            self._failing_ms = None
            return
        self._failing_ms = self._failing_ms or now_ms
        others = self._around.roots.others(self._spool.folder)
        if not others or now_ms - self._failing_ms < FAILING_MS or now_ms < self._reel_after_ms:
            return
        if self._spool.contents.origin_ms is not None:
            self._packager.part_now(now_ms)
            self._flee_to = others[0]

    def _told(self, is_failing: bool) -> None:
        if is_failing != self._is_failing:
            self._is_failing = is_failing
            self._around.trouble(self._folder.name, is_failing)

    def _change_reel(self, now_ms: int) -> None:
        """When the reel is full: end it at the next good place, and go on in another."""
        bounds, packager = self._around.bounds, self._packager
        if packager.is_parted(now_ms):
            try:
                self._next_reel(now_ms)
            except OSError as error:
                _log.error("recording.reel_failed", recording=self._spool.folder.name, error=str(error))
                packager.stay()
                self._reel_after_ms = now_ms + REEL_AGAIN_MS
            self._flee_to = None
        elif now_ms >= self._reel_after_ms and (
            packager.duration_ms >= bounds.length_ms or self._spool.media_bytes >= bounds.media_bytes
        ):
            packager.seek_part(now_ms)

    def _next_reel(self, now_ms: int) -> None:
        at_ms, through = self._packager.leave(now_ms)
        left = [m for m in self._journal.read() if not isinstance(m, Frame) or m.n > through.get(m.track, 0)]
        before = self._spool
        following = reels.go_on(before, at_ms, through, left, now_ms, self._flee_to)
        self._spool, self._journal = following.spool, following.journal
        self._packager.go_on(self._spool)
        folder = self._spool.folder
        if following.is_closed:
            self._around.closed(before.folder, before.contents.series, False)
        else:
            self._around.left_open(before.folder, folder)
        _log.info("recording.next_reel", recording=folder.name, began_at_ms=at_ms, folder=str(folder))

    def _end(self, reason: str) -> None:
        self._packager.finish()
        if reason != "stop":
            self._spool.note("closed", reason=reason)
            self._journal.clear()
            self._around.closed(self._spool.folder, self._spool.contents.series, True)

    def _tell(self) -> None:
        dropped, length_ms = self._inbox.dropped, self._packager.duration_ms
        self._around.emit(event_of(self._spool, State.RECORDING, duration_ms=length_ms, dropped=dropped))
