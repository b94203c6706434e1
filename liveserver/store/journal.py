"""Facts that wait on the disk while the database is away (REL-G6, R9, R10).

One file, a record a line: its CRC-32 in hexadecimal, a space, JSON. What was added is on the disk (fsync)
before anybody is told so; several who add at once share one fsync. A record without its end, or with a wrong
sum, was never acknowledged if it is the last; any other is damage, counted, and its file kept aside.
"""

from __future__ import annotations

import asyncio
import json
import os
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from liveserver.core.ledger import Fact
from liveserver.store.model.chat import ChatLine
from liveserver.store.model.errors import StoreError


@dataclass(frozen=True, slots=True)
class Record:
    """What one caller wants kept, together and once: `id` is his own and never used again."""

    id: str
    facts: Sequence[Fact]
    chat: Sequence[ChatLine] = ()

    def line(self) -> bytes:
        """As it is written."""
        facts = [[fact.type, fact.lesson, fact.at_ms, fact.data] for fact in self.facts]
        chat = [asdict(line) | {"salt": line.salt.hex()} for line in self.chat]
        body = json.dumps({"id": self.id, "facts": facts, "chat": chat}, separators=(",", ":")).encode()
        return b"%08x %s\n" % (zlib.crc32(body), body)

    @classmethod
    def read(cls, line: bytes) -> Record:
        """The record of a whole line. Raises ValueError for one that is not."""
        total, _, body = line.partition(b" ")
        if int(total, 16) != zlib.crc32(body.rstrip(b"\n")) or not line.endswith(b"\n"):
            raise ValueError("the sum is wrong")
        said = json.loads(body)
        chat = [ChatLine(**(row | {"salt": bytes.fromhex(row["salt"])})) for row in said["chat"]]
        return cls(said["id"], [Fact(*fact) for fact in said["facts"]], chat)


class Journal:
    """Owned by the loop; the file is touched by one thread at a time. Made by `open_journal`."""

    def __init__(self, path: Path, max_bytes: int, waiting: Sequence[Record], damaged: int):
        self._path = path
        self._max_bytes = max_bytes
        self.pending: deque[Record] = deque(waiting)
        """In order, oldest first; not yet in the database."""
        self.damaged = damaged
        """Records that could not be read when it was opened."""
        self._size = path.stat().st_size
        self._unwritten: list[tuple[Record, bytes, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._file = asyncio.Lock()

    @property
    def busy(self) -> bool:
        """Whether anything waits: then what comes has to wait behind it."""
        return bool(self.pending or self._unwritten or self._writing)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._size

    async def add(self, record: Record) -> None:
        """Returns when it is on the disk. Raises StoreError when the journal is full or the disk fails."""
        line = record.line()
        if self._size + sum(len(one) for _, one, _ in self._unwritten) + len(line) > self._max_bytes:
            raise StoreError("the database is away, and the journal is full")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unwritten.append((record, line, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name="journal")
        await asyncio.shield(done)

    async def forget(self) -> None:
        """Everything is in the database: begin anew. Does nothing while something waits."""
        async with self._file:
            if not self.busy and self._size:
                await asyncio.to_thread(_truncate, self._path, 0)
                self._size = 0

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write_all(self) -> None:
        try:
            while self._unwritten:
                batch, self._unwritten = self._unwritten, []
                content = b"".join(line for _, line, _ in batch)
                try:
                    async with self._file:
                        await asyncio.to_thread(_append, self._path, self._size, content)
                        self._size += len(content)
                except OSError as error:
                    failure = StoreError(f"the journal cannot be written: {error.strerror}")
                    _settle(batch, failure)
                    continue
                self.pending += [record for record, _, _ in batch]
                _settle(batch, None)
        finally:
            self._writing = None


def open_journal(path: Path, max_bytes: int) -> Journal:
    """The journal at `path`, made if there is none; readable by its owner alone. Raises StoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        lines = path.read_bytes().splitlines(keepends=True)
        records: list[Record] = []
        wrong: list[int] = []
        for number, line in enumerate(lines):
            try:
                records.append(Record.read(line))
            except (ValueError, TypeError, KeyError):
                wrong.append(number)
        if wrong and wrong[-1] == len(lines) - 1:
            wrong.pop()
            _truncate(path, sum(map(len, lines[:-1])))
        if wrong:
            path.with_name(f"{path.name}.damaged").write_bytes(b"".join(lines))
    except OSError as error:
        raise StoreError(f"the journal {path} cannot be opened: {error.strerror}") from error
    return Journal(path, max_bytes, records, len(wrong))


def _append(path: Path, size: int, content: bytes) -> None:
    """Write at `size`, over what an attempt that failed half-way has left."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, size)
        written = 0
        while written < len(content):
            written += os.pwrite(descriptor, content[written:], size + written)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _truncate(path: Path, size: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _settle(batch: Sequence[tuple[Any, Any, asyncio.Future[None]]], failure: StoreError | None) -> None:
    for _, _, done in batch:
        if done.done():
            continue
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)
