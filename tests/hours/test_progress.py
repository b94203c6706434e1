"""How far learners are in a project (REQ-E1, R3): the seconds of all its courses together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from liveserver.core.errors import PeerError
from liveserver.hours.progress import Progress
from liveserver.store import Attended, Lesson, Settlement
from tests.people.test_people import School

LESSON_S = 2700


class Programme(School):
    """A school with a project of two hours, and lessons that were settled."""

    async def start(self) -> Programme:
        await super().start()
        values = {"code": "P2", "name": "焊工", "preset": "beijing-gjj-2020", "required_lesson_hours": 2}
        self.welding = (await self.people.registry.add("project", values, "ada"))["id"]
        values = {"number": "C2", "name": "二班", "project": self.welding}
        self.cohort = (await self.people.registry.add("class", values, "ada"))["id"]
        return self

    async def settled(self, name: str, course: str, credited: dict[str, int], project: str = "") -> None:
        project = project or self.welding
        await self.store.lessons.create(Lesson(name, name, "", "ended", 1, course=course, project=project))
        rows = [Attended(name, person, 1, course, 1, s, s, "{}", {}) for person, s in credited.items()]
        await self.store.attendance.save(Settlement(name, 1, 2, 0, "", len(rows), 0, "ended"), rows)


@pytest.fixture
async def school(tmp_path: Path) -> AsyncIterator[Programme]:
    made = await Programme(tmp_path).start()
    yield made
    await made.stop()


def by_person(found: dict[str, Any]) -> dict[str, tuple[int, int, str]]:
    return {row["person"]: (row["lessons"], row["counted_s"], str(row["state"])) for row in found["items"]}


class TestAProject:
    async def test_adds_up_the_seconds_of_its_courses_before_anything_is_rounded(self, school: Programme):
        wang, li = await school.enrol("Wang"), await school.enrol("Li")
        await school.settled("a", "theory", {wang: LESSON_S + 1, li: LESSON_S - 1})
        await school.settled("b", "practice", {wang: LESSON_S - 1, li: LESSON_S})
        found = await Progress(school.store).of_project(school.welding)
        assert by_person(found) == {
            wang: (2, 2 * LESSON_S, "finished"), li: (2, 2 * LESSON_S - 1, "unfinished"),
        }  # fmt: skip
        assert (found["required_hours"], found["learners"], found["finished"]) == (2, 2, 1)

    async def test_lists_who_is_enrolled_and_never_came_and_who_came_without_a_place(self, school: Programme):
        absent = await school.enrol("Absent")
        await school.settled("a", "theory", {"guest": 60})
        await school.store.attendance.note_names("a", {"guest": "A guest"})
        found = await Progress(school.store).of_project(school.welding)
        assert by_person(found) == {absent: (0, 0, "unfinished"), "guest": (1, 60, "unfinished")}
        assert {row["name"] for row in found["items"]} == {"Absent", "A guest"}

    async def test_counts_no_lesson_of_another(self, school: Programme):
        wang = await school.enrol("Wang")
        await school.settled("a", "theory", {wang: 60}, project=school.project["id"])
        assert by_person(await Progress(school.store).of_project(school.welding)) == {
            wang: (0, 0, "unfinished")
        }

    async def test_asks_what_its_preset_asks_where_it_says_nothing(self, school: Programme):
        found = await Progress(school.store).of_project(school.project["id"])
        assert found["required_hours"] == 56

    async def test_that_is_none_is_not_found(self, school: Programme):
        with pytest.raises(PeerError) as refused:
            await Progress(school.store).of_project("ghost")
        assert (refused.value.code, refused.value.status) == ("not_found", 404)


class TestALearner:
    async def test_has_the_projects_he_is_enrolled_in_and_those_he_attended(self, school: Programme):
        wang = await school.enrol("Wang")
        await school.settled("a", "theory", {wang: 60}, project=school.project["id"])
        found = await Progress(school.store).of_person(wang)
        assert {row["name"]: row["counted_s"] for row in found} == {"创业": 60, "焊工": 0}
