"""Where frames belong on the wall clock. Pure: ninety minutes take milliseconds."""

from __future__ import annotations

import random

import pytest

from recorder.timeline import ArrivalGuard, LeastDelay, Timeline, ntp_to_ms

NTP_1970 = 2_208_988_800


def ntp(ms: float) -> int:
    return round((ms / 1000 + NTP_1970) * 2**32)


class TestByArrival:
    def test_distances_are_the_timestamps(self) -> None:
        line = Timeline()
        a = line.stamp("audio", 1000, 48_000, 5000, 1)
        b = line.stamp("audio", 1960, 48_000, 5033, 1)
        assert (line.wall_ms(a), line.wall_ms(b)) == (5000, 5020)

    def test_jitter_only_shortens(self) -> None:
        line = Timeline()
        a = line.stamp("camera", 0, 90_000, 5050, 1)
        line.stamp("camera", 3600, 90_000, 5040, 1)
        assert line.wall_ms(a) == 5000

    def test_timestamps_wrap(self) -> None:
        line = Timeline()
        a = line.stamp("camera", 2**32 - 1800, 90_000, 1000, 1)
        b = line.stamp("camera", 1800, 90_000, 1040, 1)
        assert line.wall_ms(b) - line.wall_ms(a) == 40

    def test_ninety_minutes_of_a_fast_quartz_end_on_the_wall_clock(self) -> None:
        line, rng = Timeline(), random.Random(1)
        stamp = None
        for n in range(90 * 60 * 10):
            at_ms = n * 100
            stamp = line.stamp(
                "audio", round(at_ms * 48 * 1.0001) & 0xFFFFFFFF, 48_000, at_ms + rng.randrange(40), 1
            )
        assert stamp is not None
        assert line.wall_ms(stamp) == pytest.approx(90 * 60 * 1000 - 100, abs=15)


class TestByReport:
    def test_both_tracks_move_onto_one_clock(self) -> None:
        line = Timeline()
        voice = line.stamp("audio", 1000, 48_000, 5000, 1)
        camera = line.stamp("camera", 70, 90_000, 5070, 2)
        line.report("audio", ntp(4990), 1000)
        line.report("camera", ntp(4995), 70)
        assert line.wall_ms(voice) == pytest.approx(5000)
        assert line.wall_ms(camera) == pytest.approx(5005)

    def test_it_applies_to_frames_that_came_before(self) -> None:
        line = Timeline()
        early = line.stamp("camera", 0, 90_000, 300, 1)
        late = line.stamp("camera", 90_000, 90_000, 1300, 1)
        line.stamp("audio", 0, 48_000, 0, 2)
        line.report("audio", ntp(0), 0)
        line.report("camera", ntp(1000), 90_000)
        assert (line.wall_ms(early), line.wall_ms(late)) == pytest.approx((0, 1000))

    def test_a_report_before_the_first_frame_is_kept(self) -> None:
        line = Timeline()
        line.report("audio", ntp(100), 4800)
        stamp = line.stamp("audio", 4800, 48_000, 170, 1)
        assert line.settled(stamp, 170)

    @pytest.mark.parametrize("clock", [0, ntp(5_000_000)])
    def test_a_broken_clock_on_one_track_is_not_used(self, clock: int) -> None:
        line = Timeline()
        voice = line.stamp("audio", 0, 48_000, 0, 1)
        camera = line.stamp("camera", 0, 90_000, 50, 2)
        line.report("audio", ntp(0), 0)
        line.report("camera", clock, 0)
        assert abs(line.wall_ms(voice)) <= 1000
        assert abs(line.wall_ms(camera) - 50) <= 1000

    def test_it_is_waited_for_but_not_for_ever(self) -> None:
        line = Timeline()
        stamp = line.stamp("audio", 0, 48_000, 0, 1)
        assert not line.settled(stamp, 3999)
        assert line.settled(stamp, 4000)


class TestRuns:
    @pytest.mark.parametrize(
        ("rtp", "arrival", "source"),
        [(96_000, 1000, 2), (900_000_000, 1000, 1), (3600, 9000, 1)],
        ids=["other source", "timestamps jump", "time without timestamps"],
    )
    def test_a_break_begins_a_new_run_at_its_arrival(self, rtp: int, arrival: int, source: int) -> None:
        line = Timeline()
        before = line.stamp("camera", 0, 90_000, 0, 1)
        after = line.stamp("camera", rtp, 90_000, arrival, source)
        assert after.run is not before.run
        assert (line.wall_ms(before), line.wall_ms(after)) == (0, arrival)

    def test_a_pause_counted_by_the_timestamps_is_none(self) -> None:
        line = Timeline()
        before = line.stamp("screen", 0, 90_000, 0, 1)
        after = line.stamp("screen", 90_000 * 60, 90_000, 60_030, 1)
        assert after.run is before.run

    def test_the_old_sources_report_does_not_move_the_new_one(self) -> None:
        line = Timeline()
        line.stamp("camera", 0, 90_000, 0, 1)
        line.report("camera", ntp(-700), 0)
        after = line.stamp("camera", 50, 90_000, 3000, 2)
        assert line.wall_ms(after) == 3000

    def test_a_report_that_comes_before_the_new_sources_first_frame_is_kept(self) -> None:
        line = Timeline()
        line.stamp("camera", 0, 90_000, 0, 1)
        line.report("camera", ntp(2900), 900_000_000)
        after = line.stamp("camera", 900_000_000, 90_000, 3000, 2)
        assert line.settled(after, 3000)


class TestLeastDelay:
    def test_a_change_of_path_is_followed_at_once_a_drift_slowly(self) -> None:
        for change, after_first_window in ((100.0, 20.0), (2000.0, 2010.0)):
            delay = LeastDelay()
            for at in range(0, 20_000, 100):
                delay.add(10.0, at)
            for at in range(20_000, 40_100, 100):
                delay.add(10.0 + change, at)
                if delay.value != 10.0:
                    break
            assert delay.value == after_first_window


class TestArrivalGuard:
    def test_a_step_of_the_clock_is_taken_out(self) -> None:
        for step in (3_600_000, -3_600_000):
            guard = ArrivalGuard()
            assert guard.correct(10_000, 0) == 10_000
            assert guard.correct(10_020 + step, 20) == 10_020
            assert guard.correct(10_040 + step, 40) == 10_040

    def test_late_delivery_and_catching_up_is_no_step(self) -> None:
        guard = ArrivalGuard()
        assert guard.correct(0, 0) == 0
        assert guard.correct(20, 60_000) == 20
        assert guard.correct(60_020, 60_001) == 60_020


def test_ntp_counts_from_1900() -> None:
    assert ntp_to_ms(NTP_1970 << 32) == 0
    assert ntp_to_ms((NTP_1970 << 32) + 2**31) == 500
