"""What random checks leave of lesson hours, live and in recordings; what is credited of a recording."""

from __future__ import annotations

from fractions import Fraction

from liveserver.core.checks import Check, CheckMode
from liveserver.core.hours import Policy
from tests.core.crediting import (
    EXCUSED,
    FAILED,
    PASSED,
    TIMEOUT,
    at,
    check,
    lesson,
    lost,
    recorded,
    run,
    spans,
)


class TestChecks:
    def test_only_the_first_join_is_a_pass(self) -> None:
        presence = spans(("09:00", "09:10"), ("09:11", "09:45"))
        hours = lesson(presence=presence, checks=[check("09:24", TIMEOUT)])
        assert hours.credited_s == 0

    def test_excused_is_as_if_not_issued(self) -> None:
        assert lesson(checks=[check("09:24", EXCUSED)]).credited_s == 2700

    def test_a_pass_at_the_end_makes_nothing_good_that_came_before(self) -> None:
        hours = lesson(checks=[check("09:24", TIMEOUT), check("09:40", PASSED)])
        assert hours.credited_s == 300

    def test_window_voids_seven_minutes_to_either_side(self) -> None:
        hours = lesson(policy=Policy(check_mode=CheckMode.WINDOW), checks=[check("09:24", TIMEOUT)])
        assert hours.credited_s == 2700 - 840
        assert [(v.from_ms, v.to_ms) for v in hours.voids] == spans(("09:17", "09:31"))

    def test_jtt_like_two_misses_in_a_row_void_everything(self) -> None:
        checks = [check("09:10", PASSED), check("09:20", TIMEOUT), check("09:30", FAILED)]
        assert lesson(policy=Policy(check_mode=CheckMode.JTT_LIKE), checks=checks).credited_s == 0

    def test_jtt_like_fewer_than_three_in_four_count_by_their_share(self) -> None:
        checks = [
            check("09:05", PASSED),
            check("09:15", TIMEOUT),
            check("09:25", PASSED),
            check("09:38", TIMEOUT),
        ]
        hours = lesson(policy=Policy(check_mode=CheckMode.JTT_LIKE), checks=checks)
        valid_s = 2700 - 2 * 840
        assert hours.credited_s == valid_s * 2 // 4 * 4 // 3
        assert sum(seconds for _, seconds in lost(hours)) == 2700 - hours.credited_s

    def test_jtt_like_three_in_four_lose_only_the_window(self) -> None:
        checks = [check("09:05", PASSED), check("09:15", TIMEOUT), check("09:25", PASSED)]
        checks.append(check("09:38", PASSED))
        hours = lesson(policy=Policy(check_mode=CheckMode.JTT_LIKE), checks=checks)
        assert hours.credited_s == 2700 - 840

    def test_quota_bears_nine_misses(self) -> None:
        policy = Policy(check_mode=CheckMode.QUOTA)
        misses = [Check(at("09:00") + n * 120_000, TIMEOUT) for n in range(1, 11)]
        passes = [Check(at("09:00") + n * 120_000 + 60_000, PASSED) for n in range(1, 11)]
        assert lesson(policy=policy, checks=misses[:9] + passes).credited_s > 0
        assert lesson(policy=policy, checks=misses + passes).credited_s == 0

    def test_a_miss_during_a_recorded_lesson_may_be_made_up(self) -> None:
        whole = run(0, 2700, "09:00")
        missed = recorded(whole, checks=[check("09:30", TIMEOUT)])
        assert missed.credited_s == 0
        made_up = recorded(
            whole,
            run(0, 2700, "10:00"),
            checks=[check("09:30", TIMEOUT), check("10:00", PASSED)],
        )
        assert made_up.credited_s == 2700


class TestRecorded:
    def test_skipping_earns_nothing(self) -> None:
        assert recorded(run(0, 300, "09:00"), run(2400, 2700, "09:05")).credited_s == 600

    def test_slow_motion_earns_what_was_seen(self) -> None:
        assert recorded(run(0, 600, "09:00", rate=Fraction(1, 2))).credited_s == 600

    def test_twice_at_double_speed_is_not_worth_the_whole(self) -> None:
        twice = recorded(run(0, 2700, "09:00", rate=Fraction(2)), run(0, 2700, "10:00", rate=Fraction(2)))
        assert twice.credited_s == 1350

    def test_a_policy_may_allow_a_faster_pace(self) -> None:
        policy = Policy(max_rate=Fraction(3, 2))
        assert recorded(run(0, 2700, "09:00", rate=Fraction(3, 2)), policy=policy).credited_s == 2700

    def test_in_the_background_earns_nothing_and_may_be_watched_again(self) -> None:
        hidden = spans(("09:10", "09:20"))
        assert recorded(run(0, 2700, "09:00"), hidden=hidden).credited_s == 2100
        again = recorded(run(0, 2700, "09:00"), run(600, 1200, "10:00"), hidden=hidden)
        assert again.credited_s == 2700

    def test_beyond_the_end_there_is_nothing(self) -> None:
        assert recorded(run(2600, 2800, "09:00")).credited_s == 100
