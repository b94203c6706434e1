"""Statistics over settled lessons, by learner and by course (REQ-R2, R3, R5), as `core.statistics` has them.

What a course requires is what was planned for it, else what its lessons' preset says, else the sum of what
was planned for them; where nothing is known nobody is said to have finished.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.hours import LESSON_S, shown
from liveserver.core.messages import Json
from liveserver.core.presets import preset
from liveserver.core.statistics import MAX_DAYS, Day, State, added, reach, series, state
from liveserver.core.times import china_day, day_number
from liveserver.hours.progress import Progress
from liveserver.store import Attended, DayHours, Store

_USUALLY_DAYS = 30


class Statistics:
    """Reads what was settled; what is not settled yet does not count."""

    def __init__(self, store: Store, clock: Clock, progress: Progress):
        self._progress = progress
        self._book = store.attendance
        self._people = store.people
        self._clock = clock

    async def learner(self, person: str, since: str | None, until: str | None) -> Json:
        """One learner's hours: ever, over a period, by course and by project."""
        from_day, to_day = self._period(since, until)
        first, after = reach(from_day, to_day)
        days = await self._book.days(person=person, from_day=first, until_day=after)
        rows = await self._book.of_person(person)
        courses = [
            await self._course_of(course, [row for row in rows if row.course == course])
            for course in sorted({row.course for row in rows})
        ]
        states = [course["state"] for course in courses]
        return {
            "person": person,
            **_sums(rows),
            **_period_json(days, from_day, to_day),
            "courses": {
                "joined": len(courses),
                "finished": states.count(State.FINISHED),
                "unfinished": states.count(State.UNFINISHED),
                "items": courses,
            },
            "projects": await self._progress.of_person(person),
        }

    async def course(self, course: str, since: str | None, until: str | None) -> Json:
        """A course's hours, over all its learners and by each. Raises PeerError `not_found` (404)."""
        from_day, to_day = self._period(since, until)
        rows = await self._book.of_course(course)
        if not rows:
            raise PeerError("not_found", "nothing was settled for such a course", status=404)
        first, after = reach(from_day, to_day)
        days = await self._book.days(course=course, from_day=first, until_day=after)
        required_s = await self._required_s(course)
        names = await self._names(rows)
        learners = [
            {"person": person, "name": names.get(person, ""), **_sums(own), "state": _state(own, required_s)}
            for person, own in sorted(_by_person(rows).items())
        ]
        return {
            "course": course,
            "required_s": required_s,
            "held_lessons": len({row.lesson for row in rows}),
            "learners": len(learners),
            "finished": sum(learner["state"] is State.FINISHED for learner in learners),
            **_sums(rows),
            **_period_json(days, from_day, to_day),
            "items": learners,
            "next": None,
        }

    def _period(self, since: str | None, until: str | None) -> tuple[Day, Day]:
        """Both days included; the last 30 unless said. Raises PeerError `bad_request`."""
        today = china_day(self._clock.wall_ms())
        try:
            to_day = today if until is None else day_number(until)
            from_day = to_day - _USUALLY_DAYS + 1 if since is None else day_number(since)
        except ValueError as error:
            raise PeerError("bad_request", f"from and to are days: {error}") from error
        if not 0 <= to_day - from_day < MAX_DAYS or from_day < 0:
            raise PeerError("bad_request", f"a period of 1 to {MAX_DAYS} days is expected")
        return from_day, to_day

    async def _course_of(self, course: str, rows: Sequence[Attended]) -> Json:
        required_s = await self._required_s(course)
        return {
            "course": course,
            **_sums(rows),
            "required_s": required_s,
            "state": _state(rows, required_s),
        }

    async def _required_s(self, course: str) -> int | None:
        lessons = await self._book.lessons_of(course)
        kept = await self._people.course_named(course)
        if kept is not None and kept.planned_lesson_hours:
            return kept.planned_lesson_hours * LESSON_S
        hours = max((preset(lesson.preset).conditions.required_hours for lesson in lessons), default=0)
        return hours * LESSON_S or sum(lesson.planned_s or 0 for lesson in lessons) or None

    async def _names(self, rows: Iterable[Attended]) -> Mapping[str, str]:
        """The newest name of each learner."""
        names: dict[str, str] = {}
        for lesson in dict.fromkeys(row.lesson for row in rows):
            names |= await self._book.names(lesson)
        return names


def _sums(rows: Sequence[Attended]) -> Json:
    credited_s = sum(row.credited_s for row in rows)
    return {
        "lessons": len(rows),
        "session_s": sum(row.session_s for row in rows),
        "cumulative_s": credited_s,
        "lesson_hours": shown(credited_s),
    }


def _period_json(days: Iterable[DayHours], from_day: Day, to_day: Day) -> Json:
    return series(added((day.day, day.credited_s) for day in days), from_day, to_day).as_json()


def _state(rows: Iterable[Attended], required_s: int | None) -> State:
    return state(sum(row.credited_s for row in rows), required_s)


def _by_person(rows: Iterable[Attended]) -> dict[str, list[Attended]]:
    people: dict[str, list[Attended]] = {}
    for row in rows:
        people.setdefault(row.person, []).append(row)
    return people
