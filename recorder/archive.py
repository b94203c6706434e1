"""The way of sealed objects into the archive: on disk first, from there to the bucket, by a thread.

    put  ->  note in outbox/  ->  file below objects/  ->  sealed, playable   (never waits for a network)
                  |
                  '->  upload, verify, lock, read back  ->  node told  ->  acknowledged  ->  file removed

A note is written before its file and removed after everything else, so a crash at any moment leaves either
a note to go on with or nothing to do. Without a bucket the same notes tell the node what there is and its
hash. The local file stays as long as its bytes and its lock were not read back and the node has not stored
where the object is now. An outage costs nothing but room on the disk: tries go on with a pause of up to a
minute, and `status` says what waits, why, and when the disk is about to be full.
"""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import structlog

from recorder.lock import Proof
from recorder.objects import DiskStore, ObjectError, ObjectStat, sha256_of
from recorder.s3 import S3Store, StoreAwayError
from recorder.spool import Roots, sync_folder, write_durably
from recorder.upload import UploadNote

PAUSE_FIRST_S = 1.0
PAUSE_LAST_S = 60.0
WAKE_S = 2.0  # how old the numbers of `status` may be: an alarm is due within 5 s
PROVE_AGAIN_S = 86_400.0
TOLD_AT_ONCE = 100  # objects in one event, which has a bound in bytes
_log = structlog.get_logger("recorder.archive")

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the alarms are: bytes that wait for the bucket, and bytes free on the disk."""

    backlog_bytes: int = 20 * 1024**3
    free_bytes: int = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it was read back. `store`: `disk` or `s3`."""

    key: str
    size: int
    sha256: str
    store: str
    version: str | None
    retain_until_ms: int | None
    locked: bool


@dataclass(slots=True)
class _Item:
    """One note. `told`: the node has acknowledged `stored` as it is."""

    key: str
    retain_until_ms: int | None
    note: UploadNote = field(default_factory=UploadNote)
    stored: Stored | None = None
    told: bool = False
    size: int = 0
    not_before_s: float = 0.0
    pause_s: float = PAUSE_FIRST_S

    @property
    def recording(self) -> str:
        return self.key.rpartition("/")[2].partition(".")[0]

    @property
    def lesson(self) -> str:
        return self.key.partition("/")[0]

    def as_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "retain_until_ms": self.retain_until_ms,
            "upload": self.note.as_json(),
            "stored": None if self.stored is None else asdict(self.stored),
            "told": self.told,
        }


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
        self._outbox = data / "outbox"
        self._roots = roots or Roots(data / "spool")
        self._troubled: set[str] = set()  # recordings whose disk takes nothing
        self._remote = remote
        self._emit = emit
        self._limits = limits or Limits()
        self._pauses_s = pauses_s
        self._items: dict[str, _Item] = {}
        self._guard = threading.Lock()
        self._sent: dict[str, list[str]] = {}  # by recording: what the node was told and has not acknowledged
        self._released: set[str] = set()
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
        self._outbox.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in sorted(self._outbox.glob("*/*.json")):
            item = self._read(path)
            if item is not None:
                self._items[item.key] = item
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Leave the rest to the next start."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout_s)

    # An ObjectStore for recordings

    def put(self, key: str, path: Path, retain_until_ms: int | None) -> ObjectStat:
        self.local.local_path(key)  # a bad key leaves no note
        with self._guard:
            item = self._items.get(key) or _Item(key, retain_until_ms)
            self._save(item)
            self._items[key] = item
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
        by_recording: dict[str, list[_Item]] = {}
        with self._guard:
            for item in self._items.values():
                by_recording.setdefault(item.recording, []).append(item)
            events = []
            for recording, items in sorted(by_recording.items()):
                if self._is_worked_on(recording) and recording not in self._released:
                    continue  # its seal is not over, or the node has not heard of it
                if any(item.stored is None for item in items):
                    continue  # more will come
                news = [item for item in items if not item.told][:TOLD_AT_ONCE]
                if news:
                    self._sent[recording] = [item.key for item in news]
                    objects = [asdict(item.stored) for item in news if item.stored is not None]
                    events.append({"recording": recording, "lesson": news[0].lesson, "state": "archived",
                                   "objects": objects})  # fmt: skip
        return events

    def release(self, recording: str) -> None:
        """The node knows that the recording is sealed: it may be told where objects are, although versions
        are still made of it."""
        with self._guard:
            self._released.add(recording)

    def acknowledged(self, recording: str) -> None:
        """The node has stored what it was told of a recording."""
        with self._guard:
            for key in self._sent.pop(recording, ()):
                item = self._items.get(key)
                if item is not None and not item.told:
                    item.told = True
                    self._save(item)
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

    def _todo(self) -> list[_Item]:
        """What can be worked on: files that are there, oldest note first."""
        now_s = time.monotonic()
        with self._guard:
            items = [i for i in self._items.values() if self._is_open(i) and i.not_before_s <= now_s]
        return [item for item in items if self.local.local_path(item.key).is_file()]

    def _is_open(self, item: _Item) -> bool:
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

    def _store(self, item: _Item) -> None:
        path = self.local.local_path(item.key)
        try:
            if self._remote is None:
                stored = Stored(item.key, path.stat().st_size, sha256_of(path), "disk", None,
                                item.retain_until_ms, locked=False)  # fmt: skip
            else:
                item.note.save = lambda: self._save(item)
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
        with self._guard:
            item.stored, item.told = stored, False
            self._save(item)
        _log.info("archive.stored", key=item.key, size=stored.size, store=stored.store, locked=stored.locked)
        for event in self.untold():
            self._emit(event)

    def _tidy(self) -> None:
        """Notes whose object is where it belongs and known to the node."""
        with self._guard:
            over = [i for i in self._items.values() if i.told and i.stored is not None]
        over = [item for item in over if not self._is_worked_on(item.recording)]
        for item in over:
            assert item.stored is not None
            if self._remote is not None:
                here = self.local.local_path(item.key).is_file()
                if here and self._is_unlocked(item):
                    continue  # the other copy could be deleted with a stolen key
                self.local.discard(item.key)
            with self._guard:
                self._path(item.key).unlink(missing_ok=True)
                del self._items[item.key]
            folder = self._path(item.key).parent
            sync_folder(folder)
            if not any(folder.iterdir()):
                folder.rmdir()
                self._released.discard(item.recording)

    def _report(self) -> None:
        with self._guard:
            waiting = [item for item in self._items.values() if item.stored is None]
            unlocked = sum(
                item.stored is not None and self._is_unlocked(item) for item in self._items.values()
            )
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

    def _is_unlocked(self, item: _Item) -> bool:
        wanted = self._remote is not None and self._remote.settings.lock and item.retain_until_ms is not None
        return wanted and item.stored is not None and not item.stored.locked

    def _size(self, item: _Item) -> int:
        if not item.size:
            try:
                item.size = self.local.stat(item.key).size
            except ObjectError:  # the seal that wants to put it has not come so far
                return 0
        return item.size

    def _path(self, key: str) -> Path:
        name = key.rpartition("/")[2]
        return self._outbox / name.partition(".")[0] / f"{name}.json"

    def _save(self, item: _Item) -> None:
        path = self._path(item.key)
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            sync_folder(self._outbox)
        write_durably(path, json.dumps(item.as_json()).encode())

    def _read(self, path: Path) -> _Item | None:
        """A note; None for one that cannot be read, which is said: its object then stays on the disk."""
        try:
            known = json.loads(path.read_bytes())
            item = _Item(known["key"], known["retain_until_ms"], told=known["told"])
            item.note.load(known["upload"])
            item.stored = None if known["stored"] is None else Stored(**known["stored"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.error("archive.note_unreadable", note=path.name, error=type(error).__name__)
            return None
        return item
