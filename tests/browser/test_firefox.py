"""Firefox without its H.264 plug-in, as on a closed network: it teaches and watches in VP8."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.browser.classroom import Classroom
from tests.drivers.firefox import Firefox
from tests.drivers.server import Lesson, Server

WITHOUT_VP8 = """
    const all = RTCRtpReceiver.getCapabilities;
    RTCRtpReceiver.getCapabilities = (kind) => {
        const known = all.call(RTCRtpReceiver, kind);
        return { ...known, codecs: known.codecs.filter(({ mimeType }) => mimeType !== 'video/VP8') };
    };
"""


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

    def test_a_browser_without_vp8_sees_it_in_h264_which_the_server_makes(
        self, classroom: Classroom, firefox: Firefox
    ):
        classroom.teach(browser=firefox)
        learner = classroom.learn(script=WITHOUT_VP8)
        learner.wait_moving()
        learner.wait_heard()
        assert 0 <= learner.glass_to_glass_ms() < 1500
        assert learner.video_codecs()[0] == "video/H264"

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
    def test_firefox_sees_it_in_vp8_which_the_server_makes_for_it(
        self, classroom: Classroom, firefox: Firefox
    ):
        teacher = classroom.teach()
        learner = classroom.learn(browser=firefox)
        seen = learner.wait_moving()
        assert (seen["width"], seen["height"]) == (640, 360)
        learner.wait_heard()
        assert 0 <= learner.glass_to_glass_ms() < 1500
        assert teacher.video_codecs("outbound-rtp")[0] == "video/H264"
        assert learner.video_codecs()[0] == "video/VP8"

    def test_it_harms_nobody_else(self, classroom: Classroom, firefox: Firefox):
        classroom.teach()
        tokens = classroom.server.more_tokens(classroom.lesson, 2)
        other = classroom.learn(token=tokens[0])
        other.wait_moving()
        learner = classroom.learn(token=tokens[1], browser=firefox)
        learner.wait_moving()
        other.wait_frames(25)
        assert other.video_codecs()[0] == "video/H264"

    def test_where_the_server_makes_none_firefox_is_told_plainly(
        self, make_classroom: Callable[[Server, Lesson], Classroom], firefox: Firefox, tmp_path: Path
    ):
        server = Server(tmp_path / "server", LIVESERVER_TRANSCODE_MAX_LESSONS="0")
        server.start()
        try:
            classroom = make_classroom(server, server.demo)
            classroom.teach()
            learner = classroom.learn(browser=firefox)
            learner.wait_text("main", "lacks the video format", timeout_s=15)
            assert learner.frames_decoded() == 0
        finally:
            server.stop()
