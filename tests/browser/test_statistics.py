"""How far the learners of a project are: by project, course and learner for the administrator, and on the
learner's own page (REQ-R2 to R5, E1)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from liveserver.core.permissions import Role
from liveserver.tokens import Tokens
from loadtest.viewer import Viewer
from tests.browser.classroom import by_testid
from tests.browser.conftest import languages
from tests.browser.test_pages import look_at_both_sizes
from tests.drivers.chromium import Chromium
from tests.drivers.media import pattern_publisher
from tests.drivers.process import until
from tests.drivers.server import Lesson, Server

CHOSEN = "(panel) => document.querySelector(`${panel} select`).selectedOptions[0]?.textContent ?? ''"
WORDS = {
    "en": {"sum": "0 of 2 learners have the 1 lesson hours", "state": "Unfinished"},
    "zh": {"sum": "2 名学员中 0 人达到要求的 1 学时", "state": "未完成"},
}


@pytest.fixture(scope="module")
def held(network: str, shared_server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A settled lesson of a class of two, of whom one came."""
    server = shared_server

    def add(what: str, **values: Any) -> dict[str, Any]:
        reply = server.api("POST", f"/{what}", values)
        assert reply.status == 201, reply
        return reply.json

    project = add("projects", code="S1", name="焊工技能提升", required_lesson_hours=1)
    course = add("courses", code="S1-1", name="焊接基础", project=project["id"], planned_lesson_hours=1)
    cohort = add("classes", number="S1-A", name="一班", project=project["id"])
    people = [add("persons", name=name)["id"] for name in ("李雷", "韩梅梅")]
    for person in people:
        add(f"classes/{cohort['id']}/roster", person=person)
    made = add("lessons", title="第一课", **{"class": cohort["id"], "course": course["id"]})
    lesson = Lesson(made["id"], "第一课", made["pages"], made["tokens"])
    token = Tokens.load_or_create(server.data / "keys" / "tokens.key").issue(
        person=people[0], name="李雷", role=Role.LEARNER, lesson=lesson.id, now_s=int(time.time()), ttl_s=3600
    )
    url, instructor = server.whip_url(lesson), lesson.tokens["instructor"]
    folder: Path = tmp_path_factory.mktemp("held")
    with pattern_publisher(folder, url, instructor, size="320x240") as publisher:
        publisher.wait("publishing")

        async def watched() -> None:
            async with Viewer(server.whep_url(lesson), token) as viewer:
                await viewer.frames(75)

        asyncio.run(watched())
    server.api("POST", f"/lessons/{lesson.id}/end", role="admin")
    settled = f"/lessons/{lesson.id}/settlements"
    until(lambda: server.api("GET", settled, role="inspector").json["items"], "the lesson settled")
    return {"project": project, "course": course, "people": people, "token": token}


@pytest.mark.parametrize("lang", languages("zh"))
def test_of_a_project_a_course_and_a_learner(
    held: dict[str, Any], server: Server, chromium: Chromium, lang: str
) -> None:
    words = WORDS[lang]
    found = server.api("GET", f"/statistics/projects/{held['project']['id']}").json
    came, absent = sorted(found["items"], key=lambda row: -row["counted_s"])
    assert (came["person"], absent["person"], absent["lessons"]) == (*held["people"], 0)
    assert came["counted_s"] >= 2 and came["state"] == absent["state"] == "unfinished"

    admin = chromium.tab(server.link("admin", None, server.token("admin"), lang=lang))
    admin.click(by_testid("tab-statistics"))
    for tab, wanted in (("projects", "焊工技能提升"), ("courses", "焊接基础"), ("persons", "李雷")):
        admin.click(by_testid(f"tab-statistics-{tab.replace('persons', 'learners')}"))
        panel = by_testid(f"statistics-of-{tab}")
        admin.fill(f'{panel} input[type="search"]', wanted)
        admin.until(lambda panel=panel, wanted=wanted: wanted in admin.evaluate(CHOSEN, panel), wanted)
        admin.click(by_testid(f"show-{tab}"))
        admin.wait_text(panel, words["state"])
        if tab == "projects":
            admin.wait_text(by_testid("project-sum"), words["sum"])
        look_at_both_sizes(admin, f"admin-statistics-{tab}-{lang}")
    admin.close()

    learner = chromium.tab(server.link("hours", None, held["token"], lang=lang))
    learner.wait_text("main", "焊工技能提升")
    look_at_both_sizes(learner, f"hours-project-{lang}")
    learner.close()
