"""Hours as people see them: the learner's chip and page, the sheet, two persons' changes."""

from __future__ import annotations

import pytest

from tests.browser.classroom import Classroom, by_testid
from tests.browser.conftest import languages
from tests.browser.test_pages import LONG_NAME, look_at_both_sizes
from tests.drivers.process import until
from tests.drivers.server import Server
from tests.peers.test_attendance import signed

CHIP, OWN, WHY, WHY_LIST = (
    by_testid("credited"),
    by_testid("own-hours"),
    by_testid("why"),
    by_testid("why-list"),
)
LOOKED = {"en": "Attendance of a class", "zh": "课程考勤"}
WORDS = {
    "en": {"chip": "Credited", "hidden": "not in the foreground", "present": "Present"},
    "zh": {"chip": "已计入", "hidden": "页面不在前台", "present": "出勤"},
}


@pytest.mark.parametrize("lang", languages("en"))
def test_a_lesson_as_the_learner_the_inspector_and_the_administrator_see_it(
    classroom: Classroom, server: Server, lang: str
) -> None:
    lesson, words = classroom.lesson, WORDS[lang]
    teacher = classroom.teach(lang=lang)
    token = server.more_tokens(lesson, 1, name=LONG_NAME)[0]
    learner = classroom.learn(token=token, lang=lang)
    learner.wait_moving()
    learner.wait_text(CHIP, words["chip"])
    # A tab in the background: the page says so of itself, the server's clock says how long.
    learner.evaluate(
        "() => { Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    learner.wait_frames(50)
    learner.evaluate(
        "() => { delete document.visibilityState; document.dispatchEvent(new Event('visibilitychange')); }"
    )
    learner.wait_frames(75)
    learner.click(CHIP)
    learner.wait_text(WHY_LIST, words["hidden"])
    look_at_both_sizes(learner, f"learn-why-{lang}")
    learner.press("Escape")
    classroom.end(teacher)
    until(
        lambda: server.api("GET", f"/lessons/{lesson.id}/settlements", role="inspector").json["items"],
        "the lesson settled",
    )

    inspector = classroom.open("inspect", lang=lang)
    inspector.fill('section:has([data-testid="open-attendance"]) input[type="search"]', lesson.title)
    inspector.click(by_testid("open-attendance"))
    inspector.wait_text("main", LONG_NAME)
    look_at_both_sizes(inspector, f"inspect-attendance-{lang}")
    inspector.click(WHY)
    inspector.wait_text(WHY_LIST, words["hidden"])
    inspector.wait_text(WHY_LIST, "REQ-A5: 003")
    look_at_both_sizes(inspector, f"inspect-why-{lang}")

    learner.goto(server.link("hours", None, token, lang=lang))
    learner.wait_text("main table", words["present"] if lang == "zh" else "Present")
    look_at_both_sizes(learner, f"hours-{lang}")
    learner.click(by_testid("save-proof"))
    until(lambda: server.entries("evidence_exported", lesson=lesson.id), "the learner's own bundle made")

    rows = server.api("GET", f"/lessons/{lesson.id}/attendance").json["items"]
    asked = server.api(
        "POST",
        f"/lessons/{lesson.id}/adjustments",
        {"person": rows[0]["person"], "delta_s": 300, "reason": "The camera failed for five minutes"},
        token=signed(server, "another"),
    )
    assert asked.status == 201
    admin = classroom.open("admin", lang=lang)
    admin.click(by_testid("tab-attendance"))
    admin.fill('section:has([data-testid="open-attendance"]) input[type="search"]', lesson.title)
    admin.click(by_testid("open-attendance"))
    admin.wait_text("main", "The camera failed")
    look_at_both_sizes(admin, f"admin-attendance-{lang}")

    admin.click(by_testid("tab-audit"))  # and that he looked is on record
    admin.wait_text("#audit", LOOKED[lang])
    look_at_both_sizes(admin, f"admin-audit-{lang}")
