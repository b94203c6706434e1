"""The attendance sheet of a lesson: results as people read them, in the REST API and in exports.

Everything is built from `core.attendance.Record.as_json`, whether it was reckoned now or settled long ago.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from liveserver import shapes
from liveserver.core.attendance import About
from liveserver.core.earning import Reason
from liveserver.core.errors import PeerError
from liveserver.core.hours import shown
from liveserver.core.messages import Json
from liveserver.hours.attendance import Attendance, Standing, course_of, in_slices
from liveserver.store import Adjustment, Lesson, Settlement, Store


@dataclass(frozen=True, slots=True)
class Sheet:
    """A lesson with its rows, by person; `settlement` is None while they are provisional."""

    lesson: Lesson
    about: About
    rows: list[Json]
    settlement: Settlement | None


class Sheets:
    """Makes sheets of what `attendance` knows."""

    def __init__(self, store: Store, attendance: Attendance):
        self._store = store
        self._book = store.attendance
        self._attendance = attendance

    async def of(self, lesson: Lesson, after: str = "", limit: int | None = None) -> Sheet:
        """The sheet: settled if it is, else how things stand; at most `limit` rows behind `after`."""
        standing = await self._attendance.standing(lesson, after, limit)
        return Sheet(lesson, standing.about, await self._rows(lesson, standing), standing.settlement)

    async def explained(self, lesson: Lesson, person: str) -> Json:
        """One learner's hours with everything they were reckoned from."""
        standing = await self._attendance.standing_of(lesson, person)
        (row,) = await self._rows(lesson, standing)
        about, voids = standing.about, standing.results[0]["void"]
        lost: dict[str, int] = {}
        for start, end, reason in voids:
            lost[reason] = lost.get(reason, 0) + end - start
        asked = [found for found in await self._book.adjustments(lesson.id) if found.person == person]
        return row | {
            "lesson": lesson.id,
            "title": lesson.title,
            "teaching_s": about.teaching_s,
            "lecturer_s": about.lecturer_s,
            "teaching": _spans(about.teaching),
            "lecturer": _spans(about.lecturer),
            "reckoned_s": standing.results[0]["reckoned_ms"] // 1000,
            "lost": [
                {"reason": reason, "seconds": ms // 1000, "clause": about.policy.clauses[Reason(reason)]}
                for reason, ms in lost.items()
            ],
            "days": standing.results[0]["days"],
            "policy": about.policy.as_json(),
            "settlement": settlement(standing.settlement),
            "adjustments": [adjustment(found) for found in asked],
        }

    async def own(self, person: str, now: Lesson | None) -> Json:
        """A learner's lessons, the newest first, with the one that is under way, and their sum."""
        items = []
        if now is not None and not await self._book.settlements(now.id):
            with contextlib.suppress(PeerError):  # who never came has nothing there
                (result,) = (await self._attendance.standing_of(now, person)).results
                items.append(_own(now, result, None))
        for row in await self._book.of_person(person):
            lesson = await self._store.lessons.one(row.lesson)
            if lesson is not None:
                items.append(_own(lesson, json.loads(row.result), row.revision))
        credited_s = sum(item["credited_s"] for item in items)
        return {"items": items, "next": None, "credited_s": credited_s, "lesson_hours": shown(credited_s)}

    async def _rows(self, lesson: Lesson, standing: Standing) -> list[Json]:
        people = [result["person"] for result in standing.results]
        names = await self._book.names(lesson.id)
        before = await self._book.cumulative(
            course_of(lesson), lesson.started_at_ms or lesson.created_at_ms, people
        )
        clauses = standing.about.policy.clauses
        return await in_slices(
            _row(result, names.get(result["person"], ""), before.get(result["person"], 0), clauses)
            for result in standing.results
        )


def settlement(found: Settlement | None) -> Json | None:
    """How an answer says which revision it is; None while it is provisional."""
    if found is None:
        return None
    return {
        "revision": found.revision,
        "at": shapes.time(found.at_ms),
        "reason": found.reason,
        "ledger_size": found.ledger_size,
        "sha256": found.result_sha256,
    }


def adjustment(found: Adjustment) -> Json:
    return {
        "id": found.id,
        "lesson": found.lesson,
        "person": found.person,
        "delta_s": found.delta_s,
        "reason": found.reason,
        "state": found.state,
        "requested_by": found.requested_by,
        "requested_at": shapes.time(found.requested_at_ms),
        "decided_by": found.decided_by,
        "decided_at": shapes.time(found.decided_at_ms),
        "decision": found.decision,
        "challenge": found.challenge,
        "after": found.after,
    }


def _row(result: Mapping[str, Any], name: str, before_s: int, clauses: Mapping[Reason, str]) -> Json:
    """`before_s`: present in earlier lessons of the course."""
    session_s = result["session_ms"] // 1000
    return {
        "person": result["person"],
        "name": name,
        "first_online_at": shapes.time(result["first_online_ms"]),
        "last_offline_at": shapes.time(result["last_offline_ms"]),
        "spans": _spans(result["spans"]),
        "session_s": session_s,
        "cumulative_s": before_s + session_s,
        "credited_s": result["credited_s"],
        "adjusted_s": result["adjusted_s"],
        "lesson_hours": shown(result["credited_s"]),
        "status": result["status"],
        "checks": result["checks"],
        "void": [
            {
                "from": shapes.time(start),
                "to": shapes.time(end),
                "reason": reason,
                "clause": clauses[Reason(reason)],
            }
            for start, end, reason in result["void"]
        ],
    }


def _own(lesson: Lesson, result: Mapping[str, Any], revision: int | None) -> Json:
    return {
        "lesson": lesson.id,
        "title": lesson.title,
        "course": course_of(lesson),
        "started_at": shapes.time(lesson.started_at_ms),
        "session_s": result["session_ms"] // 1000,
        "credited_s": result["credited_s"],
        "lesson_hours": shown(result["credited_s"]),
        "status": result["status"],
        "checks": result["checks"],
        "revision": revision,
    }


def _spans(spans: Iterable[Sequence[int]]) -> list[Json]:
    return [{"from": shapes.time(start), "to": shapes.time(end)} for start, end in spans]
