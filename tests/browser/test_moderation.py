"""Moderation on a real node: the wall, held messages, incidents with evidence, what everybody else is told.

The node runs in the test's process, so that what a screen process would find can be said to it.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from liveserver.core.screening import Category, Finding, Kind, Line, Mode, Seeing, Sight
from tests.browser.classroom import (
    CHAT_LOG,
    CUT_CONFIRM,
    CUT_NOTICE,
    RESTORE_CONFIRM,
    Classroom,
    by_testid,
)
from tests.browser.test_pages import look_at_both_sizes
from tests.drivers.chromium import ChromiumTab
from tests.drivers.firefox import Firefox
from tests.drivers.inside import Inside
from tests.drivers.process import until
from tests.drivers.server import Server
from tests.screen import magenta

ADVERT = "加薇信 abc123 日赚 500 兼职刷单"
CLASSES = 44
HELD, OWN_HELD, ALARM = by_testid("held"), by_testid("held-line"), by_testid("alarm-go")


def jpeg(width: int, height: int, shade: int = 90) -> bytes:
    """A picture with a white square in it."""
    pixels = np.full((height, width, 3), (shade, 255 - shade, 128), np.uint8)
    pixels[height // 4 : height // 2, width // 4 : width // 2] = 255
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = (
        width, height, "yuvj420p", Fraction(1, 25)
    )  # fmt: skip
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuvj420p")
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory, network: str) -> Iterator[Inside]:
    node = Inside(tmp_path_factory.mktemp("inside")).start()
    yield node
    assert node.stop() == 0


@pytest.fixture
def classroom(inside: Inside, make_classroom: Callable[..., Classroom]) -> Classroom:
    return make_classroom(inside, inside.new_lesson())


def made_up(number: int) -> dict[str, Any]:
    """A lesson as the wall shows it."""
    return {
        "id": f"made-up-{number}",
        "title": f"Welding {number:02d}",
        "instructor": "欧阳振华职业技能培训中心的上官婉儿老师",
        "state": "live",
        "viewers": 10_000 if number == 7 else number,
        "publishing": True,
        "sources": {"camera": True, "screen": False, "microphone": True, "blank": False},
        "started_at_ms": 1_790_000_000_000,
        "chat_on": True,
        "hit": None,
        "open": 0,
        "urgent": 0,
        "held": 0,
        "cut": None,
    }


def text_finding() -> Finding:
    """A line of an advert on a slide, and one that is none."""
    picture = jpeg(640, 360)
    advert = Line("澳门新葡京 注册送88", (64, 36, 320, 90), Category.GAMBLING, 0.97)
    return Finding(
        kind=Kind.TEXT,
        at_ms=int(time.time() * 1000),
        scores={"gambling": 0.97},
        models={"test-model": "a" * 64},
        content_sha256=hashlib.sha256(picture).hexdigest(),
        track="screen",
        lines=(advert, Line("第三讲", (10, 300, 90, 330))),
        jpeg=picture,
        why=("word 新葡京",),
    )


class TestTheWall:
    @pytest.fixture
    def wall(self, inside: Inside, classroom: Classroom) -> Iterator[ChromiumTab]:
        inside.more = [made_up(number) for number in range(CLASSES)]
        tab = classroom.open("moderate")
        with looking(inside):
            tab.until(lambda: painted(tab) >= 6, "thumbnails on the tiles")
            yield tab
        inside.more = []

    def test_forty_classes_move_and_only_those_on_the_screen_are_asked_for(
        self, inside: Inside, wall: ChromiumTab
    ) -> None:
        assert tiles(wall) >= CLASSES
        watched = inside.ask(lambda: inside.wall.numbers()["watched"])
        assert 0 < watched < CLASSES
        look_at_both_sizes(wall, "wall-44")

    def test_the_riskiest_comes_first_and_nothing_moves_under_the_cursor(
        self, inside: Inside, wall: ChromiumTab
    ) -> None:
        wall.hover('[data-lesson="made-up-3"] .tile')
        before = order(wall)

        def risk() -> bool:
            inside.ask(lambda: inside.wall.looked("made-up-40", "camera", 1, {"gambling": 0.93}, b""))
            wall.hover('[data-lesson="made-up-3"] .tile-title')
            return wall.sees(ALARM)

        wall.until(risk, "the alarm")
        assert order(wall) == before
        wall.press("j")
        assert (
            wall.evaluate("() => document.activeElement.closest('.tile-box')?.dataset.lesson") == "made-up-40"
        )
        wall.press("s")
        wall.until(lambda: order(wall)[0] == "made-up-40", "the riskiest first")

    def test_in_firefox_it_moves_and_two_keys_cut(
        self, inside: Inside, classroom: Classroom, firefox: Firefox
    ) -> None:
        lesson = classroom.lesson
        learner = classroom.learn()  # somebody is there, so the wall knows the lesson
        learner.wait_sees('[data-testid="chat-input"]:not(:disabled)')
        tab = classroom.open("moderate", browser=firefox)
        tile = f'[data-lesson="{lesson.id}"]'
        tab.click(f"{tile} .tile")

        def look() -> bool:
            inside.ask(partial(inside.wall.looked, lesson.id, "camera", 1, {"porn": 0.3}, jpeg(320, 180)))
            return tab.sees(f'{tile} .tile-stage[data-fresh="true"]')

        tab.until(look, "the thumbnail")
        tab.press("c")
        tab.wait_sees(CUT_CONFIRM)
        tab.press("Enter")
        inside.wait_lesson(lesson, state="cut")

    def test_without_classes_it_says_so(self, inside: Inside, classroom: Classroom) -> None:
        over = classroom.server.api("POST", "/lessons", {"title": "Over"}).json
        classroom.server.api("POST", f"/lessons/{over['id']}/end")
        tab = classroom.open("moderate", token=over["tokens"]["moderator"])
        tab.wait_text("main", "There are no classes now.")


class TestAHeldMessage:
    def test_is_its_authors_alone_until_a_key_releases_it(self, classroom: Classroom) -> None:
        learner, other = classroom.learn(), classroom.learn(token=another(classroom))
        for tab in (learner, other):
            tab.wait_sees('[data-testid="chat-input"]:not(:disabled)')
        classroom.say(learner, ADVERT)
        learner.wait_text(OWN_HELD, "Waiting for a moderator")
        moderator = opened(classroom)
        moderator.wait_text(HELD, ADVERT)
        look_at_both_sizes(moderator, "moderate-held")
        moderator.resize(1440, 900)
        moderator.press("h")
        moderator.press("a")
        other.wait_text(CHAT_LOG, ADVERT)
        learner.until(lambda: not learner.sees(OWN_HELD), "the line as everybody sees it")
        moderator.until(lambda: not moderator.sees(HELD), "nothing held any more")

    def test_taken_away_says_so_to_its_author_who_may_object(
        self, inside: Inside, classroom: Classroom
    ) -> None:
        learner = classroom.learn()
        learner.wait_sees('[data-testid="chat-input"]:not(:disabled)')
        classroom.say(learner, ADVERT)
        learner.wait_sees(OWN_HELD)
        moderator = opened(classroom)
        moderator.wait_text(HELD, ADVERT)
        moderator.press("h")
        moderator.press("x")
        learner.wait_text(OWN_HELD, "Not shown")
        learner.click(f"{OWN_HELD} {by_testid('object')}")
        learner.fill("dialog textarea", "It was an example from the course book.")
        learner.click(by_testid("appeal-send"))
        learner.until(lambda: not learner.sees("dialog"), "the objection sent")
        assert [one["appeal"]["text"] for one in incidents(classroom)] == [
            "It was an example from the course book."
        ]


class TestAnIncident:
    def test_from_the_alarm_to_the_boxes_to_a_decision_by_keys(
        self, inside: Inside, classroom: Classroom
    ) -> None:
        teacher = classroom.teach()
        moderator = classroom.open("moderate")
        lesson = classroom.lesson
        inside.ask(lambda: inside.screening.found(lesson.id, text_finding()))
        moderator.wait_text("main", "Gambling")
        teacher.wait_text(by_testid("finding"), "Gambling")
        teacher.wait_text(CUT_NOTICE, "Gambling")  # the standard policy takes the picture away at that score
        look_at_both_sizes(teacher, "teach-finding")
        teacher.click(f"{by_testid('finding')} {by_testid('object')}")
        teacher.fill("dialog textarea", "A slide on how to recognise fraud.")
        teacher.click(by_testid("appeal-send"))
        moderator.press("q")
        moderator.wait_sees(".timeline-press")
        moderator.evaluate("() => document.querySelector('.timeline-press').focus()")
        moderator.press("Enter")
        moderator.wait_sees(".evidence-box")
        assert boxes(moderator) == [[0.1, 0.1, 0.4, 0.15]]
        moderator.wait_text(".incident", "A slide on how to recognise fraud.")
        look_at_both_sizes(moderator, "moderate-incident")
        moderator.press("x")
        until(lambda: [one["state"] for one in incidents(classroom)] == ["confirmed"], "the decision kept")
        moderator.wait_text("main", "Nothing waits for you.")

    def test_two_keys_cut_the_class_that_calls(self, inside: Inside, classroom: Classroom) -> None:
        classroom.teach()
        moderator = classroom.open("moderate")
        lesson = classroom.lesson
        moderator.wait_text("main", lesson.title)
        finding = text_finding()
        inside.ask(lambda: inside.screening.found(lesson.id, finding))
        moderator.wait_sees(ALARM)
        moderator.press("j")
        moderator.press("c")
        moderator.wait_sees(CUT_CONFIRM)
        moderator.press("Enter")
        inside.wait_lesson(lesson, state="cut")
        moderator.wait_text(CUT_NOTICE, "陈监看")


class TestRestoring:
    def test_takes_a_second_person_where_the_policy_says_so(
        self, inside: Inside, classroom: Classroom
    ) -> None:
        lesson = classroom.lesson
        inside.api("PUT", f"/lessons/{lesson.id}/policy", {"name": "strict"})
        classroom.cut()
        first = self.selected(classroom, inside.token("moderator"))
        first.press("r")
        first.wait_sees(RESTORE_CONFIRM)
        first.press("Enter")
        first.wait_text(CUT_NOTICE, "It waits for a second person")
        (token,) = inside.more_tokens(lesson, 1, role="moderator", name="周监看")
        second = self.selected(classroom, token)
        second.wait_text(CUT_NOTICE, "陈监看 asked to restore")
        second.press("r")
        second.wait_text("dialog", "Restore as the second person")
        look_at_both_sizes(second, "moderate-second-person")
        second.press("Enter")
        inside.wait_lesson(lesson, state="waiting")

    def selected(self, classroom: Classroom, token: str) -> ChromiumTab:
        tab = classroom.open("moderate", token=token)
        tab.click(f'[data-lesson="{classroom.lesson.id}"] .tile')
        return tab


class TestNobodyLooks:
    def test_everybody_is_told_what_it_means_to_them(self, inside: Inside, classroom: Classroom) -> None:
        teacher, learner = classroom.teach(), classroom.learn()
        learner.wait_moving()
        moderator = classroom.open("moderate")
        lesson, now_ms = classroom.lesson, int(time.time() * 1000)
        sees = Sight(Seeing.SEEING, now_ms, Mode.SCREENED, 1500)
        inside.ask(lambda: inside.screening.sight(lesson.id, sees))
        learner.wait_text(by_testid("delay"), "1.5 s")
        teacher.wait_text(by_testid("delay"), "1.5 s")
        blind = Sight(Seeing.BLIND, now_ms, Mode.SCREENED, 1500, held_back=True)
        inside.ask(lambda: inside.screening.sight(lesson.id, blind))
        learner.wait_text("main", "The picture is being checked")
        teacher.wait_text(by_testid("held-back"), "held back")
        moderator.wait_text(f'[data-lesson="{lesson.id}"]', "Cannot see")
        for tab, name in ((learner, "learn"), (teacher, "teach"), (moderator, "moderate")):
            look_at_both_sizes(tab, f"{name}-held-back")
        inside.ask(lambda: inside.screening.sight(lesson.id, Sight(Seeing.SEEING, now_ms, Mode.WATCH)))
        learner.until(lambda: "being checked" not in learner.text("main"), "the picture again")


class TestWhatTheInstructorShows:
    """The whole way, on a server with its screen process and a model that looks for magenta."""

    @pytest.fixture
    def seeing(self, tmp_path: Path, make_classroom: Callable[..., Classroom]) -> Iterator[Classroom]:
        models = magenta.folder(tmp_path / "models")
        screening = {"LIVESERVER_SCREENING_ENABLED": "true", "LIVESERVER_SCREENING_MODELS": str(models)}
        server = Server(tmp_path / "server", **screening).start()
        yield make_classroom(server, server.demo)
        server.stop()
        assert server.tracebacks() == []

    def test_moves_on_the_wall_and_is_taken_away_with_its_evidence(self, seeing: Classroom) -> None:
        teacher, learner, moderator = seeing.teach(), seeing.learn(), seeing.open("moderate")
        learner.wait_moving()
        tile = f'[data-lesson="{seeing.lesson.id}"]'
        moderator.wait_sees(f'{tile} .tile-stage[data-fresh="true"]', timeout_s=60)
        first = moderator.evaluate(PIXELS, tile)
        moderator.until(lambda: moderator.evaluate(PIXELS, tile) != first, "another picture on the tile")
        moderator.wait_text(tile, "Seeing", timeout_s=60)
        teacher.evaluate("() => { watch.patch = '#ff00ff'; }")
        learner.wait_text(CUT_NOTICE, "automatic screening", timeout_s=60)
        learner.wait_dark()
        teacher.wait_text(by_testid("finding"), "Pornography")
        moderator.wait_text(tile, "Pornography")
        moderator.wait_text(CUT_NOTICE, "viewers dark after")
        moderator.press("Enter")
        moderator.wait_sees(".opened-title")
        moderator.press("i")
        moderator.wait_sees(".opened-inside .timeline-press")
        moderator.press("i")
        moderator.press("Enter")
        moderator.wait_sees(".evidence-picture")
        look_at_both_sizes(moderator, "moderate-seen")


class TestTheAdministrator:
    def test_sees_what_a_list_would_change_before_it_does(self, inside: Inside, classroom: Classroom) -> None:
        learner = classroom.learn()
        learner.wait_sees('[data-testid="chat-input"]:not(:disabled)')
        classroom.say(learner, "焊条怎么选")
        learner.wait_text(CHAT_LOG, "焊条怎么选")
        admin = self.section(classroom, 1)
        admin.click(by_testid("upload-sensitive"))
        admin.fill("dialog textarea", "焊条\n坏\nx\ty\tz\t1\n")
        admin.click(by_testid("list-try"))
        admin.wait_text("dialog", "Rows that are wrong: 2")
        admin.press("Escape")
        admin.until(lambda: "焊条" in admin.evaluate(VALUE), "the rows again, to be put right")
        admin.press("Control+a")
        admin.type("焊条\n")
        admin.click(by_testid("list-try"))
        admin.wait_text("dialog", "焊条怎么选")
        look_at_both_sizes(admin, "admin-list-preview")
        admin.click(by_testid("list-take"))
        admin.wait_text("main", "Sensitive topics")
        until(lambda: versions(inside)["sensitive"] == 1, "the list in use")
        classroom.say(learner, "焊条多少钱")
        learner.wait_sees(OWN_HELD)

    def test_changes_a_rule_and_keeps_both_versions(self, inside: Inside, classroom: Classroom) -> None:
        admin = self.section(classroom, 0)
        admin.wait_text(".rules", "85% Picture cut")
        look_at_both_sizes(admin, "admin-policy")
        admin.click(".rules td button")
        admin.click("dialog input")
        admin.press("Control+a")
        admin.type("70")
        admin.press("Enter")
        admin.wait_text(".rules", "70% Instructor warned")
        admin.click(by_testid("policy-save"))
        until(lambda: len(policy(inside)["versions"]) == 2, "the second version")
        assert {"kind": "frame", "category": "porn", "threshold": 0.7, "action": "warn"} in policy(inside)[
            "rules"
        ]

    def test_sees_how_often_screening_was_right_and_which_models_are_there(
        self, inside: Inside, classroom: Classroom
    ) -> None:
        admin = self.section(classroom, 2)
        admin.wait_text(".precision", "right")
        look_at_both_sizes(admin, "admin-precision")
        admin.click(".screening .tab >> nth=3")
        admin.wait_text(".screening", "open-nsfw")
        look_at_both_sizes(admin, "admin-models")
        drill = {
            "lesson": classroom.lesson.id,
            "level": "picture",
            "viewers": 50,
            "seen_udp_us": [4100, 9300],
        }
        assert inside.api("POST", "/drills", drill).status == 201
        admin.click(".screening .tab >> nth=4")
        admin.wait_text(".screening", "9.3 ms")
        look_at_both_sizes(admin, "admin-drills")

    def section(self, classroom: Classroom, panel: int) -> ChromiumTab:
        """The administrator's page with one of screening's panels."""
        admin = classroom.open("admin")
        admin.click('.tab >> text="Screening"')
        admin.wait_sees(".screening .tab")
        admin.click(f".screening .tab >> nth={panel}")
        return admin


PIXELS = (
    "(tile) => { const sheet = document.createElement('canvas'); sheet.width = 32; sheet.height = 18;"
    " const pen = sheet.getContext('2d');"
    " pen.drawImage(document.querySelector(`${tile} .tile-picture`), 0, 0, 32, 18);"
    " return [...pen.getImageData(0, 0, 32, 18).data].join(); }"
)
VALUE = "() => document.querySelector('dialog textarea')?.value ?? ''"


def versions(inside: Inside) -> dict[str, int]:
    return {one["name"]: one["version"] for one in inside.api("GET", "/lexicons").json["items"]}


def policy(inside: Inside) -> dict[str, Any]:
    return inside.api("GET", "/policies/default").json


@contextmanager
def looking(inside: Inside) -> Iterator[None]:
    """Every made-up class is looked at twice a second, as a screen process would."""
    stopping = threading.Event()
    picture = jpeg(320, 180)

    def look() -> None:
        while not stopping.wait(0.5):
            for number in range(CLASSES):
                score = {"porn": 0.1 + number / 200}
                name = f"made-up-{number}"
                inside.ask(partial(inside.wall.looked, name, "camera", 1, score, picture))

    sight = Sight(Seeing.SEEING, 1, Mode.WATCH)
    for number in range(CLASSES):
        inside.ask(partial(inside.wall.saw, f"made-up-{number}", sight))
    thread = threading.Thread(target=look, name="looking", daemon=True)
    thread.start()
    yield
    stopping.set()
    thread.join(5)


def tiles(tab: ChromiumTab) -> int:
    return tab.evaluate("() => document.querySelectorAll('.tile-box').length")


def order(tab: ChromiumTab) -> list[str]:
    return tab.evaluate(
        "() => [...document.querySelectorAll('.tile-box')].map((tile) => tile.dataset.lesson)"
    )


def painted(tab: ChromiumTab) -> int:
    """How many tiles show a picture."""
    return tab.evaluate("() => document.querySelectorAll('.tile-stage[data-fresh=\"true\"]').length")


def boxes(tab: ChromiumTab) -> list[list[float]]:
    """Left, top, width, height of each box drawn on the evidence, as shares of the picture."""
    return tab.evaluate(
        "() => [...document.querySelectorAll('.evidence-box')].map(({ style }) =>"
        " [style.left, style.top, style.width, style.height].map((part) => parseFloat(part) / 100))"
    )


def opened(classroom: Classroom) -> ChromiumTab:
    """The moderator's page with the lesson open."""
    moderator = classroom.open("moderate")
    moderator.click(f'main >> text="{classroom.lesson.title}"')
    moderator.press("Enter")
    moderator.wait_sees(".opened-title")
    return moderator


def another(classroom: Classroom) -> str:
    return classroom.server.more_tokens(classroom.lesson, 1)[0]


def incidents(classroom: Classroom) -> list[dict[str, Any]]:
    path = f"/lessons/{classroom.lesson.id}/incidents"
    return classroom.server.api("GET", path, role="moderator").json["items"]
