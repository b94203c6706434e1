"""What may be shown: whole runs between looks, nothing after what was refused."""

from __future__ import annotations

import pytest

from liveserver.core.screening import Mode
from liveserver.screen.pace import CUT, PACES, VISIBLE
from liveserver.screen.passing import MOST_WAITING, Passing


@pytest.fixture
def run() -> Passing:
    """A keyframe, 1, and the frames 2 to 5, all seen."""
    made = Passing()
    for number in range(1, 6):
        made.fed(number, keyframe=number == 1)
        made.seen(number)
    return made


class TestWhatPasses:
    def test_a_picture_that_is_right_and_all_before_it(self, run):
        assert run.passed(3) == (1, 3)
        assert run.passed(5) == (4, 5)

    def test_each_frame_once(self, run):
        assert run.passed(5) == (1, 5)
        assert run.passed(5) is None

    def test_nothing_before_the_first_keyframe(self):
        passing = Passing()
        passing.fed(1, keyframe=False)
        passing.seen(1)
        assert passing.passed(1) is None

    def test_not_a_frame_whose_picture_has_not_come_nor_those_behind_it(self):
        passing = Passing()
        for number in (1, 2, 3):
            passing.fed(number, keyframe=number == 1)
        passing.seen(1)
        passing.seen(3)  # pictures in another order than frames
        assert passing.passed(3) == (1, 1)
        passing.seen(2)
        assert passing.passed(3) == (2, 3)

    def test_what_never_had_a_picture_is_over_with_the_next_keyframe(self):
        passing = Passing()
        for number in (1, 2, 3, 4):
            passing.fed(number, keyframe=number in (1, 3))
            if number != 2:
                passing.seen(number)
        assert passing.passed(4) == (3, 4)

    def test_the_next_keyframe_goes_on_with_the_run(self, run):
        run.fed(6, keyframe=True)
        run.seen(6)
        assert run.passed(6) == (1, 6)


class TestWhatIsRefused:
    def test_nothing_after_the_last_that_passed_ever_passes(self, run):
        assert run.passed(2) == (1, 2)
        run.refused()
        assert run.passed(5) is None

    def test_frames_until_the_next_keyframe_neither(self, run):
        run.refused()
        for number in (6, 7, 8):
            run.fed(number, keyframe=number == 8)
            run.seen(number)
        assert run.passed(7) is None
        assert run.passed(8) == (8, 8)

    def test_a_source_without_keyframes_does_not_fill_the_memory(self, run):
        for number in range(6, 6 + MOST_WAITING):
            run.fed(number, keyframe=False)
        assert len(run._waiting) <= MOST_WAITING


class TestWhenToLook:
    @pytest.mark.parametrize("mode", [Mode.WATCH, Mode.SCREENED])
    def test_after_a_while_whatever_the_picture(self, mode):
        assert PACES[mode].is_due(0.0, 500, hurry=False)
        assert PACES[mode].is_due(0.0, 500, hurry=True)

    @pytest.mark.parametrize("mode", [Mode.WATCH, Mode.SCREENED])
    def test_another_scene_at_once_unless_more_waits_than_can_be_looked_at(self, mode):
        assert PACES[mode].is_due(CUT, 1, hurry=False)
        assert not PACES[mode].is_due(CUT, 1, hurry=True)

    @pytest.mark.parametrize("mode", [Mode.WATCH, Mode.SCREENED])
    def test_what_moves_some_times_a_second(self, mode):
        pace = PACES[mode]
        assert not pace.is_due(VISIBLE, pace.least_ms - 1, hurry=False)
        assert pace.is_due(VISIBLE, pace.least_ms, hurry=False)
        assert not pace.is_due(VISIBLE / 2, pace.least_ms, hurry=False)

    def test_every_picture_of_those_that_are_keyframes_alone(self):
        assert PACES[Mode.KEYFRAMES].is_due(0.0, 0, hurry=True)

    def test_a_clock_that_runs_backwards_is_no_reason_to_look_away(self):
        assert PACES[Mode.SCREENED].is_due(0.0, -1, hurry=True)

    def test_the_promise_of_0_6_s(self):
        pace = PACES[Mode.SCREENED]
        assert pace.every_ms + pace.stale_ms <= 600
