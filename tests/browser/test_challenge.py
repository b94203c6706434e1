"""A random check as people meet it: a question, a photo, a missed one and its cost (REQ-L3, L13, A2)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.classroom import Classroom, by_testid
from tests.browser.conftest import SHOTS, languages
from tests.browser.test_pages import look_at, look_at_both_sizes
from tests.drivers.chromium import PHONE, ChromiumTab
from tests.drivers.server import Server

SHEET, SUBMIT, INSTEAD = by_testid("challenge"), by_testid("challenge-submit"), by_testid("challenge-instead")
PASSED, MISSED = by_testid("challenge-passed"), by_testid("challenge-missed")
ASK, OWN, SEND = by_testid("ask-quiz"), by_testid("quiz-own"), by_testid("quiz-send")
SUM, RESULTS = by_testid("quiz-sum"), by_testid("quiz-results")
CONSENT, CONSENT_CONFIRM = by_testid("photo-consent"), by_testid("consent-confirm")
CHECKS = by_testid("checks-list")
CREDITED, WHY_LIST, CLOSE = by_testid("credited"), by_testid("why-list"), by_testid("challenge-close")
SINGLE = {
    "kind": "single",
    "text": "灭火器先做什么? What is done first with an extinguisher?",
    "options": ["提 Lift it", "拔 Pull the pin", "握 Grip it", "压 Squeeze"],
    "right": [1],
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
LEARNER = "() => document.querySelectorAll('[data-testid=roster] li').length > 1"
# Choose in the dialog's first list by value, or the last entry of the second one: the learner.
CHOOSE = """([value, last]) => {
  const [how, whom] = document.querySelectorAll('dialog select');
  if (value) how.value = value;
  if (last) whom.selectedIndex = whom.options.length - 1;
  for (const list of [how, whom]) list.dispatchEvent(new Event('change'));
}"""
# The same model on the other carrier, as on a page without WebRTC.
OVER_SOCKET = """async () => {
  const [{ Socket }, { Checks }] = await Promise.all(
    [import('/static/lib/socket.js'), import('/static/pages/learn/checks.js')]);
  const socket = new Socket(location.pathname.split('/')[2]);
  window.overSocket = new Checks(socket, () => Date.now());
  const joined = new Promise((resolve) => socket.on('joined', resolve));
  socket.start();
  await joined;
}"""
PHOTO_OVER_SOCKET = """async () => {
  const { closeCamera, openCamera, takePhoto } = await import('/static/lib/snapshot.js');
  const video = document.createElement('video');
  video.muted = true;
  video.srcObject = await openCamera();
  await video.play();
  await window.overSocket.photo(await takePhoto(video));
  closeCamera(video.srcObject);
}"""
PHASE = "() => window.overSocket.phase"
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


def advice(room: Classroom, challenge: str) -> tuple[str, str]:
    items = room.server.api("GET", f"/lessons/{room.lesson.id}/challenges", role="inspector").json["items"]
    found = next(item["liveness"] for item in items if item["id"] == challenge)
    return found["alive"], found["why"]


def explained(learner: ChromiumTab, reason: str) -> bool:
    """Whether what is credited names the reason; it is told every few seconds, the dialog has the newest."""
    learner.click(CREDITED)
    found = reason in learner.text(WHY_LIST)
    learner.press("Escape")
    learner.until(lambda: not learner.sees("dialog"), "the dialog closed")
    return found


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

    def test_sends_a_photo_on_either_carrier_after_consent_and_sees_what_a_missed_check_costs(
        self, room: Classroom
    ):
        if not FACE.exists():
            pytest.skip("the photos are not beside the repository (../shared/data/faces)")
        teacher = room.teach()
        camera = FACE_CAMERA % base64.b64encode(FACE.read_bytes()).decode()
        learner = room.learn(script=camera)
        learner.wait_moving()
        learner.click(CONSENT)
        learner.wait_text("dialog", "erased after 30 days")
        look_at_both_sizes(learner, "check-consent-en")
        learner.click(CONSENT_CONFIRM)
        learner.until(lambda: not learner.sees("dialog"), "the consent recorded")

        asked = ask(room, kind="face")
        learner.wait_text(SHEET, "A photo of your face")
        assert learner.sees(INSTEAD)
        assert learner.evaluate("() => window.lastCamera === undefined"), "the camera waits for a tap"
        learner.click(SUBMIT)
        learner.wait_text(SUBMIT, "Take the photo")
        learner.screenshot(SHOTS / "check-face-en-1440x900.png")
        learner.click(SUBMIT)
        learner.wait_text(by_testid("challenge-turn"), "turn your head a little to your")
        assert learner.sees(by_testid("challenge-alone")), "one photo alone is as good"
        look_at_both_sizes(learner, "check-face-turn-en")
        learner.click(SUBMIT)
        learner.wait_sees(PASSED, timeout_s=60)
        closed = "() => window.lastCamera.getTracks().every((track) => track.readyState === 'ended')"
        assert learner.evaluate(closed)
        assert outcome(room, asked) == ("face", "passed")
        # A picture cannot turn its head: that is said, and changes nothing.
        assert advice(room, asked) == ("no", "not_turned")

        asked = ask(room, kind="face")
        learner.wait_text(SHEET, "A photo of your face")
        learner.click(INSTEAD)
        learner.wait_text(SHEET, "Your number")
        learner.reload()
        learner.wait_text(SHEET, "Your number", timeout_s=20)
        learner.wait_text(MISSED, "time since your last passed check is not credited", timeout_s=40)
        look_at_both_sizes(learner, "check-missed-en")
        assert outcome(room, asked) == ("quiz", "timeout")
        learner.click(CLOSE)
        learner.wait_sees(CREDITED, timeout_s=20)
        learner.until(lambda: explained(learner, "a check was missed"), "the reason", timeout_s=30)

        # One person excuses in class, and the learner is told.
        teacher.click(by_testid("tab-quiz"))
        teacher.click(by_testid("quiz-missed"))
        teacher.wait_text(CHECKS, "Not answered")
        look_at_both_sizes(teacher, "checks-missed-en")
        teacher.click(by_testid("excuse-check"))
        teacher.fill("dialog:last-of-type input", "The page was loaded anew")
        teacher.click(by_testid("confirm-excuse"))
        teacher.wait_text(CHECKS, "Excused by")
        learner.wait_text(SHEET, "You lose nothing")
        learner.click(CLOSE)
        learner.until(lambda: not explained(learner, "a check was missed"), "the hours anew", timeout_s=30)
        learner.reload()
        learner.wait_sees(CREDITED, timeout_s=20)
        teacher.click(by_testid("withdraw-excuse"))
        teacher.fill("dialog:last-of-type input", "It was another learner's page")
        teacher.click(by_testid("confirm-excuse"))
        learner.wait_text(".toasts", "An earlier check counts as missed")

        learner.evaluate(OVER_SOCKET)
        doubted = ask(room, kind="face")
        learner.until(lambda: learner.evaluate(PHASE) == "asked", "the check by WebSocket")
        learner.evaluate(PHOTO_OVER_SOCKET)
        # The same picture again: it came whole, and a person has to look.
        learner.until(lambda: learner.evaluate(PHASE) == "review", "the photo judged", timeout_s=60)
        self.reviewed(room, doubted)

    def reviewed(self, room: Classroom, doubted: str) -> None:
        """An administrator looks, and decides."""
        admin = room.open("admin")
        admin.click(by_testid("tab-attendance"))
        admin.fill('section:has([data-testid="open-attendance"]) input[type="search"]', room.lesson.title)
        admin.click(by_testid("open-attendance"))
        admin.click(by_testid("why"))
        admin.wait_text(CHECKS, "A person has to look")
        look_at_both_sizes(admin, "checks-of-one-en")
        admin.click(by_testid("review-photo"))
        admin.fill("dialog:last-of-type input", "The models doubt it")
        admin.click(by_testid("show-photo"))
        admin.wait_sees(by_testid("reviewed-photo"))
        admin.screenshot(SHOTS / "photo-review-en-1440x900.png")
        admin.evaluate(
            "(list) => { document.querySelector(list).value = 'yes'; }", by_testid("photo-verdict")
        )
        admin.click(by_testid("decide-photo"))
        admin.until(lambda: "A person has to look" not in admin.text(CHECKS), "the decision")
        assert outcome(room, doubted) == ("face", "passed")


class TestAnInstructor:
    @pytest.mark.parametrize("lang", languages("en"))
    def test_asks_one_an_own_question_and_everybody_a_sum_and_sees_the_numbers(
        self, room: Classroom, lang: str
    ):
        counted = {"en": "1 asked · 1 passed", "zh": "提问 1 · 通过 1"}[lang]
        teacher = room.teach(lang=lang)
        learner = room.learn(lang=lang)
        learner.wait_moving()
        teacher.until(lambda: teacher.evaluate(LEARNER), "the learner in the roster")
        teacher.click(ASK)
        teacher.wait_sees(SEND)
        teacher.evaluate(CHOOSE, ["multiple", 0])
        teacher.click("dialog textarea")
        teacher.type("哪些是气体? Which are gases?")
        for option, right in (("氩 Argon", True), ("铁 Iron", False), ("氧 Oxygen", True)):
            teacher.press("Tab")
            teacher.type(option)
            teacher.press("Tab")
            if right:
                teacher.press("Space")
        teacher.evaluate(CHOOSE, [None, 1])
        look_at_both_sizes(teacher, f"quiz-dialog-{lang}")
        teacher.click(SEND)
        learner.wait_sees(SHEET)
        learner.evaluate("() => Promise.all(document.getAnimations().map((a) => a.finished))")
        look_at_both_sizes(learner, f"check-multiple-{lang}")
        for option in ("氧 Oxygen", "氩 Argon"):
            learner.click(f'{SHEET} >> text="{option}"')
        learner.click(SUBMIT)
        learner.wait_sees(PASSED)
        teacher.wait_text(RESULTS, counted)

        teacher.click(SUM)
        learner.until(lambda: learner.sees(f"{SHEET} .answer-number"), "a sum")
        first, sign, second, *_ = learner.text(f"{SHEET} legend").split()
        learner.fill(f"{SHEET} input", str(int(first) + int(second) * (1 if sign == "+" else -1)))
        learner.press("Enter")
        learner.wait_sees(PASSED)
        teacher.until(lambda: teacher.text(RESULTS).count(counted) == 2, "both in the numbers")
        look_at_both_sizes(teacher, f"quiz-results-{lang}")
