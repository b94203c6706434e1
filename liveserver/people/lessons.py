"""Lessons of classes: what they belong to, who may come, what they start under; timetables."""

from __future__ import annotations

from dataclasses import dataclass

from liveserver.core.errors import PeerError
from liveserver.core.people import Assigned, Enrolled
from liveserver.core.permissions import Role
from liveserver.people.classes import ROSTER_MOST, Classes
from liveserver.store import Lesson, Store
from liveserver.store.people_model import Person


@dataclass(frozen=True, slots=True)
class Placement:
    """What a lesson belongs to, with what it is given from there; `course` is a name."""

    training_class: str = ""
    course_id: str = ""
    course: str = ""
    project: str = ""
    preset: str = ""
    programmes: str = ""


class ClassLessons:
    """Owned by the main loop. Raises PeerError for what is refused."""

    def __init__(self, store: Store, classes: Classes):
        self._people = store.people
        self._classes = classes

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
            return lesson.preset
        project, closed = await self._classes.closed(lesson.training_class)
        if closed:
            first = closed[0]
            detail = f"{first.detail} ({first.clause})" if first.clause else first.detail
            raise PeerError(first.gate, detail, status=409)
        return project.preset

    async def require_member(self, training_class: str, person: str, role: Role) -> None:
        """Learners of a class's lesson are its own. Raises PeerError `not_enrolled` (403)."""
        if not training_class or role is not Role.LEARNER:
            return
        if not await self._people.roster.is_enrolled(training_class, person):
            raise PeerError("not_enrolled", "the lesson is for the learners of its class", status=403)

    async def learners(self, training_class: str) -> list[Person]:
        """Everybody who is enrolled, by name."""
        members = await self._people.roster.all(training_class, Enrolled.ENROLLED, ROSTER_MOST)
        return [member.person for member in members]

    async def teacher(self, training_class: str, person: str) -> Person:
        """Raises PeerError `not_assigned` (409)."""
        row = await self._people.teachers.get(training_class, person)
        if row is None or row.status != Assigned.ASSIGNED:
            raise PeerError("not_assigned", "the person does not teach this class", status=409)
        return await self._classes.person(person)

    async def learner(self, training_class: str, person: str) -> Person:
        """Raises PeerError `not_enrolled` (403)."""
        await self.require_member(training_class, person, Role.LEARNER)
        return await self._classes.person(person)


def _agreed(project: str, other: str, whose: str) -> str:
    if project and other and project != other:
        raise PeerError("wrong_course", f"{whose} belongs to another project", status=422)
    return project or other
