"""A random check as people meet it: the sheet, a question, a photo, a missed one with its cost (REQ-L3, L13, A2)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.classroom import Classroom, by_testid
from tests.browser.test_pages import look_at, look_at_both_sizes
from tests.drivers.chromium import PHONE, ChromiumTab
from tests.drivers.server import Server

SHEET, SUBMIT, INSTEAD = by_testid("challenge"), by_testid("challenge-submit"), by_testid("challenge-instead")
PASSED, MISSED, LEFT = (
    by_testid("challenge-passed"),
    by_testid("challenge-missed"),
    by_testid("challenge-left"),
)
CONSENT, CONSENT_CONFIRM = by_testid("photo-consent"), by_testid("consent-confirm")
CREDITED, WHY_LIST, CLOSE = by_testid("credited"), by_testid("why-list"), by_testid("challenge-close")
SINGLE = {
    "kind": "single",
    "text": "灭火器先做什么? What is done first with an extinguisher?",
    "options": ["提 Lift it", "拔 Pull the pin", "握 Grip it", "压 Squeeze"],
    "right": [1],
}
MULTIPLE = {
    "kind": "multiple",
    "text": "Which are gases?",
    "options": ["Argon", "Iron", "Oxygen"],
    "right": [0, 2],
}
FACE = Path(__file__).parents[2] / "../shared/data/faces/astronaut_b_1.png"
# A face before the camera: the picture drawn into a canvas, again and again.
FACE_CAMERA = """
navigator.mediaDevices.getUserMedia = async () => {
  const picture = new Image();
  picture.src = 'data:image/png;base64,%s';
  await picture.decode();
  const canvas = document.createElement('canvas');
  canvas.width = 640; canvas.height = Math.round(640 * picture.height / picture.width);
  const draw = () => canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height);
  draw(); setInterval(draw, 100);
  return window.lastCamera = canvas.captureStream(10);
};
"""
BUZZ = "window.buzzes = 0; navigator.vibrate = () => { window.buzzes += 1; return true; };"


@pytest.fixture(scope="module")
def quick(network: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits twenty seconds for an answer and says every few seconds what is credited."""
    server = Server(
        tmp_path_factory.mktemp("checks"),
        LIVESERVER_CHALLENGES_ANSWER="20s",
        LIVESERVER_HOURS_TELL_EVERY="5s",
    )
    server.start()
    yield server
    server.stop()
    assert server.tracebacks() == []


@pytest.fixture
def room(make_classroom: Any, quick: Server) -> Classroom:
    return make_classroom(quick, quick.new_lesson())


def ask(room: Classroom, kind: str = "quiz", **order: Any) -> str:
    reply = room.server.api(
        "POST",
        f"/lessons/{room.lesson.id}/challenges",
        {"kind": kind} | order,
        token=room.lesson.tokens["instructor"],
    )
    assert reply.status == 201, reply
    return reply.json["id"]


def outcome(room: Classroom, challenge: str) -> tuple[str, str | None]:
    items = room.server.api("GET", f"/lessons/{room.lesson.id}/challenges", role="inspector").json["items"]
    return next((item["kind"], item["result"]) for item in items if item["id"] == challenge)


def focus(tab: ChromiumTab) -> str:
    return tab.evaluate("() => document.activeElement.dataset.testid ?? document.activeElement.tagName")


class TestALearner:
    def test_answers_a_question_by_keyboard_alone_and_is_told_of_a_wrong_one(self, room: Classroom):
        room.teach()
        learner = room.learn(script=BUZZ, **PHONE)
        learner.wait_moving()
        learner.click(by_testid("chat-input"))
        asked = ask(room, question=SINGLE)
        learner.wait_sees(SHEET)
        assert focus(learner) == "H2"
        covered = learner.evaluate(
            "([sheet, stage]) => document.querySelector(sheet).getBoundingClientRect().top"
            " >= document.querySelector(stage).getBoundingClientRect().bottom - 1",
            [SHEET, by_testid("stage")],
        )
        assert covered, "the sheet reaches over the stage"
        look_at(learner, "check-question-en-390x844")
        learner.press("Escape")
        learner.press("Tab")
        learner.press("Space")
        learner.press("Enter")
        learner.wait_text(SHEET, "Attempts left: 2")
        assert learner.sees(SHEET)
        learner.press("ArrowDown")
        learner.press("Enter")
        learner.wait_sees(PASSED)
        learner.until(lambda: not learner.sees(SHEET), "the sheet gone")
        assert focus(learner) == "chat-input"
        assert outcome(room, asked) == ("quiz", "passed")
        assert learner.evaluate("() => window.buzzes") == 1
