"""Firefox without its H.264 plug-in, as on a closed network: it teaches and watches in VP8."""

from __future__ import annotations

from tests.browser.classroom import Classroom, by_testid
from tests.drivers.firefox import Firefox


class TestFirefoxTeaches:
    def test_chromium_and_firefox_both_watch_and_hear_the_vp8_lesson(
        self, classroom: Classroom, firefox: Firefox
    ):
        teacher = classroom.teach(browser=firefox)
        tokens = classroom.server.more_tokens(classroom.lesson, 2)
        in_chromium = classroom.learn(token=tokens[0])
        in_firefox = classroom.learn(token=tokens[1], browser=firefox)
        for learner in (in_chromium, in_firefox):
            learner.wait_moving()
            learner.wait_heard()
            assert 0 <= learner.glass_to_glass_ms() < 1500
            assert learner.video_codecs()[0] == "video/VP8"
        assert teacher.video_codecs("outbound-rtp")[0] == "video/VP8"

    def test_it_joins_late_with_a_picture_at_once(self, classroom: Classroom, firefox: Firefox):
        classroom.teach(browser=firefox)
        after_ms = []
        for _ in range(4):
            learner = classroom.learn(browser=firefox)
            after_ms.append(learner.shown_after_ms())
            classroom.tabs.remove(learner)
            learner.close()
        print(f"moving after {sorted(after_ms)} ms")
        assert sorted(after_ms)[1] < 3000


class TestAnH264Lesson:
    def test_firefox_is_told_plainly_that_it_cannot_show_it(self, classroom: Classroom, firefox: Firefox):
        classroom.teach()
        learner = classroom.learn(browser=firefox)
        learner.wait_text("main", "H.264", timeout_s=15)
        assert learner.frames_decoded() == 0

    def test_its_notice_harms_nobody_else(self, classroom: Classroom, firefox: Firefox):
        classroom.teach()
        tokens = classroom.server.more_tokens(classroom.lesson, 2)
        other = classroom.learn(token=tokens[0])
        other.wait_moving()
        learner = classroom.learn(token=tokens[1], browser=firefox)
        learner.wait_text("main", "H.264", timeout_s=15)
        other.wait_frames(25)
        assert other.sees(by_testid("stage"))
