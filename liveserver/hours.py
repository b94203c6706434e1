"""What the HTTP edge asks about attendance and lesson hours, by lesson and person id.

The seam for people, courses and classes: a person is the id of a token, a course the one a lesson names.
"""

from __future__ import annotations

from liveserver import sheet
from liveserver.adjustments import Adjustments
from liveserver.attendance import Attendance
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.messages import Json
from liveserver.sheet import Sheet, Sheets
from liveserver.statistics import Statistics
from liveserver.store import Lesson, Store


class Hours:
    """One node's. Everything raises PeerError `unknown_lesson` or `unknown_person` (404)."""

    def __init__(self, store: Store, attendance: Attendance, clock: Clock):
        self._store = store
        self._attendance = attendance
        self._sheets = Sheets(store, attendance)
        self._adjustments = Adjustments(store, attendance, clock)
        self.statistics = Statistics(store, clock)

    async def attendance(self, lesson_id: str, after: str, limit: int) -> Json:
        """A page of a lesson's sheet, by person."""
        lesson = await self._lesson(lesson_id)
        found = await self._sheets.of(lesson, after, limit + 1)
        rows = found.rows[:limit]
        return {
            "items": rows,
            "next": rows[-1]["person"] if len(found.rows) > limit else None,
            "teaching_s": found.about.teaching_s,
            "lecturer_s": found.about.lecturer_s,
            "preset": found.about.policy.preset,
            "settlement": sheet.settlement(found.settlement),
        }

    async def sheet(self, lesson_id: str) -> Sheet:
        """The whole sheet, for an export."""
        return await self._sheets.of(await self._lesson(lesson_id))

    async def explained(self, lesson_id: str, person: str) -> Json:
        """One learner's hours with everything they were reckoned from."""
        return await self._sheets.explained(await self._lesson(lesson_id), person)

    async def own(self, person: str, lesson_id: str) -> Json:
        """A learner's own hours; `lesson_id` is where the token is for."""
        return await self._sheets.own(person, await self._store.lesson(lesson_id))

    async def settlements(self, lesson_id: str) -> Json:
        """Every revision of a lesson's attendance, the first first."""
        await self._lesson(lesson_id)
        found = await self._store.attendance.settlements(lesson_id)
        return {"items": [sheet.settlement(one) for one in found], "next": None}

    async def adjustments(self, lesson_id: str) -> Json:
        await self._lesson(lesson_id)
        found = await self._store.attendance.adjustments(lesson_id)
        return {"items": [sheet.adjustment(one) for one in found], "next": None}

    async def ask_adjustment(self, lesson_id: str, person: str, delta_s: int, reason: str, by: str) -> Json:
        lesson = await self._lesson(lesson_id)
        return sheet.adjustment(await self._adjustments.request(lesson, person, delta_s, reason, by))

    async def decide_adjustment(self, adjustment: str, *, approve: bool, words: str, by: str) -> Json:
        found = await self._adjustments.decide(adjustment, approve=approve, words=words, by=by)
        return sheet.adjustment(found)

    async def _lesson(self, lesson_id: str) -> Lesson:
        lesson = await self._store.lesson(lesson_id)
        if lesson is None:
            raise PeerError("unknown_lesson", "no such lesson", status=404)
        return lesson
