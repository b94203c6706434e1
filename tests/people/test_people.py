"""Lessons of classes on one node: who is let in, what keeps a lesson from starting, what it starts under."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from icalendar import Calendar

from liveserver.bus import MemoryBus
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.permissions import Role
from liveserver.hours.export import Person
from liveserver.hours.sheet_people import SheetPeople
from liveserver.log_in.identities import PURPOSE, Identities
from liveserver.people.calendar import event_of, to_ics
from liveserver.people.roll import FRESH_S, Roll
from liveserver.store import Lesson, StoreError
from liveserver.tokens import Claims
from liveserver.vault import Vault
from tests.rooms.node import ADMIN, Carrier, Node
from tests.sfu.sdp import AUDIO, CONTROL, VIDEO, offer

KEY = b"k" * 32
OFFER = offer(AUDIO, VIDEO, CONTROL)


class School(Node):
    """A node with a class of a programme that asks for approval and two lecturers."""

    async def start(self) -> School:
        await super().start()
        registry = self.people.registry
        self.project = await registry.add(
            "project", {"code": "P1", "name": "创业", "preset": "beijing-qihang-2023"}, "ada"
        )
        values = {"number": "C1", "name": "一班", "project": self.project["id"], "capacity": 2}
        self.cohort = (await registry.add("class", values, "ada"))["id"]
        return self

    async def person(self, name: str) -> str:
        return str((await self.people.registry.add("person", {"name": name}, "ada"))["id"])

    async def enrol(self, name: str) -> str:
        person = await self.person(name)
        await self.people.members.enrol(self.cohort, {"person": person}, "ada")
        return person

    async def assign(self, name: str) -> str:
        person = await self.person(name)
        values = {"person": person, "certificate_no": f"Z-{name}"}
        await self.people.members.assign(self.cohort, values, "ada")
        return person

    async def approve(self) -> None:
        for step in ("submitted", "approved"):
            await self.people.classes.approve(self.cohort, step, "", "ada")  # type: ignore[arg-type]

    async def lesson(self) -> str:
        placed = await self.people.lessons.place(self.cohort, "", "")
        return (await self.rooms.lessons.create("第一课", ADMIN, planned_s=2700, placed=placed)).id


@pytest.fixture
async def school(tmp_path: Path) -> AsyncIterator[School]:
    made = await School(tmp_path).start()
    yield made
    await made.stop()


def bearer(person: str, role: Role = Role.LEARNER, lesson: str = "*") -> Claims:
    return Claims(person, person, role, lesson, 2**40, f"token-of-{person}")


async def refused(doing: Any) -> str:
    with pytest.raises(PeerError) as caught:
        await doing
    return caught.value.code


class TestALessonOfAClass:
    async def test_lets_in_who_is_enrolled_and_nobody_else(self, school: School) -> None:
        learner, stranger, lesson = (
            await school.enrol("li"),
            await school.person("zhao"),
            await school.lesson(),
        )
        await school.rooms.joining.connect(lesson, bearer(learner), Carrier())
        assert (
            await refused(school.rooms.joining.connect(lesson, bearer(stranger), Carrier())) == "not_enrolled"
        )
        assert await refused(school.rooms.joining.watch(lesson, bearer(stranger), OFFER)) == "not_enrolled"

    async def test_is_closed_to_who_left_at_once(self, school: School) -> None:
        learner, lesson = await school.enrol("li"), await school.lesson()
        await school.rooms.joining.connect(lesson, bearer(learner), Carrier())
        await school.people.members.change_enrolment(school.cohort, learner, {"status": "left"}, "ada")
        assert (
            await refused(school.rooms.joining.connect(lesson, bearer(learner), Carrier())) == "not_enrolled"
        )

    async def test_is_left_in_one_role_and_not_in_the_other(self, school: School) -> None:
        """Who stops learning in a class goes on teaching it, and the other way round."""
        person, members = await school.enrol("li"), school.people.members
        await members.assign(school.cohort, {"person": person, "certificate_no": "Z1"}, "ada")
        learning, teaching = (
            replace(bearer(person, role, "l1"), training_class=school.cohort, issued_at_s=1)
            for role in (Role.LEARNER, Role.INSTRUCTOR)
        )

        def void() -> tuple[bool, bool]:
            revoked = school.revocations.revoked
            return revoked.voids(learning), revoked.voids(teaching)

        await members.change_enrolment(school.cohort, person, {"status": "left"}, "ada")
        assert void() == (True, False)
        await members.change_assignment(school.cohort, person, {"status": "released"}, "ada")
        assert void() == (True, True)
        await members.change_enrolment(school.cohort, person, {"status": "enrolled"}, "ada")
        assert void() == (False, True)
        await members.assign(school.cohort, {"person": person, "certificate_no": "Z1"}, "ada")
        assert void() == (False, False)
        entries = await school.store.entries(limit=1000)
        told = [entry.data["role"] for entry in entries if entry.type == "access_revoked"]
        assert told == ["learner", "instructor", "learner", "instructor"]

    async def test_is_taught_by_who_is_assigned_or_was_given_its_token(self, school: School) -> None:
        teacher, lesson = await school.assign("wang"), await school.lesson()
        instructor = Role.INSTRUCTOR
        await school.rooms.joining.connect(lesson, bearer(teacher, instructor), Carrier())
        await school.rooms.joining.connect(lesson, bearer("substitute", instructor, lesson), Carrier())
        other = bearer("other", instructor)
        assert await refused(school.rooms.joining.connect(lesson, other, Carrier())) == "not_assigned"


class Hands(Clock):
    """A clock that only a test moves."""

    now_ns = 0

    def monotonic_ns(self) -> int:
        return self.now_ns


class Away:
    """Rosters whose database can be taken away."""

    def __init__(self) -> None:
        self.is_away = False
        self.asked = 0
        self.people_of = {"c": frozenset({"li"})}

    async def _nobody(self, training_class: str, status: str) -> frozenset[str]:
        return frozenset()

    async def _learners(self, training_class: str, status: str) -> frozenset[str]:
        self.asked += 1
        if self.is_away:
            raise StoreError("away")
        return self.people_of[training_class]


class TestTheRoll:
    def roll(self) -> tuple[Roll, Away, Hands]:
        away, clock = Away(), Hands()
        store: Any = SimpleNamespace(
            people=SimpleNamespace(
                roster=SimpleNamespace(people=away._learners), teachers=SimpleNamespace(people=away._nobody)
            )
        )
        return Roll(store, clock, MemoryBus()), away, clock

    async def test_reads_a_class_once_for_all_who_come_together(self) -> None:
        roll, away, _ = self.roll()
        assert await asyncio.gather(*(roll.learns("c", who) for who in ("li", "zhao", "li"))) == [
            True,
            False,
            True,
        ]
        assert away.asked == 1

    async def test_notices_what_the_bus_lost_within_seconds(self) -> None:
        roll, away, clock = self.roll()
        assert not await roll.learns("c", "zhao")
        away.people_of["c"] |= {"zhao"}
        clock.now_ns += FRESH_S * 10**9
        assert await roll.learns("c", "zhao")

    async def test_does_not_keep_what_was_read_before_it_was_changed_here(self) -> None:
        roll, away, _ = self.roll()
        read = away._nobody

        async def then_changed(training_class: str, status: str) -> frozenset[str]:
            away.people_of["c"] = frozenset()
            roll.changed("c")
            return await read(training_class, status)

        roll._people.teachers.people = then_changed  # type: ignore[method-assign]
        assert await roll.learns("c", "li"), "as it was when it was asked"
        assert not await roll.learns("c", "li")

    async def test_shares_a_reading_though_the_class_changes_all_the_time(self) -> None:
        """Ten thousand come while their roster is being filled."""
        roll, away, _ = self.roll()
        read = away._nobody

        async def then_changed(training_class: str, status: str) -> frozenset[str]:
            roll.changed(training_class)
            await asyncio.sleep(0)
            return await read(training_class, status)

        roll._people.teachers.people = then_changed  # type: ignore[method-assign]
        assert all(await asyncio.gather(*(roll.learns("c", "li") for _ in range(50))))
        assert away.asked == 2, "one for the first, one that began after all others had asked"

    async def test_keeps_a_reading_though_another_class_was_changed(self) -> None:
        roll, away, _ = self.roll()
        read = away._nobody

        async def then_changed(training_class: str, status: str) -> frozenset[str]:
            roll.changed("d")
            return await read(training_class, status)

        roll._people.teachers.people = then_changed  # type: ignore[method-assign]
        assert await roll.learns("c", "li") and await roll.learns("c", "li")
        assert away.asked == 1

    async def test_goes_by_the_last_reading_while_the_database_is_away(self) -> None:
        roll, away, clock = self.roll()
        assert await roll.learns("c", "li")
        away.is_away = True
        clock.now_ns += FRESH_S * 10**9
        assert await roll.learns("c", "li")
        with pytest.raises(StoreError):
            await roll.learns("d", "li")


class TestAStart:
    async def test_is_refused_until_every_gate_is_open(self, school: School) -> None:
        lesson = await school.lesson()
        teacher = bearer(await school.assign("wang"), Role.INSTRUCTOR)

        async def start() -> str:
            return await refused(school.rooms.joining.publish(lesson, teacher, OFFER))

        assert await start() == "class_not_approved"
        await school.approve()
        assert await start() == "instructors_missing"
        await school.assign("zhao")
        for name in ("a", "b", "c"):
            await school.enrol(name)
        assert await start() == "class_too_large"
        await school.people.registry.change("class", school.cohort, {"capacity": 3}, "ada")
        await school.rooms.joining.publish(lesson, teacher, OFFER)

    async def test_takes_the_policy_that_the_project_has_by_then(self, school: School) -> None:
        lesson = await school.lesson()
        assert (await school.rooms.lessons.one(lesson))["preset"] == "beijing-qihang-2023"
        await school.people.registry.change("project", school.project["id"], {"preset": "fujian"}, "ada")
        await school.rooms.joining.publish(
            lesson, bearer(await school.assign("wang"), Role.INSTRUCTOR), OFFER
        )
        assert (await school.rooms.lessons.one(lesson))["preset"] == "fujian"
        room = await school.rooms.registry.room(lesson)
        assert (room.state.hours_policy.preset, room.state.hours_policy.planned_ms) == ("fujian", 2_700_000)


class TestACalendar:
    LESSON = Lesson("l1", "课, 一; 二", "", "waiting", 1, planned_s=2700, planned_start_ms=1_772_413_200_000)

    def read(self, *lessons: Lesson) -> Calendar:
        entries = [event_of(lesson, None, "https://class.example") for lesson in lessons]
        return Calendar.from_ical(to_ics([one for one in entries if one], "一班", 1_772_000_000_000))

    def test_says_when_and_where_in_utc(self) -> None:
        (event,) = self.read(self.LESSON).walk("VEVENT")
        assert event["summary"] == "课, 一; 二"
        assert event.decoded("dtstart").isoformat() == "2026-03-02T01:00:00+00:00"
        assert event.decoded("duration").total_seconds() == 2700
        assert (event["uid"], event["status"]) == ("l1@liveserver", "CONFIRMED")
        assert event["url"] == "https://class.example/learn/l1"

    def test_cancels_what_ended_before_it_began(self) -> None:
        (event,) = self.read(replace(self.LESSON, state="ended")).walk("VEVENT")
        assert event["status"] == "CANCELLED"

    def test_leaves_out_what_nobody_planned(self) -> None:
        assert self.read(replace(self.LESSON, planned_start_ms=None)).walk("VEVENT") == []


class TestASheetOfAttendance:
    async def test_has_number_enterprise_and_class_of_who_is_on_the_roster(self, school: School) -> None:
        identities = Identities(
            school.store, school.clock, Vault(school.store, school.clock, KEY, PURPOSE), KEY
        )
        firm = await school.people.registry.add("organisation", {"kind": "enterprise", "name": "新光"}, "ada")
        learner, gone, lesson = await school.enrol("li"), await school.enrol("zhao"), await school.lesson()
        await school.people.registry.change("person", learner, {"enterprise": firm["id"]}, "ada")
        await school.people.members.change_enrolment(school.cohort, gone, {"status": "left"}, "ada")
        await identities.enter(learner, "11010519491231002X", "ada")
        stored = await school.store.lessons.one(lesson)
        assert stored is not None
        people = SheetPeople(school.store, identities)
        masked = await people.of(stored, masked=True)
        assert masked(learner) == Person("110***********002X", "新光", "一班")
        assert masked(gone) == Person("", "", "一班")
        assert (await people.of(stored, masked=False))(learner).number == "11010519491231002X"
        nowhere = await people.of(replace(stored, training_class=""), masked=True)
        assert nowhere(learner) == Person()
