"""The way of sealed objects into the archive: on disk first, from there to the bucket, by a thread.

    put  ->  note in outbox/  ->  file below objects/  ->  sealed, playable   (never waits for a network)
                  |
                  '->  upload, verify, lock, read back  ->  node told  ->  acknowledged  ->  file removed

Without a bucket the same notes (`recorder.outbox`) tell the node what there is and its hash. The local file
stays as long as its bytes and its lock were not read back and the node has not stored where the object is
now. An outage costs nothing but room on the disk: tries go on with a pause of up to a minute, and `status`
says what waits, why, and when the disk is about to be full.
"""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import structlog

from recorder.lock import Proof
from recorder.objects import DiskStore, ObjectError, ObjectStat, sha256_of
from recorder.outbox import PAUSE_FIRST_S, Event, Item, Outbox, Stored
from recorder.s3 import S3Store, StoreAwayError
from recorder.spool import Roots

PAUSE_LAST_S = 60.0
WAKE_S = 2.0  # how old the numbers of `status` may be: an alarm is due within 5 s
PROVE_AGAIN_S = 86_400.0
_log = structlog.get_logger("recorder.archive")


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the alarms are: bytes that wait for the bucket, and bytes free on the disk."""

    backlog_bytes: int = 20 * 1024**3
    free_bytes: int = 2 * 1024**3


class Archive:
    """The recorder's object store. `emit` is called from the archive's thread."""

    def __init__(
        self,
        data: Path,
        remote: S3Store | None,
        emit: Callable[[Event], None],
        limits: Limits | None = None,
        pauses_s: tuple[float, float] = (PAUSE_FIRST_S, PAUSE_LAST_S),
        roots: Roots | None = None,
    ) -> None:
        self.local = DiskStore(data / "objects")
        self._data = data
        self._roots = roots or Roots(data / "spool")
        self._outbox = Outbox(data / "outbox", self._is_worked_on)
        self._troubled: set[str] = set()  # recordings whose disk takes nothing
        self._remote = remote
        self._emit = emit
        self._limits = limits or Limits()
        self._pauses_s = pauses_s
        self._guard = threading.Lock()  # of `_troubled`
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._proven_s: float | None = None
        self._pause_s = pauses_s[0]
        self._resume_s = 0.0
        self._failing = ""
        self._status: Event = {}
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)

    def start(self) -> None:
        """Read the notes of earlier starts and begin. Raises OSError."""
        self._outbox.load()
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Leave the rest to the next start."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout_s)

    # An ObjectStore for recordings

    def put(self, key: str, path: Path, retain_until_ms: int | None) -> ObjectStat:
        self.local.local_path(key)  # a bad key leaves no note
        self._outbox.put(key, retain_until_ms)
        stat = self.local.put(key, path, retain_until_ms)
        self._wake.set()
        return stat

    def open_range(self, key: str, start: int = 0, version: str | None = None) -> BinaryIO:
        return self.local.open_range(key, start, version)

    def stat(self, key: str, version: str | None = None) -> ObjectStat:
        return self.local.stat(key, version)

    def delete(self, key: str, now_ms: int, version: str | None = None) -> None:
        self.local.delete(key, now_ms, version)

    # What the node is told

    @property
    def status(self) -> Event:
        """The newest status event, empty before the first."""
        return self._status

    def untold(self) -> list[Event]:
        """An `archived` event for each finished recording with objects the node has not acknowledged."""
        return self._outbox.untold()

    def release(self, recording: str) -> None:
        """As `Outbox.release`."""
        self._outbox.release(recording)

    def acknowledged(self, recording: str) -> None:
        """The node has stored what it was told of a recording."""
        self._outbox.acknowledged(recording)
        self._wake.set()

    def trouble(self, recording: str, is_on: bool) -> None:
        """A recording cannot be written, or can again: an alarm while there is any. From any thread."""
        with self._guard:
            (self._troubled.add if is_on else self._troubled.discard)(recording)
        self._wake.set()

    # The thread

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                if time.monotonic() >= self._resume_s:
                    self._work()
                self._tidy()
            except (OSError, ObjectError) as error:
                _log.error("archive.failed", error=str(error))
                self._failing = type(error).__name__
            except Exception:
                # The thread's edge: without it nothing would ever be archived again.
                _log.exception("archive.failed")
                self._failing = "internal"
                self._resume_s = time.monotonic() + self._pauses_s[1]
            self._report()
            self._wake.wait(
                min(WAKE_S, max(self._resume_s - time.monotonic(), 0.05) if self._todo() else WAKE_S)
            )

    def _todo(self) -> list[Item]:
        """What can be worked on: files that are there, oldest note first."""
        now_s = time.monotonic()
        items = [i for i in self._outbox.items() if self._is_open(i) and i.not_before_s <= now_s]
        return [item for item in items if self.local.local_path(item.key).is_file()]

    def _is_open(self, item: Item) -> bool:
        if item.stored is None:
            return True
        wants_lock = self._remote is not None and self._remote.settings.lock and not item.stored.locked
        proven = self._remote is not None and self._remote.proof is Proof.PROVEN
        return wants_lock and proven and item.retain_until_ms is not None

    def _work(self) -> None:
        try:
            self._prove()
            for item in self._todo():
                if self._stop.is_set():
                    return
                self._store(item)
            self._failing, self._pause_s = "", self._pauses_s[0]
        except OSError as error:
            if self._stop.is_set():
                return
            code = error.code if isinstance(error, StoreAwayError) else str(error)
            _log.error("archive.away", error=code, pause_s=self._pause_s)
            self._failing = code[:200]
            jitter = random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
            self._resume_s = time.monotonic() + self._pause_s * jitter
            self._pause_s = min(self._pause_s * 2, self._pauses_s[1])

    def _prove(self) -> None:
        if self._remote is None or not self._remote.settings.lock:
            return
        now_s = time.monotonic()
        if self._proven_s is not None and now_s - self._proven_s < PROVE_AGAIN_S:
            return
        proof = self._remote.prove_lock()
        self._proven_s = now_s
        log = _log.info if proof is Proof.PROVEN else _log.error
        log("archive.lock_trial", proof=proof.value, detail=self._remote.proof_detail)

    def _store(self, item: Item) -> None:
        path = self.local.local_path(item.key)
        try:
            if self._remote is None:
                stored = Stored(item.key, path.stat().st_size, sha256_of(path), "disk", None,
                                item.retain_until_ms, locked=False)  # fmt: skip
            else:
                item.note.save = lambda: self._outbox.save(item)
                stat = self._remote.put(item.key, path, item.retain_until_ms, item.note, self._stop)
                stored = Stored(item.key, stat.size, sha256_of(path), "s3", stat.version,
                                stat.retain_until_ms, stat.locked)  # fmt: skip
        except ObjectError as error:
            # This object's own trouble; the others go on.
            _log.error("archive.refused", key=item.key, error=error.code)
            item.not_before_s = time.monotonic() + item.pause_s
            item.pause_s = min(item.pause_s * 2, self._pauses_s[1])
            self._failing = error.code
            return
        self._outbox.stored(item, stored)
        _log.info("archive.stored", key=item.key, size=stored.size, store=stored.store, locked=stored.locked)
        for event in self.untold():
            self._emit(event)

    def _tidy(self) -> None:
        """Notes whose object is where it belongs and known to the node."""
        over = [i for i in self._outbox.items() if i.told and i.stored is not None]
        over = [item for item in over if not self._is_worked_on(item.recording)]
        for item in over:
            assert item.stored is not None
            if self._remote is not None:
                here = self.local.local_path(item.key).is_file()
                if here and self._is_unlocked(item):
                    continue  # the other copy could be deleted with a stolen key
                self.local.discard(item.key)
            self._outbox.remove(item)

    def _report(self) -> None:
        items = self._outbox.items()
        waiting = [item for item in items if item.stored is None]
        unlocked = sum(item.stored is not None and self._is_unlocked(item) for item in items)
        sizes = [self._size(item) for item in waiting]
        remote = self._remote
        lock = Proof.NONE if remote is None or not remote.settings.lock else remote.proof
        free = shutil.disk_usage(self._data).free
        alarms = [
            name
            for name, is_on in (
                ("away", bool(self._failing)),
                ("lock_not_enforced", lock is Proof.NOT_ENFORCED),
                ("backlog", sum(sizes) > self._limits.backlog_bytes),
                ("disk_low", free < self._limits.free_bytes),
                ("disk_failing", bool(self._troubled)),
            )
            if is_on
        ]
        status = {
            "recording": "",
            "lesson": "",
            "state": "archive",
            "store": "disk" if remote is None else "s3",
            "lock": lock.value,
            "lock_detail": "" if remote is None else remote.proof_detail,
            "waiting_objects": len(waiting),
            "waiting_bytes": sum(sizes),
            "unlocked_objects": unlocked,
            "failing": self._failing,
            "alarms": alarms,
        }
        if status != {name: value for name, value in self._status.items() if name != "free_bytes"}:
            fresh = set(alarms) - set(self._status.get("alarms", ()))
            if fresh:
                _log.error("archive.alarm", alarms=sorted(fresh), free_bytes=free, waiting_bytes=sum(sizes))
            self._status = {**status, "free_bytes": free}
            self._emit(self._status)

    def _is_worked_on(self, recording: str) -> bool:
        """It is not sealed yet, or versions are made from its file here."""
        return self._roots.folder(recording).is_dir()

    def _is_unlocked(self, item: Item) -> bool:
        wanted = self._remote is not None and self._remote.settings.lock and item.retain_until_ms is not None
        return wanted and item.stored is not None and not item.stored.locked

    def _size(self, item: Item) -> int:
        if not item.size:
            try:
                item.size = self.local.stat(item.key).size
            except ObjectError:  # the seal that wants to put it has not come so far
                return 0
        return item.size
