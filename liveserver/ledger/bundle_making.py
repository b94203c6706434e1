"""One evidence bundle on its way: what it says of the lesson, its people, signatures, entries and hours."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from typing import Any

from liveserver.core.bundle import files, form
from liveserver.core.bundle.cover import Cover, Unit, unit_text
from liveserver.core.bundle.form import BundleWriter
from liveserver.core.bundle.own import Own
from liveserver.core.errors import PeerError
from liveserver.core.heads import Head, key_id
from liveserver.core.ledger import Entry
from liveserver.ledger.bundle_beside import PAGE, Beside, Open
from liveserver.ledger.bundle_hours import BundleHours
from liveserver.ledger.bundle_tree import Between
from liveserver.store import Lesson, Store

_SLICE_S = 0.002


class Making:
    """`publics`: the keys of witnesses by their names."""

    def __init__(
        self,
        store: Store,
        hours: BundleHours,
        open_object: Open,
        publics: Mapping[str, bytes | None],
        writer: BundleWriter,
        lesson: Lesson,
        person: str | None,
        head: Head,
    ):
        self._store = store
        self._hours = hours
        self._open_object = open_object
        self._publics = publics
        self._writer = writer
        self._lesson = lesson
        self._person = person
        self._head = head
        # What the ledger has by then: settlements, and what of chat and screening stands beside it.
        self._revisions: set[Any] = set()
        self._beside: set[Any] = set()
        self._breathed_s = 0.0

    async def run(self) -> None:
        """Raises PeerError `revised` (409), `unknown_person` (404)."""
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
        beside = Beside(
            self._store, self._writer, self._lesson, self._person, self._beside, self._open_object
        )
        await beside.chat()
        await beside.incidents()
        await beside.recordings()

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
            page = await self._store.entries(after, PAGE, self._lesson.id)
            yield [entry for entry in page if entry.index < self._head.size]
            if len(page) < PAGE:
                return
            after = page[-1].index
            await asyncio.sleep(0)


def _lines(units: list[Unit]) -> bytes:
    return b"".join(map(unit_text, units))
