"""GStreamer's webrtcbin over WHIP and WHEP: an RSA certificate, packets of 1,400 bytes, no trickle."""

from __future__ import annotations

import pytest

from tests.drivers.media import gst_publisher, gst_viewer, pattern_publisher

pytestmark = pytest.mark.usefixtures("gstreamer")


class TestItPublishes:
    @pytest.mark.parametrize("codec", ["h264", "vp8"])
    def test_and_a_learners_page_shows_and_plays_it(self, server, lesson, chromium, tmp_path, codec):
        with gst_publisher(
            tmp_path, server.whip_url(lesson), lesson.tokens["instructor"], codec=codec
        ) as gst:
            gst.wait("connected")
            server.wait_lesson(lesson, state="live", publishing=True)
            learner = chromium.tab(server.learn_link(lesson))
            try:
                assert learner.wait_moving()["width"] == 640
                learner.wait_heard()
                assert learner.video_codecs()[0] == {"h264": "video/H264", "vp8": "video/VP8"}[codec]
            finally:
                learner.close()
            gst.stop()
            assert gst.wait("left")["status"] == 200


class TestItWatches:
    @pytest.mark.parametrize("codec", ["h264", "vp8"])
    def test_a_lesson_of_either_codec(self, server, lesson, tmp_path, codec):
        url, token = server.whip_url(lesson), lesson.tokens["instructor"]
        with pattern_publisher(tmp_path, url, token, codec=codec) as publisher:
            publisher.wait("publishing")
            with gst_viewer(tmp_path, server.whep_url(lesson), lesson.tokens["learner"]) as gst:
                seen = gst.wait("progress", frames=50, audio=50)
                assert (seen["codec"], seen["size"]) == (codec, "640x360")
                gst.stop()
                assert gst.wait("left")["status"] == 200

    def test_what_it_publishes_itself(self, server, lesson, tmp_path):
        with gst_publisher(tmp_path, server.whip_url(lesson), lesson.tokens["instructor"]) as publisher:
            publisher.wait("connected")
            with gst_viewer(tmp_path, server.whep_url(lesson), lesson.tokens["learner"]) as viewer:
                viewer.wait("progress", frames=50, audio=50)
