"""The cut: no learner sees more, everyone is told why, and it lasts until a person lifts it."""

from __future__ import annotations

import concurrent.futures

from tests.browser.classroom import CUT_CONFIRM, CUT_NOTICE, RESTORE, RESTORE_CONFIRM, Classroom
from tests.drivers.server import request

REASON = "Not part of the syllabus"


class TestACut:
    def test_every_learners_picture_stops_and_the_page_says_why(self, classroom: Classroom):
        teacher = classroom.teach()
        tokens = classroom.server.more_tokens(classroom.lesson, 2)
        learners = [classroom.learn(token=token) for token in tokens]
        for learner in learners:
            learner.wait_moving()
        cut = classroom.cut(reason=REASON)
        assert cut["level"] == "lesson"
        for learner in learners:
            learner.wait_text(CUT_NOTICE, REASON)
            learner.wait_dark()
            learner.stops_decoding()
        teacher.wait_text(CUT_NOTICE, REASON)
        state = classroom.server.lesson(classroom.lesson)
        assert state["state"] == "cut"
        assert state["cut"]["reason"] == REASON

    def test_who_comes_after_the_cut_is_told_and_gets_no_media(self, classroom: Classroom):
        classroom.teach()
        classroom.cut(reason=REASON)
        late = classroom.learn()
        late.wait_text(CUT_NOTICE, REASON)
        assert late.frames_decoded() == 0

    def test_a_cut_of_the_picture_leaves_the_voice(self, classroom: Classroom):
        classroom.teach()
        learner = classroom.learn()
        learner.wait_moving()
        classroom.cut("picture", REASON)
        learner.wait_text(CUT_NOTICE, REASON)
        learner.wait_dark()
        learner.stops_decoding()
        learner.wait_heard()

    def test_restore_brings_everyone_back(self, classroom: Classroom):
        classroom.teach()
        learner = classroom.learn()
        learner.wait_moving()
        classroom.cut(reason=REASON)
        learner.wait_dark()
        classroom.restore()
        learner.wait_moving(timeout_s=30)
        learner.until(lambda: not learner.sees(CUT_NOTICE), "the notice gone")


class TestItLasts:
    def test_over_kill_9_and_a_restart_until_a_person_lifts_it(self, make_classroom, own_server):
        classroom = make_classroom(own_server, own_server.new_lesson())
        classroom.teach()
        learner = classroom.learn()
        learner.wait_moving()
        classroom.cut(reason=REASON)
        own_server.restart()
        assert own_server.lesson(classroom.lesson)["state"] == "cut"
        late = classroom.learn(token=own_server.more_tokens(classroom.lesson, 1)[0])
        late.wait_text(CUT_NOTICE, REASON)
        assert late.frames_decoded() == 0
        classroom.restore()
        late.wait_moving(timeout_s=60)
        learner.wait_moving(timeout_s=60)


class TestTheControlPort:
    def test_it_cuts_while_the_main_loop_is_blocked(self, classroom: Classroom):
        classroom.teach()
        learner = classroom.learn()
        learner.wait_moving()
        server = classroom.server
        with concurrent.futures.ThreadPoolExecutor() as pool:
            # The test hook holds the main loop for 5 s; its answer can only come after that.
            blocked = pool.submit(request, "POST", f"{server.base_url}/debug/block?seconds=5", timeout_s=15)
            learner.stops_decoding()
            cut = classroom.cut(reason=REASON, control=True)
            assert not blocked.done(), "the loop was free again before the cut was answered"
            assert cut["dark_ms"] < 500
            assert blocked.result().status == 200
        learner.wait_text(CUT_NOTICE, REASON)
        learner.wait_dark()
        assert server.lesson(classroom.lesson)["state"] == "cut"

    def test_it_refuses_who_may_not_cut(self, classroom: Classroom):
        path = f"/lessons/{classroom.lesson.id}/cut"
        body = {"level": "lesson", "reason": "mine"}
        for token in (classroom.lesson.tokens["learner"], classroom.lesson.tokens["instructor"]):
            reply = classroom.server.api("POST", path, body, token=token, control=True)
            assert reply.status == 403
        assert classroom.server.lesson(classroom.lesson)["state"] == "waiting"


class TestTheModeratorsPage:
    def test_two_keys_cut_and_two_keys_restore(self, make_classroom, own_server):
        """On a server with this lesson alone, so that it is the selected one."""
        classroom = make_classroom(own_server, own_server.demo)
        classroom.teach()
        learner = classroom.learn()
        learner.wait_moving()
        moderator = classroom.open("moderate")
        moderator.wait_sees('[data-testid="cut-lesson"]:not(:disabled)', timeout_s=15)
        moderator.press("c")
        moderator.wait_sees(CUT_CONFIRM)
        moderator.press("Enter")
        learner.wait_dark()
        learner.wait_sees(CUT_NOTICE)
        own_server.wait_lesson(classroom.lesson, state="cut")
        moderator.wait_sees(f"{RESTORE}:not(:disabled)")
        moderator.press("r")
        moderator.wait_sees(RESTORE_CONFIRM)
        moderator.press("Enter")
        own_server.wait_lesson(classroom.lesson, timeout_s=20, state="live")
        learner.wait_moving(timeout_s=30)


def test_a_cut_asked_for_twice_is_one_cut(classroom: Classroom):
    first, second = classroom.cut(reason=REASON), classroom.cut(reason=REASON)
    assert second["epoch"] == first["epoch"]
    assert classroom.server.lesson(classroom.lesson)["cut"]["reason"] == REASON
