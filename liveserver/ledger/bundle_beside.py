"""What stands beside the ledger in an evidence bundle: chat, incidents, recordings."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Set
from typing import Any

from liveserver.core.bundle import form
from liveserver.core.bundle.form import BundleWriter
from liveserver.core.errors import PeerError
from liveserver.store import Case, ChatLine, Lesson, Recording, Store
from liveserver.store.incidents import Wanted

PAGE = 100
"""Rows at once: some milliseconds of the loop, which may be a live node's."""
_MANIFEST_MAX = 64 * 1024 * 1024

Open = Callable[[str], AsyncGenerator[bytes, None]]
"""An object of the archive by its key; nothing comes of one that is not there."""


class Beside:
    """Of one bundle. `known`: ids of the lines and incidents that the ledger has by then."""

    def __init__(
        self,
        store: Store,
        writer: BundleWriter,
        lesson: Lesson,
        person: str | None,
        known: Set[Any],
        open_object: Open,
    ):
        self._store = store
        self._writer = writer
        self._lesson = lesson
        self._person = person
        self._known = known
        self._open_object = open_object

    async def chat(self) -> None:
        """The lines of the lesson, or the learner's own."""
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
            page, following = await self._store.chat.page(self._lesson.id, after, PAGE)
            for line in page:
                if line.salt and line.id in self._known and self._person in (None, line.person):
                    yield line
            if following is None:
                return
            after = following

    async def incidents(self) -> None:
        """What screening found, and what was decided."""
        self._writer.begin(form.INCIDENTS)
        after: str | None = None
        while True:
            cases, after = await self._store.incidents.cases(Wanted(lesson=self._lesson.id), after, PAGE)
            for case in cases:
                self._incident(case)
            if after is None:
                break
        self._writer.end()

    def _incident(self, case: Case) -> None:
        found, decided = case.incident, case.decided
        if self._person not in (None, found.person) or found.id not in self._known:
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

    async def recordings(self) -> None:
        """Where they are, and of a lesson their manifests."""
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
