"""The learner's page through nginx as deploy/nginx sets it up: LL-HLS from the edge's cache, over HTTP/2."""

from __future__ import annotations

import os

import pytest

from tests.browser.classroom import CHAT_LOG, CUT_NOTICE
from tests.browser.test_hls import NO_WEBRTC, plays
from tests.edge.conftest import edge, ports, server  # noqa: F401 - the fixtures of the edge's own tests

pytestmark = pytest.mark.skipif(
    os.environ.get("RELIABILITY") != "full",
    reason="tests/edge has the edge, test_hls.py the page: RELIABILITY=full",
)
TRUSTED = {"ignore_https_errors": True}  # of a certificate that only this machine knows


class TestLearnersThroughTheEdge:
    def test_see_the_lesson_are_heard_and_are_cut_off_together(self, make_classroom, server):  # noqa: F811
        classroom = make_classroom(server, server.new_lesson())
        teacher = classroom.teach(**TRUSTED)
        tokens = server.more_tokens(classroom.lesson, 3)
        learners = [classroom.learn(script=NO_WEBRTC, token=token, **TRUSTED) for token in tokens]
        behind = [
            plays(learner, f"Chromium behind nginx, {n + 1} of 3") for n, learner in enumerate(learners)
        ]
        assert max(behind) < 4000  # docs/BENCHMARKS.md has the figures
        protocol = (
            "() => performance.getEntriesByType('resource').find(e => /m4s/.test(e.name)).nextHopProtocol"
        )
        assert learners[0].evaluate(protocol) == "h2"
        classroom.say(learners[0], "through the edge")
        teacher.wait_text(CHAT_LOG, "through the edge")
        classroom.cut(reason="Not part of the syllabus")
        for learner in learners:
            learner.wait_text(CUT_NOTICE, "Not part of the syllabus")
            learner.wait_dark()
