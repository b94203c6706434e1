"""Where sealed recordings live: the object store's interface, and its form on a disk.

An object is written once and never again: putting other bytes under a key that exists is refused, putting
the same bytes is fine, so a seal that was cut short may simply run again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from recorder.spool import sync_folder, write_durably

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,127}){0,3}")
_COPY_BYTES = 1024 * 1024


class ObjectError(Exception):
    """`code`: `bad_key`, `exists` (with other bytes), `not_found`, `bad_range`."""

    def __init__(self, code: str, key: str):
        super().__init__(f"{code}: {key}")
        self.code = code
        self.key = key


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """Size in bytes; until when the object may not be deleted (ms since 1970), and whether that is locked."""

    key: str
    size: int
    retain_until_ms: int | None
    locked: bool


class ObjectStore(Protocol):
    """What the recorder and the pages need of a store; all methods may block."""

    def put(self, key: str, path: Path, retain_until_ms: int | None) -> ObjectStat:
        """Store the file durably under `key`. Raises ObjectError, OSError."""

    def open_range(self, key: str, start: int = 0) -> BinaryIO:
        """The object from byte `start` on. Raises ObjectError `not_found`, `bad_range`."""

    def stat(self, key: str) -> ObjectStat:
        """Raises ObjectError `not_found`."""


class DiskStore:
    """Objects as read-only files below a folder, the retention date beside each as `<name>.retain`.

    A disk has no object lock (root can always delete), so `locked` is always false here.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, path: Path, retain_until_ms: int | None) -> ObjectStat:
        target = self.local_path(key)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o400)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        if retain_until_ms is not None:
            write_durably(_retention(target), json.dumps({"retain_until_ms": retain_until_ms}).encode())
        try:
            self._link(path, target)
        except FileExistsError:
            if _sha256(target) != _sha256(path):
                raise ObjectError("exists", key) from None
        sync_folder(target.parent)
        sync_folder(target.parent.parent)
        return self.stat(key)

    def open_range(self, key: str, start: int = 0) -> BinaryIO:
        try:
            file = self.local_path(key).open("rb")
        except FileNotFoundError:
            raise ObjectError("not_found", key) from None
        if not 0 <= start <= os.fstat(file.fileno()).st_size:
            file.close()
            raise ObjectError("bad_range", key)
        file.seek(start)
        return file

    def stat(self, key: str) -> ObjectStat:
        target = self.local_path(key)
        try:
            size = target.stat().st_size
        except FileNotFoundError:
            raise ObjectError("not_found", key) from None
        try:
            retain = json.loads(_retention(target).read_bytes())["retain_until_ms"]
        except FileNotFoundError:
            retain = None
        return ObjectStat(key, size, retain, locked=False)

    def local_path(self, key: str) -> Path:
        """The file of an object, for servers that send files. Raises ObjectError `bad_key`."""
        if not _KEY.fullmatch(key):
            raise ObjectError("bad_key", key)
        return self._root / key

    @staticmethod
    def _link(path: Path, target: Path) -> None:
        """Give the file its second name, atomically; copy first when the store is another file system."""
        try:
            os.link(path, target)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.ENOTSUP):
                raise
            part = target.with_name(target.name + ".part")
            part.unlink(missing_ok=True)
            with path.open("rb") as source, part.open("wb") as copy:
                shutil.copyfileobj(source, copy, _COPY_BYTES)
                copy.flush()
                os.fsync(copy.fileno())
            part.chmod(0o400)
            try:
                os.link(part, target)
            finally:
                part.unlink()


def _retention(target: Path) -> Path:
    return target.with_name(target.name + ".retain")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
