"""Persons, organisations, programmes and classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.ledger import storable
from liveserver.store.access import Access
from liveserver.store.catalogue import Catalogue
from liveserver.store.members import Roster, Teachers
from liveserver.store.model.people import (
    ClassGroup,
    Course,
    Organisation,
    Person,
    Project,
    TrainingClass,
)
from liveserver.store.tables.people import (
    CLASSES,
    COURSES,
    ENROLMENTS,
    GROUPS,
    ORGANISATIONS,
    PERSONS,
    PROJECTS,
)

_AT_ONCE = 500


class People:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access
        self.persons = Catalogue(access, "person", PERSONS, Person, ("name", "id"))
        self.organisations = Catalogue(
            access, "organisation", ORGANISATIONS, Organisation, ("name", "short_name", "uscc")
        )
        self.projects = Catalogue(access, "project", PROJECTS, Project, ("name", "code", "catalogue_code"))
        self.courses = Catalogue(access, "course", COURSES, Course, ("name", "code"))
        self.classes = Catalogue(
            access, "class", CLASSES, TrainingClass, ("name", "number", "term", "plan_no")
        )
        self.groups = Catalogue(access, "group", GROUPS, ClassGroup, ("name",))
        self.roster = Roster(access)
        """Learners of classes."""
        self.teachers = Teachers(access)
        """Those who teach them."""

    async def of_phones(self, marks: Sequence[bytes]) -> dict[bytes, list[Person]]:
        """Who has one of the telephone numbers, by their marks; several may share one."""
        found: dict[bytes, list[Person]] = {}
        async with self._access.reading() as connection:
            for start in range(0, len(marks), _AT_ONCE):
                query = sa.select(PERSONS).where(PERSONS.c.phone_mark.in_(marks[start : start + _AT_ONCE]))
                for row in (await connection.execute(query)).mappings():
                    person = Person(**row)
                    found.setdefault(bytes(person.phone_mark), []).append(person)
        return found

    async def with_clear_phones(self, limit: int) -> list[Person]:
        """Some of those whose telephone number an earlier version kept in clear."""
        query = sa.select(PERSONS).where(PERSONS.c.phone != "").order_by(PERSONS.c.id).limit(limit)
        async with self._access.reading() as connection:
            return [Person(**row) for row in (await connection.execute(query)).mappings()]

    async def seal_phones(self, sealed: Mapping[str, tuple[str, bytes, bytes]]) -> None:
        """Person → the number in clear, as it was read, and what takes its place; all or none."""
        c = PERSONS.c

        async def work(connection: AsyncConnection) -> None:
            for person, (clear, data, mark) in sealed.items():
                statement = sa.update(PERSONS).where(c.id == person, c.phone == clear)
                await connection.execute(statement.values(phone="", phone_sealed=data, phone_mark=mark))

        await self._access.write(work)

    async def course_named(self, name: str) -> Course | None:
        """The course of that name; there is one at most."""
        query = sa.select(COURSES).where(COURSES.c.name == storable(name))
        async with self._access.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return Course(**row) if row else None

    async def learners_of(self, project: str) -> list[str]:
        """The ids of all who are enrolled in a class of the project, each once."""
        joined = ENROLMENTS.join(CLASSES, CLASSES.c.id == ENROLMENTS.c.training_class)
        query = sa.select(ENROLMENTS.c.person).distinct().select_from(joined)
        query = query.where(CLASSES.c.project == storable(project), ENROLMENTS.c.status == "enrolled")
        async with self._access.reading() as connection:
            return list((await connection.scalars(query.order_by(ENROLMENTS.c.person))).all())

    async def projects_of(self, person: str) -> list[str]:
        """The ids of the projects in a class of which the person is enrolled."""
        joined = ENROLMENTS.join(CLASSES, CLASSES.c.id == ENROLMENTS.c.training_class)
        query = sa.select(CLASSES.c.project).distinct().select_from(joined)
        query = query.where(ENROLMENTS.c.person == storable(person), ENROLMENTS.c.status == "enrolled")
        async with self._access.reading() as connection:
            return list((await connection.scalars(query.order_by(CLASSES.c.project))).all())

    async def firms(self, wanted: Collection[str]) -> dict[str, str]:
        """Active organisations by name, short name or credit code → their ids."""
        c = ORGANISATIONS.c
        asked = [storable(text) for text in sorted(wanted)]
        found: dict[str, str] = {}
        async with self._access.reading() as connection:
            for start in range(0, len(asked), _AT_ONCE):
                part = asked[start : start + _AT_ONCE]
                named = sa.or_(c.name.in_(part), c.short_name.in_(part), c.uscc.in_(part))
                query = sa.select(c.id, c.name, c.short_name, c.uscc).where(named, c.status == "active")
                for row in (await connection.execute(query)).mappings():
                    for text in (row["short_name"], row["name"], row["uscc"]):
                        if text in wanted:
                            found[text] = row["id"]
        return found
