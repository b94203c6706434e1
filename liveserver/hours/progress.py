"""How far learners are in a project: what its lessons were worth together, against what the programme asks.

The seconds of all its courses are added before anything is rounded (REQ-E1 to E6, R3; DOMAIN 9.1, 9.7). Who
is enrolled and has not come yet is listed too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from liveserver.core.completion import Conditions, Standing, standing
from liveserver.core.errors import PeerError
from liveserver.core.hours import shown
from liveserver.core.messages import Json
from liveserver.core.presets import preset
from liveserver.core.statistics import State, state
from liveserver.store import ProjectSum, Store
from liveserver.store.model.people import Project


class Progress:
    """Reads what was settled; what is not settled yet does not count."""

    def __init__(self, store: Store):
        self._book = store.attendance
        self._people = store.people

    async def of_project(self, project_id: str) -> Json:
        """Its learners, each with what he has and what is asked. Raises PeerError `not_found` (404)."""
        project = await self._people.projects.get(project_id)
        if project is None:
            raise PeerError("not_found", "there is no such project", status=404)
        sums = {row.person: row for row in await self._book.of_projects(project=project.id)}
        people = sorted({*sums, *await self._people.learners_of(project.id)})
        names = await self._names(project.id, people)
        items = [
            {"person": person, "name": names.get(person, ""), **_far(project, person, sums.get(person))}
            for person in people
        ]
        conditions = conditions_of(project)
        return {
            "project": project.id,
            "name": project.name,
            "preset": project.preset,
            "required_hours": conditions.required_hours,
            "learners": len(items),
            "finished": sum(item["state"] is State.FINISHED for item in items),
            "items": items,
            "next": None,
        }

    async def of_person(self, person: str) -> list[Json]:
        """The projects one learner is enrolled in or has attended, by name."""
        sums = {row.project: row for row in await self._book.of_projects(person=person)}
        found = await self._people.projects.named({*sums, *await self._people.projects_of(person)})
        return [
            {"project": project.id, "name": project.name, **_far(project, person, sums.get(project.id))}
            for project in sorted(found.values(), key=lambda one: (one.name, one.id))
        ]

    async def _names(self, project: str, people: Iterable[str]) -> dict[str, str]:
        """As the administrator keeps them; for others as they were known in the lessons."""
        kept = await self._people.persons.named(people)
        return await self._book.names_in(project) | {key: person.name for key, person in kept.items()}


def conditions_of(project: Project) -> Conditions:
    """The preset's, with the hours that the project itself says."""
    conditions = preset(project.preset).conditions
    return replace(conditions, required_hours=project.required_lesson_hours or conditions.required_hours)


def _far(project: Project, person: str, found: ProjectSum | None) -> Json:
    own = found or ProjectSum(project.id, person, 0, 0)
    stands: Standing = standing(conditions_of(project), live_s=own.credited_s)
    return {
        "lessons": own.lessons,
        "counted_s": stands.counted_s,
        "lesson_hours": shown(stands.counted_s),
        "required_s": stands.required_s or None,
        "state": state(stands.counted_s, stands.required_s),
    }
