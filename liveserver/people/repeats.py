"""Whether a learner's place repeats another one, where the programme asks (`core.subsidy`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from liveserver.core.errors import PeerError
from liveserver.core.presets import preset
from liveserver.core.subsidy import CLAUSE, Place, repeated, year_of
from liveserver.store import Store
from liveserver.store.model.people import Enrolment, TrainingClass


class Repeats:
    """Looks at the classes of all projects."""

    def __init__(self, store: Store):
        self._people = store.people

    async def of(self, training_class: TrainingClass, people: Sequence[str]) -> Mapping[str, Sequence[Place]]:
        """Each one's places in other classes; nothing where the programme does not ask."""
        project = await self._people.projects.get(training_class.project)
        if project is None or not preset(project.preset).conditions.once:
            return {}
        found: dict[str, list[Place]] = {}
        for row, other in await self._people.roster.elsewhere(people, training_class.id):
            found.setdefault(row.person, []).append(place(row, other))
        return found

    async def require_new(self, training_class: TrainingClass, row: Enrolment) -> None:
        """Raises PeerError `project_repeated`, `subsidy_repeated` (409)."""
        others = (await self.of(training_class, [row.person])).get(row.person, ())
        code = repeated(place(row, training_class), others)
        if code is not None:
            raise PeerError(
                code, f"the person learned this, or with a subsidy, already ({CLAUSE})", status=409
            )


def place(row: Enrolment, training_class: TrainingClass) -> Place:
    """A row as the rule sees it."""
    year = year_of(training_class.starts_on, row.enrolled_at_ms)
    return Place(training_class.id, training_class.project, year, bool(row.subsidy_type))
