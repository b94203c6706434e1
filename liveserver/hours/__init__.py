"""What the HTTP edge asks about attendance and lesson hours, by lesson and person id.

The seam for people, courses and classes: a person is the id of a token, a course the one a lesson names.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

from liveserver.clock import Clock
from liveserver.core.ledger import JSON, Fact
from liveserver.core.messages import Json
from liveserver.hours import sheet
from liveserver.hours.adjustments import Adjustments, OpenRooms
from liveserver.hours.attendance import Attendance
from liveserver.hours.export import Made, to_csv
from liveserver.hours.export_xlsx import to_xlsx
from liveserver.hours.grants import Grants
from liveserver.hours.progress import Progress
from liveserver.hours.sheet import Sheets
from liveserver.hours.sheet_people import SheetPeople
from liveserver.hours.statistics import Statistics
from liveserver.store import Store
from liveserver.tokens import Claims


class Hours:
    """One node's. Everything raises PeerError `unknown_lesson` or `unknown_person` (404)."""

    def __init__(
        self,
        store: Store,
        attendance: Attendance,
        clock: Clock,
        people: SheetPeople | None = None,
        rooms: OpenRooms | None = None,
    ):
        self._people = people
        self._store = store
        self._attendance = attendance
        self._sheets = Sheets(store, attendance)
        self._adjustments = Adjustments(store, attendance, clock, rooms)
        self.progress = Progress(store)
        self.statistics = Statistics(store, clock, self.progress)
        self.grants = Grants(store, clock)
        self._clock = clock

    async def attendance(self, lesson_id: str, after: str, limit: int) -> Json:
        """A page of a lesson's sheet, by person."""
        lesson = await self._store.lessons.known(lesson_id)
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

    async def explained(self, lesson_id: str, person: str) -> Json:
        """One learner's hours with everything they were reckoned from."""
        return await self._sheets.explained(await self._store.lessons.known(lesson_id), person)

    async def own(self, person: str, lesson_id: str) -> Json:
        """A learner's own hours; `lesson_id` is where the token is for."""
        return await self._sheets.own(person, await self._store.lessons.one(lesson_id))

    async def settlements(self, lesson_id: str) -> Json:
        """Every revision of a lesson's attendance, the first first."""
        await self._store.lessons.known(lesson_id)
        found = await self._store.attendance.settlements(lesson_id)
        return {"items": [sheet.settlement(one) for one in found], "next": None}

    async def adjustments(self, lesson_id: str) -> Json:
        await self._store.lessons.known(lesson_id)
        found = await self._store.attendance.adjustments(lesson_id)
        return {"items": [sheet.adjustment(one) for one in found], "next": None}

    async def ask_adjustment(self, lesson_id: str, person: str, delta_s: int, reason: str, by: str) -> Json:
        lesson = await self._store.lessons.known(lesson_id)
        return sheet.adjustment(await self._adjustments.request(lesson, person, delta_s, reason, by))

    async def decide_adjustment(self, adjustment: str, *, approve: bool, words: str, by: str) -> Json:
        found = await self._adjustments.decide(adjustment, approve=approve, words=words, by=by)
        return sheet.adjustment(found)

    async def excuse(
        self, lesson_id: str, challenge: str, person: str, reason: str, by: str, *, excused: bool
    ) -> Json:
        """Excuse a missed check, or take that back: at once, or asked for once the lesson is over."""
        lesson = await self._store.lessons.known(lesson_id)
        done = await self._adjustments.excuse(lesson, challenge, person, reason, by, excused=excused)
        return sheet.adjustment(done)

    async def export(self, lesson_id: str, kind: str, claims: Claims, grant: str | None) -> bytes:
        """The sheet as `xlsx` or `csv`, masked unless `grant` says otherwise; the ledger knows of it.

        Raises PeerError as `Grants.require` does.
        """
        lesson = await self._store.lessons.known(lesson_id)
        watermark = ""
        if grant is not None:
            found = self.grants.require(grant, lesson_id, claims.person)
            watermark = f"未脱敏,仅限:{found.reason}"
        sheet = await self._sheets.of(lesson)
        now_ms = self._clock.wall_ms()
        made = Made(claims.person, now_ms, grant is None, watermark)
        if self._people is not None:
            made = replace(made, people=await self._people.of(lesson, masked=grant is None))
        data = await asyncio.to_thread(to_xlsx if kind == "xlsx" else to_csv, sheet, made)
        said: dict[str, JSON] = {
            "by": claims.person,
            "kind": kind,
            "masked": grant is None,
            "grant": grant,
            "rows": len(sheet.rows),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        await self._store.append([Fact("export", lesson_id, now_ms, said)])
        return data

    async def ask_export(self, lesson_id: str, reason: str, by: str) -> Json:
        await self._store.lessons.known(lesson_id)
        return (await self.grants.ask(lesson_id, reason, by)).as_json()

    async def agree_export(self, grant: str, by: str) -> Json:
        return (await self.grants.agree(grant, by)).as_json()
