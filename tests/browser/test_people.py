"""People and classes as an administrator works with them: a class, its roster from a file, its timetable."""

from __future__ import annotations

import itertools

import pytest

from tests.browser.classroom import Classroom, by_testid
from tests.browser.conftest import languages
from tests.browser.test_pages import LONG_NAME, look_at_both_sizes
from tests.drivers.server import Lesson, Server
from tests.drivers.tab import Camera

_numbers = itertools.count(1)
ROSTER = f"姓名,手机号,学号\n{LONG_NAME},13800000001,1\n李娜,138x,2\n=1+1,13800000003,3\n"
CHOOSE = """(text) => {
  const files = new DataTransfer();
  files.items.add(new File([text], 'roster.csv', {type: 'text/csv'}));
  document.querySelector('[data-testid="roster-file"]').files = files.files;
}"""
WORDS = {
    "en": {
        "closed": "Cannot start",
        "refused": "not approved",
    },
    "zh": {
        "closed": "不能开课",
        "refused": "没有获得批准",
    },
}


@pytest.mark.parametrize("lang", languages("zh"))
def test_a_class_its_roster_from_a_file_and_a_planned_lesson(
    classroom: Classroom, make_classroom, server: Server, lang: str
) -> None:
    number, words = f"{lang}-{next(_numbers)}", WORDS[lang]
    values = {"code": f"P-{number}", "name": f"创业培训 {number}", "preset": "beijing-qihang-2023"}
    server.api("POST", "/projects", values)
    admin = classroom.open("admin", lang=lang)
    admin.click(by_testid("tab-classes"))
    admin.click(by_testid("add-classes"))
    admin.fill('dialog input[name="number"]', f"C-{number}")
    admin.fill('dialog input[name="name"]', f"一班 {number}")
    admin.until(lambda: "P-" in admin.text("dialog"), "a project to choose")
    look_at_both_sizes(admin, f"admin-class-form-{lang}")
    admin.click(by_testid("people-save"))
    admin.fill('section:has([data-testid="add-classes"]) input[type="search"]', f"C-{number}")
    admin.until(lambda: admin.text("main").count("C-") == 1, "the class alone")
    admin.click(by_testid("open-classes"))
    admin.wait_text("main", words["closed"])
    look_at_both_sizes(admin, f"admin-class-{lang}")

    admin.click(by_testid("import-roster"))
    admin.evaluate(CHOOSE, ROSTER)
    admin.click(by_testid("roster-look"))
    admin.wait_text(by_testid("roster-preview"), LONG_NAME)
    assert admin.evaluate("() => document.querySelectorAll('.row-wrong').length") == 2
    look_at_both_sizes(admin, f"admin-roster-preview-{lang}")
    (of,) = server.api("GET", f"/classes?q=C-{number}").json["items"]
    assert server.api("GET", f"/classes/{of['id']}/roster").json["items"] == []
    admin.click(by_testid("roster-take"))
    admin.wait_text(".opened-class table", LONG_NAME)
    roster = server.api("GET", f"/classes/{of['id']}/roster").json["items"]
    assert [row["name"] for row in roster] == [LONG_NAME]

    start = {
        "title": f"第一课 {number}",
        "class": of["id"],
        "planned_start": "2027-03-01T01:00:00Z",
    }
    lesson = server.api("POST", "/lessons", {**start, "planned_minutes": 45}).json
    admin.click(by_testid("tab-timetable"))
    admin.wait_text(".opened-class", f"第一课 {number}")
    look_at_both_sizes(admin, f"admin-timetable-{lang}")
    admin.click(by_testid("tab-people"))
    admin.wait_text(".people", LONG_NAME)
    look_at_both_sizes(admin, f"admin-people-{lang}")

    # Its instructor is told why it cannot start.
    planned = Lesson(lesson["id"], start["title"], lesson["pages"], lesson["tokens"])
    teacher = make_classroom(server, planned).open("teach", camera=Camera(), lang=lang)
    teacher.wait_moving()
    teacher.click(by_testid("go-live"))
    teacher.wait_text("main", words["refused"])
    look_at_both_sizes(teacher, f"teach-gate-{lang}")
