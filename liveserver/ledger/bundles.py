"""Makes evidence bundles: one lesson, or one learner's part of it, with everything that proves it.

A bundle is written to a file without a name in the data folder, page by page, and then sent: memory is
bounded by the lesson's learners, whatever its length, and an error is an answer and not half a file. It is of
the ledger as one signed head has it, so the same head gives the same bytes.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from liveserver.clock import Clock
from liveserver.core.bundle.form import BundleWriter, Kind, Subject
from liveserver.core.errors import PeerError
from liveserver.core.heads import Head
from liveserver.core.ledger import Fact
from liveserver.hours.attendance import Attendance
from liveserver.keeper import Keeper
from liveserver.ledger.bundle_beside import Open
from liveserver.ledger.bundle_hours import BundleHours
from liveserver.ledger.bundle_making import Making
from liveserver.ledger.notary import Notary
from liveserver.store import Lesson, Store
from recorder.objects import ObjectError

_CHUNK_BYTES = 256 * 1024
_WAITING_MAX = 4
_BUSY_S = 10


def opener(folder: Path, keeper: Keeper) -> Open:
    """Objects from the disk, or from the bucket where the disk has them no more."""

    async def open_object(key: str) -> AsyncGenerator[bytes, None]:
        path = folder / key
        if path.is_file():
            file: BinaryIO = await asyncio.to_thread(path.open, "rb")
        else:
            found = await keeper.located(key)
            if found is None:
                return
            try:
                bucket = await keeper.remote()
                file = await asyncio.to_thread(bucket.open_range, found.key, 0, found.version)
            except (ObjectError, OSError) as error:
                raise PeerError("not_available", "the archive does not answer", status=503) from error
        try:
            while part := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                yield part
        finally:
            file.close()

    return open_object


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle, to be sent from its beginning and closed. `sha256`: of its manifest."""

    file: BinaryIO
    size: int
    sha256: str
    name: str


class Bundles:
    """One node's; makes one bundle at a time. `folder`: where there is room for it."""

    def __init__(
        self,
        store: Store,
        attendance: Attendance,
        notary: Notary,
        clock: Clock,
        folder: Path,
        open_object: Open,
    ):
        self._store = store
        self._hours = BundleHours(store, attendance)
        self._notary = notary
        self._clock = clock
        self._folder = folder
        self._open_object = open_object
        self._making = asyncio.Lock()
        self._waiting = 0

    async def make(self, lesson_id: str, person: str | None, by: str, size: int | None = None) -> Made:
        """The bundle of a lesson, or of `person` in it; the ledger is told who asked for it.

        `size`: of an earlier signed head, by which the same bundle is made again. Raises PeerError
        `unknown_lesson`, `unknown_person`, `not_found` (404), `busy`, `not_available` (503).
        """
        lesson = await self._store.lessons.known(lesson_id)
        if self._waiting >= _WAITING_MAX:
            raise PeerError("busy", "other bundles are being made", status=503, retry_after_s=_BUSY_S)
        self._waiting += 1
        try:
            async with self._making:
                made = await self._make(lesson, person, await self._head(size))
        finally:
            self._waiting -= 1
        said = {"by": by, "person": person, "sha256": made.sha256, "bytes": made.size}
        try:
            await self._store.append([Fact("evidence_exported", lesson_id, self._clock.wall_ms(), said)])
        except BaseException:
            made.file.close()
            raise
        return made

    async def _head(self, size: int | None) -> Head:
        """The ledger as it is now, signed; or as it was."""
        if size is None:
            await self._notary.seal()
            head = await self._store.heads.latest()
            if head is None:
                raise PeerError("not_available", "the ledger's key is not here", status=503)
            return head
        found = await self._store.heads.since(size - 1, 1)
        if not found or found[0].size != size:
            raise PeerError("not_found", "no head was signed over so many entries", status=404)
        return found[0]

    async def _make(self, lesson: Lesson, person: str | None, head: Head) -> Made:
        signer = self._notary.signer
        if signer is None:
            raise PeerError("not_available", "the ledger's key is not here", status=503)
        self._folder.mkdir(parents=True, exist_ok=True)
        file = await asyncio.to_thread(self._nameless)
        try:
            kind = Kind.LESSON if person is None else Kind.PERSON
            writer = BundleWriter(file, Subject(kind, lesson.id, person))
            publics = {one.name: one.public for one in self._notary.watches}
            await Making(
                self._store, self._hours, self._open_object, publics, writer, lesson, person, head
            ).run()
            digest = writer.finish(head, lambda manifest: signer.sealed(manifest, head))
            size = file.seek(0, 2)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return Made(file, size, digest, f"evidence-{lesson.id}.zip")

    def _nameless(self) -> BinaryIO:
        """A file that is gone when it is closed, whatever happens."""
        return tempfile.TemporaryFile(dir=self._folder)
