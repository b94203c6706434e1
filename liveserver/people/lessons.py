"""Lessons of classes: what they belong to, who may come, what they start under; timetables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.people import Enrolled, Placement
from liveserver.core.permissions import Role
from liveserver.people.calendar import event_of, to_ics
from liveserver.people.classes import Classes
from liveserver.people.members import ROSTER_MOST, ClassMembers
from liveserver.people.roll import Roll
from liveserver.store import Lesson, Store
from liveserver.store.model.people import Person, Project, TrainingClass
from liveserver.tokens import ALL_LESSONS, Claims


@dataclass(frozen=True, slots=True)
class Own:
    """A lesson of somebody's class, and what the person is in it."""

    lesson: Lesson
    training_class: TrainingClass
    project: Project | None
    role: Role


class ClassLessons:
    """Owned by the main loop. Raises PeerError for what is refused."""

    def __init__(self, store: Store, clock: Clock, classes: Classes, members: ClassMembers, roll: Roll):
        self._lesson = store.lessons.one
        self._people = store.people
        self._planned = store.planned
        self._clock = clock
        self._classes = classes
        self._members = members
        self._roll = roll

    async def place(self, training_class: str, course: str, project: str) -> Placement:
        """What a new lesson belongs to. `course`: a course's id, or the name of one that nobody keeps.

        Raises PeerError `unknown_class`, `unknown_course`, `unknown_project`, `wrong_course` (422),
        `archived` (409).
        """
        if training_class:
            found = await self._classes.require_active(training_class)
            project = _agreed(project, found.project, "the class")
        kept = await self._people.courses.get(course) if course else None
        if kept is not None:
            project = _agreed(project, kept.project, "the course")
        if not project:
            name = kept.name if kept else course
            return Placement(training_class, kept.id if kept else "", name)
        of = await self._classes.project(project)
        return Placement(
            training_class,
            kept.id if kept else "",
            kept.name if kept else course,
            project,
            of.preset,
            of.programmes,
        )

    async def require_open(self, lesson: Lesson) -> str:
        """The policy of lesson hours a lesson starts under. Raises PeerError (409) for a closed gate."""
        if not lesson.training_class:
            project = await self._people.projects.get(lesson.project) if lesson.project else None
            return project.preset if project else lesson.preset
        project, closed = await self._classes.closed(lesson.training_class)
        if closed:
            first = closed[0]
            detail = f"{first.detail} ({first.clause})" if first.clause else first.detail
            raise PeerError(first.gate, detail, status=409)
        return project.preset

    async def require_member(self, training_class: str, claims: Claims) -> None:
        """A class's lesson is for its own. Raises PeerError `not_enrolled`, `not_assigned` (403).

        Who holds an instructor's token of one lesson was given it for that.
        """
        if claims.role is Role.LEARNER and not await self._roll.learns(training_class, claims.person):
            raise PeerError("not_enrolled", "the lesson is for the learners of its class", status=403)
        if claims.role is not Role.INSTRUCTOR or claims.lesson != ALL_LESSONS:
            return
        if not await self._roll.teaches(training_class, claims.person):
            raise PeerError("not_assigned", "you do not teach this class", status=403)

    async def invited(
        self, training_class: str, role: Role, person: str | None, *, roster: bool
    ) -> list[Person]:
        """Those who are to have tokens of a lesson: the whole roster, or one person; nobody by name alone.

        Raises PeerError `person_needed` (422) for a class's lesson, `not_enrolled`, `not_assigned` (403).
        """
        if roster:
            if not training_class or role is not Role.LEARNER:
                raise PeerError("bad_request", "the roster is of a class's learners")
            members = await self._people.roster.all(training_class, Enrolled.ENROLLED, ROSTER_MOST)
            return [member.person for member in members]
        if person is None:
            if training_class and role is Role.LEARNER:
                raise PeerError("person_needed", "name a learner of the class, or the roster", status=422)
            return []
        found = await self._members.person(person)
        if training_class and role is Role.LEARNER and not await self._roll.learns(training_class, person):
            raise PeerError("not_enrolled", "the person does not learn in this class", status=403)
        if (
            training_class
            and role is Role.INSTRUCTOR
            and not await self._roll.teaches(training_class, person)
        ):
            raise PeerError("not_assigned", "the person does not teach this class", status=403)
        return [found]

    async def timetable(
        self, training_class: str, after: str | None, limit: int
    ) -> tuple[list[Lesson], str | None]:
        """The lessons of a class, the last planned one first. Raises PeerError `not_found` (404)."""
        await self._classes.require(training_class)
        return await self._planned.of_class(training_class, after, limit)

    async def mine(self, person: str, after: str | None, limit: int) -> tuple[list[Own], str | None]:
        """The lessons of the classes somebody learns or teaches in, the last planned one first."""
        lessons, following = await self._planned.of_person(person, after, limit)
        taught = await self._planned.taught_by(person)
        classes = await self._people.classes.named([one.training_class for one in lessons])
        projects = await self._people.projects.named([one.project for one in lessons if one.project])
        return [
            Own(
                lesson,
                classes[lesson.training_class],
                projects.get(lesson.project),
                Role.INSTRUCTOR if lesson.training_class in taught else Role.LEARNER,
            )
            for lesson in lessons
        ], following

    async def role_of(self, lesson: str, person: str) -> Role:
        """What somebody is in a lesson, by his place in its class.

        Raises PeerError `unknown_lesson` (404), `not_enrolled` (403).
        """
        found = await self._lesson(lesson)
        if found is None:
            raise PeerError("unknown_lesson", "there is no such lesson", status=404)
        if found.training_class and await self._roll.teaches(found.training_class, person):
            return Role.INSTRUCTOR
        if found.training_class and await self._roll.learns(found.training_class, person):
            return Role.LEARNER
        raise PeerError("not_enrolled", "the lesson is for those of its class", status=403)

    async def replan(
        self, lesson: str, planned_start_ms: int | None, planned_s: int | None, by: str
    ) -> Lesson:
        """Another time for a lesson that has not begun; raises as `Planned.replan`."""
        return await self._planned.replan(lesson, planned_start_ms, planned_s, by, self._clock.wall_ms())

    async def name(self, person: str) -> str:
        """Under which somebody is known here; empty for who is not."""
        found = await self._people.persons.get(person)
        return found.name if found else ""

    async def calendar(self, lessons: Sequence[Lesson], title: str, base_url: str) -> bytes:
        """Lessons as iCalendar."""
        names = [one.training_class for one in lessons if one.training_class]
        classes = await self._people.classes.named(names)
        now_ms = self._clock.wall_ms()
        events = [event_of(one, classes.get(one.training_class), base_url) for one in lessons]
        return to_ics([event for event in events if event is not None], title, now_ms)


def _agreed(project: str, other: str, whose: str) -> str:
    if project and other and project != other:
        raise PeerError("wrong_course", f"{whose} belongs to another project", status=422)
    return project or other
