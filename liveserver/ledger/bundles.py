"""Makes evidence bundles: one lesson, or one learner's part of it, with everything that proves it.

A bundle is written to a file without a name in the data folder, page by page, and then sent: memory is
bounded by the lesson's learners, whatever its length, and an error is an answer and not half a file. It is of
the ledger as one signed head has it, so the same head gives the same bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from liveserver.clock import Clock
from liveserver.core.bundle import files, form
from liveserver.core.bundle.cover import Cover, Unit, unit_text
from liveserver.core.bundle.form import BundleWriter, Kind, Subject
from liveserver.core.bundle.own import Own
from liveserver.core.errors import PeerError
from liveserver.core.heads import Head, key_id
from liveserver.core.ledger import Entry, Fact
from liveserver.hours.attendance import Attendance
from liveserver.keeper import Keeper
from liveserver.ledger.bundle_hours import BundleHours
from liveserver.ledger.bundle_tree import Between
from liveserver.ledger.notary import Notary
from liveserver.store import Case, ChatLine, Lesson, Recording, Store
from liveserver.store.incidents import Wanted
from recorder.objects import ObjectError

_PAGE = 100  # some milliseconds of the loop, which may be a live node's
_SLICE_S = 0.002
_CHUNK_BYTES = 256 * 1024
_MANIFEST_MAX = 64 * 1024 * 1024
_WAITING_MAX = 4
_BUSY_S = 10

Open = Callable[[str], AsyncGenerator[bytes, None]]
"""An object of the archive by its key; nothing comes of one that is not there."""


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
            await _Making(self, writer, lesson, person, head).run()
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


class _Making:
    """One bundle on its way."""

    def __init__(self, whole: Bundles, writer: BundleWriter, lesson: Lesson, person: str | None, head: Head):
        self._store = whole._store
        self._hours = whole._hours
        self._open_object = whole._open_object
        self._writer = writer
        self._lesson = lesson
        self._person = person
        self._head = head
        self._publics = {w.name: w.public for w in whole._notary.watches}
        # What the ledger has by then: settlements, and what of chat and screening stands beside it.
        self._revisions: set[Any] = set()
        self._beside: set[Any] = set()
        self._breathed_s = 0.0

    async def run(self) -> None:
        for name, data in await asyncio.to_thread(lambda: list(files.members())):
            self._writer.add(name, data)
        about, hours = await self._hours.of(self._lesson, self._person, self._head)
        self._add(form.LESSON, {"lesson": self._row(), **about})
        await self._people()
        await self._signatures()
        await self._entries()
        settlement = about["settlement"]
        if settlement is not None and settlement["revision"] not in self._revisions:
            raise PeerError("revised", "the hours were settled anew after that head", status=409)
        self._writer.begin(form.HOURS)
        async for line in hours:
            self._writer.write(line)
            await self._breathe()
        self._writer.end()
        await self._chat()
        await self._incidents()
        await self._recordings()

    async def _breathe(self) -> None:
        """Let others in, now and then: most of this waits for nothing."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._breathed_s > _SLICE_S:
            await asyncio.sleep(0)
            self._breathed_s = asyncio.get_running_loop().time()

    def _add(self, name: str, value: dict[str, Any]) -> None:
        self._writer.add(name, form.text_of(value))

    def _row(self) -> dict[str, Any]:
        lesson = self._lesson
        about = {
            "id": lesson.id,
            "title": lesson.title,
            "state": lesson.state,
            "created_at_ms": lesson.created_at_ms,
            "started_at_ms": lesson.started_at_ms,
            "ended_at_ms": lesson.ended_at_ms,
            "programmes": lesson.programmes,
            "policy": lesson.policy,
            "policy_version": lesson.policy_version,
            "preset": lesson.preset,
            "planned_s": lesson.planned_s,
            "course": lesson.course,
        }
        return about if self._person else about | {"instructor": lesson.instructor}

    async def _people(self) -> None:
        names = await self._store.attendance.names(self._lesson.id)
        some = sorted(names) if self._person is None else [p for p in (self._person,) if p in names]
        self._writer.begin(form.PEOPLE)
        for person in filter(names.get, some):
            self._writer.write(form.text_of({"person": person, "name": names[person]}))
        self._writer.end()

    async def _signatures(self) -> None:
        heads = self._store.heads
        keys = [key.document() for key in await heads.keys()]
        witnessed, places = [], []
        for name in sorted(await heads.witnesses()):
            found = await heads.witnessed(name, self._head.size) or await heads.witnessed(name)
            if found is None:
                continue
            size, answer = found
            path = await self._store.consistency(*sorted((size, self._head.size)))
            told = {"name": name, "consistency": [node.hex() for node in path]}
            public = self._publics.get(name)
            if public is not None and answer.get("key") == key_id(public):
                witnessed.append(told | {"public": public.hex(), "answer": answer})
                continue
            seen = await heads.since(size - 1, 1)
            if seen and seen[0].size == size:
                places.append(told | {"head": seen[0].document(), "kept": answer})
        self._add(form.HEAD, {"head": self._head.document(), "keys": keys, "witnessed": witnessed,
                              "places": places})  # fmt: skip

    # --- the ledger ---

    async def _entries(self) -> None:
        """Entries into their member and, meanwhile, their places into a file: both are read in order."""
        own = Own(self._person) if self._person is not None else None
        cover, between = Cover(), Between(self._store, self._head.size)
        self._writer.begin(form.ENTRIES)
        with tempfile.TemporaryFile() as places:
            told = 0
            async for page in self._pages():
                self._note(page)
                shown = [entry for entry in page if own is None or own.tells(entry)]
                self._writer.write(b"".join(form.entry_text(entry) + b"\n" for entry in shown))
                for entry in shown:
                    await between.hide(cover, told, entry.index)
                    places.write(_lines(cover.told(entry.index, entry.leaf)))
                    told = entry.index + 1
            await between.hide(cover, told, self._head.size)
            places.write(_lines(cover.rest()))
            self._writer.end()
            self._writer.begin(form.TREE)
            places.seek(0)
            while part := places.read(1 << 18):
                self._writer.write(part)
            self._writer.end()

    def _note(self, page: list[Entry]) -> None:
        for entry in page:
            if entry.type == "attendance_settled":
                self._revisions.add(entry.data["revision"])
            elif entry.type in ("chat", "incident"):
                self._beside.add(entry.data["id"])

    async def _pages(self) -> AsyncIterator[list[Entry]]:
        after = -1
        while True:
            page = await self._store.entries(after, _PAGE, self._lesson.id)
            yield [entry for entry in page if entry.index < self._head.size]
            if len(page) < _PAGE:
                return
            after = page[-1].index
            await asyncio.sleep(0)

    # --- beside the ledger ---

    async def _chat(self) -> None:
        self._writer.begin(form.CHAT)
        async for line in self._lines_of_chat():
            told = {
                "id": line.id,
                "person": line.person,
                "name": line.name,
                "role": line.role,
                "text": line.text,
                "at_ms": line.at_ms,
                "salt": line.salt.hex(),
                "state": line.state,
            }
            self._writer.write(form.text_of(told))
        self._writer.end()

    async def _lines_of_chat(self) -> AsyncIterator[ChatLine]:
        """Those that the ledger has by then; one that was erased has no salt, and proves nothing."""
        after = -1
        while True:
            page, following = await self._store.chat.page(self._lesson.id, after, _PAGE)
            for line in page:
                if line.salt and line.id in self._beside and self._person in (None, line.person):
                    yield line
            if following is None:
                return
            after = following

    async def _incidents(self) -> None:
        self._writer.begin(form.INCIDENTS)
        after: str | None = None
        while True:
            cases, after = await self._store.incidents.cases(Wanted(lesson=self._lesson.id), after, _PAGE)
            for case in cases:
                self._incident(case)
            if after is None:
                break
        self._writer.end()

    def _incident(self, case: Case) -> None:
        found, decided = case.incident, case.decided
        if self._person not in (None, found.person) or found.id not in self._beside:
            return
        told = {
            "id": found.id,
            "at_ms": found.at_ms,
            "kind": found.kind,
            "category": found.category,
            "action": found.action,
            "person": found.person,
            "line": found.line,
            "text": found.text or None,
            "salt": found.salt.hex(),
            "count": found.count,
            "state": case.state,
        }
        if self._person is None:
            told["decided"] = decided and {"outcome": decided.outcome, "note": decided.note,
                                           "by": decided.by, "at_ms": decided.at_ms}  # fmt: skip
        self._writer.write(form.text_of(told))

    async def _recordings(self) -> None:
        rows = await self._store.recordings.of(self._lesson.id)
        manifests: list[tuple[str, str]] = []
        self._writer.begin(form.RECORDINGS)
        for row in rows:
            key = f"{self._lesson.id}/{row.id}.manifest.jsonl"
            has = self._person is None and await self._is_there(key)
            if has:
                manifests.append((form.manifest_of(row.id), key))
            self._writer.write(form.text_of(_recording(row, key if has else None)))
        self._writer.end()
        for name, key in manifests:
            self._writer.begin(name)
            size = 0
            async for part in self._open_object(key):
                size += len(part)
                if size > _MANIFEST_MAX:
                    raise PeerError("internal", "a recording's manifest is too large", status=500)
                self._writer.write(part)
            self._writer.end()

    async def _is_there(self, key: str) -> bool:
        async with contextlib.aclosing(self._open_object(key)) as parts:
            async for _ in parts:
                return True
        return False


def _recording(row: Recording, key: str | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": row.state,
        "series": row.series,
        "reel": row.reel,
        "started_at_ms": row.started_at_ms,
        "sealed_at_ms": row.sealed_at_ms,
        "duration_ms": row.duration_ms,
        "size": row.size,
        "sha256": row.sha256,
        "path": row.path,
        "retain_until_ms": row.retain_until_ms,
        "locked": row.locked,
        "gaps": [dict(gap) for gap in row.gaps],
        "manifest": key and form.manifest_of(row.id),
        "manifest_key": key,
    }


def _lines(units: list[Unit]) -> bytes:
    return b"".join(map(unit_text, units))
