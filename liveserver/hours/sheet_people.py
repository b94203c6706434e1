"""What an attendance sheet says of learners beyond their names: number, enterprise, class (REQ-I14, I16)."""

from __future__ import annotations

from collections.abc import Callable

from liveserver.core.masking import masked_number
from liveserver.hours.export import Person
from liveserver.log_in.identities import Identities
from liveserver.store import Lesson, Store

_MOST = 10_000


class SheetPeople:
    """Knows the roster of a lesson's class, those who left since too."""

    def __init__(self, store: Store, identities: Identities):
        self._people = store.people
        self._identities = identities

    async def of(self, lesson: Lesson, *, masked: bool) -> Callable[[str], Person]:
        """By the person's id; of a lesson without a class nothing is known. Whole numbers unless `masked`."""
        if not lesson.training_class:
            return lambda person: Person()
        training_class = await self._people.classes.get(lesson.training_class)
        members = await self._people.roster.all(lesson.training_class, None, _MOST)
        if training_class is None:
            return lambda person: Person()
        home = training_class.enterprise
        firm_of = {one.person.id: one.row.enterprise or one.person.enterprise or home for one in members}
        firms = await self._people.organisations.named(firm_of.values())
        found = {}
        for person, firm in firm_of.items():
            number = await self._identities.number(person)
            name = firms[firm].name if firm in firms else ""
            found[person] = Person(masked_number(number) if masked else number, name, training_class.name)
        return lambda person: found.get(person, Person(training_class=training_class.name))
