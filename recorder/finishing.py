"""A finished reel's thread: makes the sealed file, tells, and makes versions of it.

It opens the reel's folder as the next start after a crash would, so that every way to the end is this one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from recorder.child import StoppedError
from recorder.derive import Slots
from recorder.events import event_of, failure, final
from recorder.feed import State
from recorder.objects import ObjectError, ObjectStore
from recorder.reels import Bounds
from recorder.seal import seal
from recorder.spool import RecordingSpool, Roots, final_event
from recorder.versions import PARTS, Policy, make_versions

SEAL_TRIES = 60
SEAL_PAUSE_S = 1.0  # doubled after each try
SEAL_PAUSE_LAST_S = 30.0  # a disk may be full for a while: half an hour in all, then the next start tries
VERSION_TRIES = 50
VERSION_PAUSE_S = 300.0  # the longest: four hours in all, then the next start goes on
BACKGROUND_NICE = 10  # of a reel that ended while the lesson goes on: nobody waits for it

_log = structlog.get_logger("recorder.finishing")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What recordings share. The calls come from any thread.

    `closed` is told the folder of each reel that has ended and may be finished, the recording it is of, and
    whether it is the last; `left_open` the folder of a reel whose disk failed, and of the one that went on
    from it; `trouble` whether a recording cannot be written.
    """

    store: ObjectStore
    emit: Callable[[dict[str, Any]], None]
    closed: Callable[[Path, str, bool], None]
    left_open: Callable[[Path, Path], None]
    trouble: Callable[[str, bool], None]
    roots: Roots
    slots: Slots
    wall_ms: Callable[[], int]
    policy: Policy = field(default_factory=Policy)
    bounds: Bounds = field(default_factory=Bounds)


class Finishing:
    """From a closed folder to its final event, and to versions."""

    def __init__(self, folder: Path, around: Surroundings) -> None:
        self._folder = folder
        self._around = around
        self._stop = threading.Event()
        self._leaving = False
        self.is_sealed = False  # what is left is only for later
        self._thread = threading.Thread(target=self._run, name=f"finishing-{folder.name}", daemon=True)

    def start(self) -> None:
        """Begin the thread."""
        self._thread.start()

    def stop(self) -> None:
        """The process ends: a seal under way is made, versions are left to the next start."""
        self._leaving = True
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
            if spool.contents.next is not None:
                os.nice(BACKGROUND_NICE)  # of this thread alone, on Linux
            if self._seal(spool):
                self._make_versions(spool)
        except StoppedError:
            _log.info("recording.left_for_next_start", recording=self._folder.name)
        except Exception as error:
            # The thread's edge: one recording's trouble is told and must not take others with it. The
            # folder stays, the next start of the recorder tries again.
            _log.exception("recording.failed", recording=self._folder.name)
            self._around.emit(failure(self._folder.name, "", f"internal: {type(error).__name__}"))

    def _seal(self, spool: RecordingSpool) -> bool:
        """Make the sealed file and tell; whether there is something to make of it."""
        told = final_event(self._folder)
        if told is not None:  # at an earlier start
            return State(told["state"]) is State.SEALED
        self._tell(spool, 0)
        pause_s = SEAL_PAUSE_S
        for attempt in range(1, SEAL_TRIES + 1):
            try:
                event = seal(
                    spool,
                    self._around.store,
                    self._around.wall_ms,
                    lambda percent: self._tell(spool, percent),
                    self._around.slots,
                    self._stop,
                )
                if event["state"] == State.SEALED and self._around.policy.wants:
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
                pause_s = min(pause_s * 2, SEAL_PAUSE_LAST_S)
        _log.info("recording.finished", recording=self._folder.name, state=event["state"], size=event["size"])
        self._around.emit(event)
        return event["state"] == State.SEALED and self._around.policy.wants

    def _make_versions(self, spool: RecordingSpool) -> None:
        """What is made of the sealed file; its failure costs nobody the recording."""
        self.is_sealed = True
        if self._leaving:
            raise StoppedError
        if spool.contents.sealed is None or not self._around.policy.wants:
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

    def _tell(self, spool: RecordingSpool, progress: int) -> None:
        self._around.emit(event_of(spool, State.SEALING, progress=progress))
