"""Recordings as they are shown, and who may play them."""

from __future__ import annotations

from liveserver import shapes
from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Level
from liveserver.core.messages import Json
from liveserver.core.permissions import Permission, Role, allows
from liveserver.cut.guard import Guard
from liveserver.store import Store


class Playback:
    """On the main loop."""

    def __init__(self, store: Store, guard: Guard):
        self._store = store
        self._guard = guard

    async def recordings(self, lesson_id: str | None, after: str | None, limit: int) -> Json:
        """The recordings of one lesson, or a page of all of them."""
        if lesson_id is not None:
            lesson = await self._store.lessons.known(lesson_id)
            found = await self._store.recordings.of(lesson_id)
            return {"items": [shapes.recording(r, lesson.title) for r in found], "next": None}
        page, following = await self._store.recordings.page(after, limit)
        titles: dict[str, str] = {}
        for recording in page:
            if recording.lesson not in titles:
                lesson_or_none = await self._store.lessons.one(recording.lesson)
                titles[recording.lesson] = lesson_or_none.title if lesson_or_none else ""
        return {"items": [shapes.recording(r, titles[r.lesson]) for r in page], "next": following}

    async def recording(self, recording_id: str) -> Json:
        """One recording. Raises PeerError `not_found`."""
        found = await self._store.recordings.one(recording_id)
        if found is None:
            raise PeerError("not_found", "there is no such recording", status=404)
        lesson = await self._store.lessons.one(found.lesson)
        return shapes.recording(found, lesson.title if lesson else "")

    async def reels(self, recording_id: str) -> list[Json]:
        """All reels of the recording that this one belongs to, in their order; none if there is none."""
        found = await self._store.recordings.one(recording_id)
        if found is None:
            return []
        lesson = await self._store.lessons.one(found.lesson)
        title = lesson.title if lesson else ""
        return [shapes.recording(reel, title) for reel in await self._store.recordings.reels(found)]

    def may_play(self, lesson_id: str, person: str, role: str) -> None:
        """Recordings of a cut lesson are for those who judge it, and never for a person removed from it.

        Raises PeerError lesson_cut, person_removed (410).
        """
        kill = self._guard.kill_of(lesson_id)
        if person in kill.removed:
            raise PeerError("person_removed", kill.removed[person].reason, status=410)
        judges = any(one == role and allows(one, Permission.SEE_EVIDENCE) for one in Role)
        if Level.LESSON in kill.cuts and not judges:
            raise PeerError("lesson_cut", kill.cuts[Level.LESSON].reason, status=410)
