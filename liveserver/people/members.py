"""Who belongs to a class: its roster, and who teaches it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.masking import masked_name, masked_number
from liveserver.core.messages import Json
from liveserver.core.people import Assigned, Enrolled, Status
from liveserver.core.permissions import Role
from liveserver.hours.csv_table import csv_bytes
from liveserver.people.classes import Classes
from liveserver.people.kinds import shown
from liveserver.people.phones import Phones
from liveserver.people.repeats import Repeats
from liveserver.people.roll import Roll
from liveserver.revocations import Revocations, Why
from liveserver.store import Store
from liveserver.store.members import Member, Members
from liveserver.store.model.people import Assignment, Enrolment, Person

ROSTER_MOST = 10_000


class ClassMembers:
    """Owned by the main loop. Raises PeerError for what is refused, and as `Classes` does."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        classes: Classes,
        roll: Roll,
        revocations: Revocations,
        phones: Phones,
    ):
        self._people = store.people
        self._clock = clock
        self._classes = classes
        self._roll = roll
        self._revocations = revocations
        self._phones = phones
        self._repeats = Repeats(store)

    # --- who learns ---

    async def roster(
        self, training_class: str, wanted: str, status: str | None, after: str | None, limit: int
    ) -> Json:
        """Telephone numbers are masked."""
        await self._classes.require(training_class)
        mark = self._phones.wanted(wanted)
        found, following = await self._people.roster.page(training_class, wanted, status, after, limit, mark)
        return {"items": await self._shown(found), "next": following}

    async def enrol(self, training_class: str, values: Mapping[str, Any], by: str) -> Json:
        """A person into a class, or back. Raises PeerError `unknown_person`, `unknown_organisation` (422),
        `archived`, `project_repeated`, `subsidy_repeated` (409)."""
        found = await self._classes.require_active(training_class)
        person = await self.person(values["person"])
        await self._check_row(training_class, values)
        row = Enrolment(training_class, enrolled_at_ms=self._clock.wall_ms(), **values)
        await self._repeats.require_new(found, row)
        done = await self._people.roster.put(row, person, by, row.enrolled_at_ms, "enrolled")
        await self._let_in(training_class, [person.id], Role.LEARNER, by)
        return await self._one_shown(done, person)

    async def change_enrolment(
        self, training_class: str, key: str, values: Mapping[str, Any], by: str
    ) -> Json:
        """What is given of it; with a status, who leaves or comes back. Raises as `enrol`."""
        await self._check_row(training_class, values)
        now = await self._people.roster.get(training_class, key)
        if now is not None and values.get("status", now.status) == Enrolled.ENROLLED:
            await self._repeats.require_new(
                await self._classes.require(training_class), replace(now, **values)
            )
        leaves = {Enrolled.LEFT: self._clock.wall_ms(), Enrolled.ENROLLED: None}
        members = self._people.roster
        return await self._change(members, Role.LEARNER, training_class, key, values, by, leaves)

    async def roster_csv(self, training_class: str) -> bytes:
        """The roster as CSV; names and telephone numbers masked (003 L23)."""
        await self._classes.require(training_class)
        members = await self._people.roster.all(training_class, Enrolled.ENROLLED, ROSTER_MOST)
        groups = {
            group["id"]: group["name"] for group in (await self._classes.groups(training_class))["items"]
        }
        firms = await self._people.organisations.named(
            list({member.row.enterprise or member.person.enterprise for member in members} - {""})
        )
        rows = []
        people = await self._phones.open([member.person for member in members])
        for member, person in zip(members, people, strict=True):
            row = member.row
            firm = firms.get(row.enterprise or person.enterprise)
            rows.append(
                [row.student_no, masked_name(person.name), masked_number(person.phone),
                 firm.name if firm else "", groups.get(row.group, ""), row.target_group, row.subsidy_type,
                 person.id]
            )  # fmt: skip
        heads = ("学号", "姓名", "手机号", "企业", "群组", "重点群体", "补贴类型", "人员编号")
        return csv_bytes(heads, rows)

    # --- who teaches ---

    async def teachers(self, training_class: str, status: str | None, after: str | None, limit: int) -> Json:
        await self._classes.require(training_class)
        found, following = await self._people.teachers.page(training_class, "", status, after, limit)
        return {"items": await self._shown(found), "next": following}

    async def assign(self, training_class: str, values: Mapping[str, Any], by: str) -> Json:
        """Raises as `enrol`."""
        await self._classes.require_active(training_class)
        person, now_ms = await self.person(values["person"]), self._clock.wall_ms()
        row = Assignment(training_class, assigned_at_ms=now_ms, **values)
        done = await self._people.teachers.put(row, person, by, now_ms, "assigned")
        await self._let_in(training_class, [person.id], Role.INSTRUCTOR, by)
        return await self._one_shown(done, person)

    async def change_assignment(
        self, training_class: str, key: str, values: Mapping[str, Any], by: str
    ) -> Json:
        leaves = {Assigned.RELEASED: self._clock.wall_ms(), Assigned.ASSIGNED: None}
        members = self._people.teachers
        return await self._change(members, Role.INSTRUCTOR, training_class, key, values, by, leaves)

    # --- inside ---

    async def enrolled(self, training_class: str, people: Iterable[str], by: str) -> None:
        """They are, some of them again."""
        await self._let_in(training_class, people, Role.LEARNER, by)

    async def person(self, key: str) -> Person:
        found = await self._people.persons.get(key)
        if found is None:
            raise PeerError("unknown_person", "there is no such person", status=422)
        if found.status == Status.ARCHIVED:
            raise PeerError("archived", "the person is archived", status=409)
        return found

    async def _change(
        self,
        members: Members[Any],
        role: Role,
        training_class: str,
        key: str,
        values: Mapping[str, Any],
        by: str,
        leaves: Mapping[Any, int | None],
    ) -> Json:
        status = values.get("status")
        changes = dict(values) if status is None else {**values, "left_at_ms": leaves[status]}
        person = await self._people.persons.get(key)
        if person is None:
            raise PeerError("not_found", "there is no such person", status=404)
        now_ms = self._clock.wall_ms()
        done = await members.change(training_class, person, changes, by, now_ms, status or "changed")
        if status is None:
            self._roll.changed(training_class)
        elif leaves[status] is None:
            await self._let_in(training_class, [person.id], role, by)
        else:
            await self._turn_away(training_class, person.id, role, by)
        return await self._one_shown(done, person)

    async def _shown(self, members: Sequence[Member[Any]]) -> list[Json]:
        people = await self._phones.open([member.person for member in members])
        return [member_json(Member(one.row, person)) for one, person in zip(members, people, strict=True)]

    async def _one_shown(self, row: Any, person: Person) -> Json:
        return (await self._shown([Member(row, person)]))[0]

    async def _let_in(self, training_class: str, people: Iterable[str], role: Role, by: str) -> None:
        """Who comes back may use what he had."""
        self._roll.changed(training_class)
        for person in people:
            await self._revocations.readmit(person, training_class, role, by)

    async def _turn_away(self, training_class: str, person: str, role: Role, by: str) -> None:
        """Who left is out of the class's lessons at once, unless he is in them as something else too."""
        self._roll.changed(training_class)
        why = Why.LEFT_CLASS
        await self._revocations.person(person, why, by, training_class=training_class, role=role)

    async def _check_row(self, training_class: str, values: Mapping[str, Any]) -> None:
        if values.get("group"):
            await self._classes.group(training_class, values["group"])
        firm = values.get("enterprise")
        if firm and await self._people.organisations.get(firm) is None:
            raise PeerError("unknown_organisation", "there is no such enterprise", status=422)


def member_json(member: Member[Any]) -> Json:
    """Somebody of a class: the row, with the name, and the telephone number masked."""
    person = member.person
    return {**shown(member.row), "name": person.name, "phone": masked_number(person.phone),
            "home": person.enterprise}  # fmt: skip
