"""Where sealed recordings live: the object store's interface, and its form on a disk.

An object is written once and never again: putting other bytes under a key that exists is refused, putting
the same bytes is fine, so a seal that was cut short may simply run again. `recorder.s3` is the other form;
`tests/recorder/test_objects.py` holds both to one contract.
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

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,127}){0,7}")
_COPY_BYTES = 1024 * 1024


class ObjectError(Exception):
    """`code`: `bad_key`, `exists` (with other bytes), `not_found`, `bad_range`, `locked`, `damaged`."""

    def __init__(self, code: str, key: str):
        super().__init__(f"{code}: {key}")
        self.code = code
        self.key = key


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """Size in bytes; until when the object may not be deleted (ms since 1970), and whether that is locked.

    `version` names these very bytes in a store that keeps versions: what is put or deleted under the same
    key later does not touch them.
    """

    key: str
    size: int
    retain_until_ms: int | None
    locked: bool
    version: str | None = None


class ObjectStore(Protocol):
    """What the recorder and the pages need of a store; all methods may block and raise OSError."""

    def put(self, key: str, path: Path, retain_until_ms: int | None) -> ObjectStat:
        """Store the file durably under `key`. Raises ObjectError `exists`, `damaged`."""

    def open_range(self, key: str, start: int = 0, version: str | None = None) -> BinaryIO:
        """The object from byte `start` on. Raises ObjectError `not_found`, `bad_range`."""

    def stat(self, key: str, version: str | None = None) -> ObjectStat:
        """Raises ObjectError `not_found`."""

    def delete(self, key: str, now_ms: int, version: str | None = None) -> None:
        """Remove the object for good. Raises ObjectError `not_found`, and `locked` before its date."""


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
            known = _retained(target) or 0  # a date is only ever moved away
            date = json.dumps({"retain_until_ms": max(known, retain_until_ms)})
            write_durably(_retention(target), date.encode())
        try:
            self._link(path, target)
        except FileExistsError:
            if sha256_of(target) != sha256_of(path):
                raise ObjectError("exists", key) from None
        sync_folder(target.parent)
        sync_folder(target.parent.parent)
        return self.stat(key)

    def open_range(self, key: str, start: int = 0, version: str | None = None) -> BinaryIO:
        try:
            file = self.local_path(key).open("rb")
        except FileNotFoundError:
            raise ObjectError("not_found", key) from None
        if not 0 <= start <= os.fstat(file.fileno()).st_size:
            file.close()
            raise ObjectError("bad_range", key)
        file.seek(start)
        return file

    def stat(self, key: str, version: str | None = None) -> ObjectStat:
        target = self.local_path(key)
        try:
            size = target.stat().st_size
        except FileNotFoundError:
            raise ObjectError("not_found", key) from None
        return ObjectStat(key, size, _retained(target), locked=False)

    def delete(self, key: str, now_ms: int, version: str | None = None) -> None:
        if (self.stat(key).retain_until_ms or 0) > now_ms:
            raise ObjectError("locked", key)
        self.discard(key)

    def discard(self, key: str) -> None:
        """Remove this copy of an object that another store keeps; nothing happens when it is not here."""
        target = self.local_path(key)
        if target.parent.is_dir():
            target.unlink(missing_ok=True)
            _retention(target).unlink(missing_ok=True)
            sync_folder(target.parent)

    def local_path(self, key: str) -> Path:
        """The file of an object, for servers that send files. Raises ObjectError `bad_key`."""
        return self._root / checked(key)

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


def checked(key: str) -> str:
    """`key` if it may name an object. Raises ObjectError `bad_key`."""
    if not _KEY.fullmatch(key):
        raise ObjectError("bad_key", key)
    return key


def sha256_of(path: Path) -> str:
    """A file's SHA-256, hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _retention(target: Path) -> Path:
    return target.with_name(target.name + ".retain")


def _retained(target: Path) -> int | None:
    try:
        return int(json.loads(_retention(target).read_bytes())["retain_until_ms"])
    except FileNotFoundError:
        return None
