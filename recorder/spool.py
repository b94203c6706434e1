"""The recorder's own disk: one folder a recording, append-only files, durable fragment by fragment.

    spool/<recording>/manifest.jsonl       the chain (recorder.manifest)
                      camera.h264.mp4      fragmented MP4, one track each
                      audio.aac.mp4
                      camera.vp8.mkv
                      journal.3            frames that are in no fragment yet (recorder.journal)
                      sealed.part          the finished file, while versions are made of it
                      final.json           the last event, until the node acknowledged it

The order is what makes a crash harmless: media is written and fsynced first, then the line that names it.
What no line names is cut off when the recording is opened again, and packed again from the journal.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from recorder import manifest
from recorder.fmp4 import Part

MANIFEST = "manifest.jsonl"
FINAL = "final.json"
SEALED = "sealed.part"


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes) -> None:
    """Replace a small file atomically."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


class _Appender:
    """A file that only grows; what a failed append leaves behind is cut off, by the next one at the latest.

    It is open only while it is written: a disk can be made read-only, or taken away and brought back, under a
    recording that goes on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size if path.exists() else 0

    def append(self, *parts: bytes) -> None:
        """Write and fsync. Raises OSError (disk full); the append is then not there."""
        data = b"".join(parts)
        with self._path.open("ab", buffering=0) as file:
            if os.fstat(file.fileno()).st_size != self.size:
                os.ftruncate(file.fileno(), self.size)
            rest = memoryview(data)
            try:
                while rest:
                    rest = rest[file.write(rest) or 0 :]
                os.fsync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(file.fileno(), self.size)
                raise
        self.size += len(data)

    def cut(self, size: int) -> None:
        """Cut off what lies beyond `size`."""
        if self.size > size:
            with self._path.open("ab") as file:
                os.ftruncate(file.fileno(), size)
                os.fsync(file.fileno())
            self.size = size


class RecordingSpool:
    """One recording's folder. Owned by one thread; opening an existing folder repairs it.

    `on_part` is told each recorded MP4 fragment once it is durable, on the owning thread, and must not block.
    `lines` counts the manifest's, `media_bytes` the recorded media on disk; `is_failing` while the last thing
    that was to be written could not be.
    """

    def __init__(self, folder: Path, on_part: Callable[[Part], None] | None = None) -> None:
        self.folder = folder
        self._on_part = on_part
        self._inits: dict[str, bytes] = {}
        self.contents = manifest.Contents()
        created = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if created:
            sync_folder(folder.parent)
        path = folder / MANIFEST
        records, self._chain, good = manifest.read(path.read_bytes() if path.exists() else b"")
        for record in records:
            self.contents.add(record)
        self.lines = len(records)
        self.is_failing = False
        self.media_bytes = sum(f.head_size + f.media_size for f in self.contents.fragments)
        self._manifest = _Appender(path)
        self._manifest.cut(good)
        self._files: dict[str, _Appender] = {}
        self._cut_media()
        sync_folder(folder)

    @property
    def chain(self) -> str:
        """The last line's chain value, hex."""
        return self._chain.hex()

    def note(self, kind: str, **fields: Any) -> None:
        """Append one line. Raises OSError; nothing is then noted."""
        record = {"n": self.lines, "type": kind, **fields}
        line, chain = manifest.link(self._chain, record)
        self._write(self._manifest, line)
        self._chain = chain
        self.lines += 1
        self.contents.add(record)

    def chain_after(self, kind: str, **fields: Any) -> str:
        """What `chain` would be once this line is noted next."""
        return manifest.link(self._chain, {"n": self.lines, "type": kind, **fields})[1].hex()

    def begin_file(self, file: str, head: bytes) -> None:
        """Start a media file with what comes before its first fragment; does nothing when it is there."""
        appender = self._appender(file)
        self._inits[file] = head
        if appender.size == 0:
            self._write(appender, head)
            sync_folder(self.folder)

    def append(self, file: str, head: bytes, media: bytes, kind: str = "fragment", **fields: Any) -> None:
        """Make one fragment durable and name it in the manifest. Raises OSError; it is then not there."""
        appender = self._appender(file)
        offset = appender.size
        self._write(appender, head, media)
        try:
            self.note(
                kind,
                file=file,
                offset=offset,
                head_size=len(head),
                media_size=len(media),
                head_sha256=hashlib.sha256(head).hexdigest(),
                media_sha256=hashlib.sha256(media).hexdigest(),
                **fields,
            )
        except OSError:
            appender.cut(offset)
            raise
        if kind == "fragment":
            self.media_bytes += len(head) + len(media)
        if self._on_part is not None and kind == "fragment" and head:  # Matroska is not for the live tier
            self._on_part(
                Part(
                    recording=self.contents.opened["recording"],
                    track=fields["track"],
                    number=self.lines - 1,
                    start_ms=fields["start_ms"],
                    duration_ms=fields["duration_ms"],
                    independent=fields["independent"],
                    init=self._inits[file],
                    data=head + media,
                )
            )

    def finish(self, event: Mapping[str, Any]) -> None:
        """Keep the final event until it is acknowledged; the media is no longer needed."""
        write_durably(self.folder / FINAL, json.dumps(event).encode())
        for path in self.folder.iterdir():
            if path.name != FINAL:
                path.unlink()

    def hold(self, event: Mapping[str, Any], *, fragments: bool) -> None:
        """Keep the final event, and what versions will be made of: the sealed file, perhaps `fragments`."""
        write_durably(self.folder / FINAL, json.dumps(event).encode())
        if fragments:
            return
        for path in self.folder.iterdir():
            if path.name not in (FINAL, SEALED, MANIFEST):
                path.unlink()

    def drop(self) -> None:
        """Versions are made: keep the final event alone, and nothing if it was acknowledged meanwhile."""
        for path in self.folder.iterdir():
            if path.name not in (FINAL, MANIFEST):
                path.unlink()
        (self.folder / MANIFEST).unlink()  # last: it says what is left to do
        acknowledged(self.folder)

    def _write(self, appender: _Appender, *parts: bytes) -> None:
        self.is_failing = True
        appender.append(*parts)
        self.is_failing = False

    def _appender(self, file: str) -> _Appender:
        if file not in self._files:
            self._files[file] = _Appender(self.folder / file)
        return self._files[file]

    def _cut_media(self) -> None:
        ends: dict[str, int] = {}
        for fragment in (*self.contents.fragments, *self.contents.derived):
            ends[fragment.file] = fragment.offset + fragment.head_size + fragment.media_size
        for path in self.folder.iterdir():
            if path.name == SEALED and self.contents.sealed is not None:
                continue
            if path.suffix in (".mp4", ".mkv", ".part", ".media"):
                if path.name not in ends:
                    path.unlink()
                elif path.stat().st_size > ends[path.name]:  # a stored original is read-only by now
                    self._appender(path.name).cut(ends[path.name])


class Reader:
    """Reads a folder's media; each file is opened once. `with` it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def read(self, file: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on, fewer where the file ends. Raises OSError."""
        if file not in self._files:
            self._files[file] = (self._folder / file).open("rb", buffering=0)
        return os.pread(self._files[file].fileno(), size, offset)


def look(folder: Path) -> manifest.Contents:
    """What a folder's manifest says, without repairing anything."""
    contents = manifest.Contents()
    path = folder / MANIFEST
    for record in manifest.read(path.read_bytes() if path.exists() else b"")[0]:
        contents.add(record)
    return contents


def final_event(folder: Path) -> dict[str, Any] | None:
    """The last event of a finished recording, None while it is not finished."""
    try:
        event = json.loads((folder / FINAL).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return event if isinstance(event, dict) else None


class Roots:
    """Where recordings' folders are: one place, and perhaps a spare on another disk for when that fails."""

    def __init__(self, *roots: Path) -> None:
        self._roots = roots

    def make(self) -> None:
        """Raises OSError when there is none at all; one that cannot be had is done without."""
        failures = []
        for root in self._roots:
            try:
                root.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                failures.append(error)
        if len(failures) == len(self._roots):
            raise failures[0]

    def folder(self, name: str) -> Path:
        """A recording's folder where it is, or where it would be made."""
        places = [root / name for root in self._roots]
        return next((place for place in places if place.is_dir()), places[0])

    def folders(self) -> list[Path]:
        """All recordings' folders, by name."""
        found = (path for root in self._roots if root.is_dir() for path in root.iterdir() if path.is_dir())
        return sorted(found, key=lambda path: path.name)

    def others(self, folder: Path) -> list[Path]:
        """Places on other disks than the one `folder` is on."""
        return [root for root in self._roots if root != folder.parent]


def forget(folder: Path) -> None:
    """Remove a recording's folder."""
    shutil.rmtree(folder, ignore_errors=True)


def acknowledged(folder: Path) -> None:
    """Remove the folder of a recording of which nothing is left to do or to tell."""
    if not (folder / FINAL).exists() and not (folder / MANIFEST).exists():
        forget(folder)
