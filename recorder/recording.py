"""One recording's thread: takes messages from the feed, packs, stores, seals.

The feed's side (`offer`) only appends to a list with a bound in bytes, so a slow disk never makes the feed
wait: frames beyond the bound are refused and become a gap. The thread wakes a few times a second, not per
frame: that alone halves the recorder's cost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from recorder.child import StoppedError
from recorder.derive import Slots
from recorder.feed import Frame, Message, Open, Report, State
from recorder.inbox import Inbox
from recorder.journal import Journal
from recorder.manifest import FORMAT
from recorder.objects import ObjectError, ObjectStore
from recorder.packager import Packager
from recorder.seal import final, seal
from recorder.spool import RecordingSpool, final_event
from recorder.versions import PARTS, Policy, make_versions

SEAL_TRIES = 6
SEAL_PAUSE_S = 1.0  # doubled after each try: half a minute in all
VERSION_TRIES = 50
VERSION_PAUSE_S = 300.0  # the longest: four hours in all, then the next start goes on
PROGRESS_MS = 1_000
_WAKE_S = 0.25

_log = structlog.get_logger("recorder.recording")


def monotonic_ms() -> int:
    """CLOCK_MONOTONIC in milliseconds."""
    return time.monotonic_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What recordings share. `emit` is called from any thread."""

    store: ObjectStore
    emit: Callable[[dict[str, Any]], None]
    slots: Slots
    wall_ms: Callable[[], int]
    policy: Policy = field(default_factory=Policy)


class Recording:
    """A recording from its opening to its final event."""

    def __init__(self, folder: Path, opening: Open | None, around: Surroundings) -> None:
        self._folder = folder
        self._opening = opening
        self._around = around
        self._inbox = Inbox()
        self._stop = threading.Event()
        self._told_ms = 0
        self.state = State.RECORDING
        self.is_sealed = False  # what is left is only for later
        self._leaving = False
        self._thread = threading.Thread(target=self._run, name=f"recording-{folder.name}", daemon=True)

    def start(self) -> None:
        """Begin the thread."""
        self._thread.start()

    def offer(self, message: Frame | Report | Open) -> bool:
        """Hand over a message; False when there is no room (never waits)."""
        return self._inbox.put(message)

    def close(self, reason: str) -> None:
        """The lesson ended (`ended`) or nobody came back for it (`abandoned`): seal."""
        self._inbox.end(reason)

    def stop(self) -> None:
        """The process ends: store what is there; what is closed is sealed, an open recording is left."""
        self._leaving = True
        self._inbox.end("stop")
        if self.is_sealed:
            self._stop.set()

    def abort(self) -> None:
        """No time is left for sealing either."""
        self._stop.set()

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
            spool = RecordingSpool(self._folder)
            try:
                if self._record(spool) and self._seal(spool):
                    self._make_versions(spool)
            finally:
                spool.close()
        except StoppedError:
            _log.info("recording.left_for_next_start", recording=self._folder.name)
        except Exception as error:
            # The thread's edge: one recording's trouble is told and must not take others with it. The
            # folder stays, the next start of the recorder tries again.
            _log.exception("recording.failed", recording=self._folder.name)
            self.state = State.FAILED
            self._tell_failure(f"internal: {type(error).__name__}")

    def _record(self, spool: RecordingSpool) -> bool:
        """Until the end; whether to seal."""
        if spool.contents.closed is not None:
            return True
        if not self._open(spool):
            return False
        packager, journal = Packager(spool), Journal(spool.folder)
        self._resume(spool, packager, journal)
        while True:
            messages, ended = self._inbox.take(_WAKE_S)
            now_ms = monotonic_ms()
            journal.add(messages, now_ms)
            for message in messages:
                self._handle(spool, packager, journal, message, now_ms)
            packager.tick(now_ms)
            journal.sync(now_ms)
            if ended is not None:
                packager.finish()
                if ended == "stop":
                    return False
                spool.note("closed", reason=ended)
                journal.clear()
                return True
            if now_ms - self._told_ms >= PROGRESS_MS:
                self._told_ms = now_ms
                self._tell(spool, bytes=spool.media_bytes, duration_ms=packager.duration_ms)

    def _open(self, spool: RecordingSpool) -> bool:
        """Note the opening of a new recording; False when the folder tells nothing at all."""
        if spool.contents.opened:
            return True
        if self._opening is None:
            return False
        o = self._opening
        spool.note(
            "opened",
            format=FORMAT,
            recording=o.recording,
            lesson=o.lesson,
            title=o.title,
            started_at_ms=o.started_at_ms,
            feed=o.feed,
            retain_until_ms=o.retain_until_ms,
        )
        return True

    @staticmethod
    def _handle(
        spool: RecordingSpool, packager: Packager, journal: Journal, message: Message, now_ms: int
    ) -> None:
        try:
            match message:
                case Frame():
                    packager.push(message, now_ms)
                case Report():
                    packager.report(message)
                case Open():
                    if message.feed != spool.contents.feed:
                        _change_feed(spool, packager, journal, message.feed)
        except OSError as error:
            _log.error("recording.write_failed", recording=spool.folder.name, error=str(error))

    def _resume(self, spool: RecordingSpool, packager: Packager, journal: Journal) -> None:
        """Go on with a recording that broke off: take in what was not in a fragment yet."""
        left, now_ms = journal.read(), monotonic_ms()
        if not left and not spool.contents.fragments:
            return
        for message in left:
            self._handle(spool, packager, journal, message, now_ms)
        feed = self._opening.feed if self._opening is not None else spool.contents.feed
        if feed != spool.contents.feed:
            _change_feed(spool, packager, journal, feed)
        else:
            spool.note("resumed", feed=feed)

    def _seal(self, spool: RecordingSpool) -> bool:
        """Make the sealed file and tell; whether there is something to make of it."""
        told = final_event(self._folder)
        if told is not None:  # at an earlier start
            self.state = State(told["state"])
            return True
        self.state = State.SEALING
        self._tell(spool, bytes=spool.media_bytes, progress=0)
        pause_s = SEAL_PAUSE_S
        for attempt in range(1, SEAL_TRIES + 1):
            try:
                event = seal(
                    spool,
                    self._around.store,
                    self._around.wall_ms,
                    lambda percent: self._tell(spool, bytes=spool.media_bytes, progress=percent),
                    self._around.slots,
                    self._stop,
                )
                if event["state"] == State.SEALED and self._around.policy.versions:
                    spool.hold(event, fragments=PARTS in self._around.policy.versions)
                else:
                    spool.finish(event)
                break
            except (OSError, ObjectError) as error:
                _log.error(
                    "recording.seal_failed", recording=self._folder.name, attempt=attempt, error=str(error)
                )
                if attempt == SEAL_TRIES:
                    event = final(spool, State.FAILED, f"storage: {error}"[:200])
                    break
                if self._stop.wait(pause_s):
                    raise StoppedError from None
                pause_s *= 2
        self.state = State(event["state"])
        _log.info("recording.finished", recording=self._folder.name, state=event["state"], size=event["size"])
        self._around.emit(event)
        return self.state is State.SEALED and bool(self._around.policy.versions)

    def _make_versions(self, spool: RecordingSpool) -> None:
        """What is made of the sealed file; its failure costs nobody the recording."""
        self.is_sealed = True
        if self._leaving:
            raise StoppedError
        if spool.contents.sealed is None or not self._around.policy.versions:
            spool.drop()
            return
        pause_s = SEAL_PAUSE_S
        for attempt in range(1, VERSION_TRIES + 1):
            try:
                make_versions(spool, self._around.store, self._around.policy, self._around.slots, self._stop)
                spool.drop()
                return
            except (OSError, ObjectError) as error:
                name = self._folder.name
                _log.error("recording.versions_failed", recording=name, attempt=attempt, error=str(error))
                if self._stop.wait(pause_s):
                    raise StoppedError from None
                pause_s = min(pause_s * 2, VERSION_PAUSE_S)

    def _tell(self, spool: RecordingSpool, **fields: Any) -> None:
        opened = spool.contents.opened
        self._around.emit(
            {
                "recording": opened["recording"],
                "lesson": opened["lesson"],
                "state": self.state.value,
                "started_at_ms": spool.contents.origin_ms or opened["started_at_ms"],
                "gaps_total": len(spool.contents.gaps),
                "dropped": self._inbox.dropped,
                **fields,
            }
        )

    def _tell_failure(self, detail: str) -> None:
        lesson = self._opening.lesson if self._opening is not None else ""
        self._around.emit(
            {
                "recording": self._folder.name,
                "lesson": lesson,
                "state": State.FAILED.value,
                "detail": detail,
                "gaps": [],
                **dict.fromkeys(("sha256", "size", "path", "manifest", "sealed_at_ms")),
            }
        )


def _change_feed(spool: RecordingSpool, packager: Packager, journal: Journal, feed: str) -> None:
    """Another run of the node sends from now on; its frames are numbered anew. Raises OSError."""
    packager.store()
    journal.clear()
    spool.note("resumed", feed=feed)
    packager.feed_changed()
