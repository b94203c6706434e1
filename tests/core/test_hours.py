"""Lesson hours: DOMAIN section 10's vectors, and the readings of DESIGN section 7."""

from __future__ import annotations

from fractions import Fraction

import pytest

from liveserver.core.earning import CLAUSES, Reason
from liveserver.core.hours import Hours, Kind, Other, Policy, Status, shown
from tests.core.crediting import (
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


class TestWorkedVectors:
    """DOMAIN section 10."""

    def expect(self, hours: Hours, credited_s: int, full: int, shown: str) -> None:
        assert (hours.credited_s, hours.lesson_hours_full, hours.lesson_hours) == (credited_s, full, shown)

    def test_e1_present_all_the_time(self) -> None:
        hours = lesson(presence=spans(("08:58", "09:46")))
        self.expect(hours, 2700, 1, "1.00")
        assert hours.status == (Status.PRESENT,)
        assert hours.voids == ()

    def test_e3_a_break_is_not_counted(self) -> None:
        teaching = spans(("09:00", "09:45"), ("09:55", "10:40"))
        presence = spans(("08:55", "10:45"))
        self.expect(lesson(planned_ms=5_400_000, teaching=teaching, presence=presence), 5400, 2, "2.00")

    def test_e4_the_sum_comes_before_the_floor(self) -> None:
        one = lesson(presence=spans(("09:00", "09:20")))
        other = lesson(presence=spans(("09:20", "09:45")))
        assert (one.lesson_hours_full, other.lesson_hours_full) == (0, 0)
        assert (one.credited_s + other.credited_s) // 2700 == 1
        assert shown(one.credited_s + other.credited_s) == "1.00"

    def test_e5_a_gap_is_not_credited(self) -> None:
        hours = lesson(presence=spans(("09:00", "09:19:50"), ("09:20:30", "09:45")))
        self.expect(hours, 2660, 0, "0.98")
        assert lost(hours) == [("absent", 40)]

    def test_e6_late_and_left_early(self) -> None:
        hours = lesson(presence=spans(("09:07:30", "09:40")))
        self.expect(hours, 1950, 0, "0.72")
        assert hours.status == (Status.LATE, Status.LEFT_EARLY)

    def test_e7_a_miss_voids_from_pass_to_pass(self) -> None:
        checks = [check("09:12:08", PASSED), check("09:24", TIMEOUT), check("09:36:05", PASSED)]
        hours = lesson(checks=checks)
        self.expect(hours, 1263, 0, "0.46")
        assert [(v.from_ms, v.to_ms, v.reason) for v in hours.voids] == [
            (at("09:12:08"), at("09:36:05"), Reason.CHECK_FAILED)
        ]

    def test_e8_without_a_later_pass_to_the_end(self) -> None:
        checks = [check("09:12:08", PASSED), check("09:24", TIMEOUT), check("09:36", FAILED)]
        self.expect(lesson(checks=checks), 728, 0, "0.26")

    def test_e9_two_rooms_at_once(self) -> None:
        first, second = spans(("09:00", "09:45")), spans(("09:30", "10:15"))
        a = Other("a", Kind.LIVE, *first[0], at("09:00"))
        b = Other("b", Kind.LIVE, *second[0], at("09:30"))
        in_a = lesson(id="a", other=[b])
        in_b = lesson(id="b", teaching=second, presence=second, other=[a])
        assert (in_a.credited_s, in_b.credited_s) == (2700, 1800)
        assert lost(in_b) == [("overlap", 900)]
        assert shown(in_a.credited_s + in_b.credited_s) == "1.66"

    def test_e9t_a_takeover_moves_the_instant(self) -> None:
        in_a = lesson(presence=spans(("09:00", "09:30")))
        second = spans(("09:30", "10:15"))
        in_b = lesson(teaching=second, presence=second)
        assert (in_a.credited_s, in_b.credited_s) == (1800, 2700)

    def test_e10_replay_adds_nothing(self) -> None:
        once = recorded(run(0, 1800, "09:00"), run(900, 2700, "10:00"))
        self.expect(once, 2700, 1, "1.00")
        again = recorded(run(0, 1800, "09:00"), run(900, 2700, "10:00"), run(0, 2700, "09:00", day=3))
        self.expect(again, 2700, 1, "1.00")
        assert ("replay", 2700) in lost(again)

    def test_e11_double_speed_earns_only_the_time_it_took(self) -> None:
        hours = recorded(run(0, 2700, "09:00", rate=Fraction(2)))
        self.expect(hours, 1350, 0, "0.50")
        assert {void.reason for void in hours.voids} == {Reason.TOO_FAST}

    def test_e13_hidden(self) -> None:
        hours = lesson(hidden=spans(("09:10", "09:15")))
        self.expect(hours, 2400, 0, "0.88")
        assert lost(hours) == [("hidden", 300)]

    def test_e15_over_midnight_the_daily_decimals_do_not_add_up(self) -> None:
        night = [(at("23:40"), at("00:25", 3))]
        hours = lesson(teaching=night, presence=night)
        self.expect(hours, 2700, 1, "1.00")
        assert hours.days == {"2026-03-02": 1200, "2026-03-03": 1500}
        assert [shown(seconds) for seconds in hours.days.values()] == ["0.44", "0.55"]

    def test_e17_the_lecturer_was_away(self) -> None:
        hours = lesson(lecturer=spans(("08:50", "09:20"), ("09:30", "09:50")))
        self.expect(hours, 2100, 0, "0.77")
        assert lost(hours) == [("lecturer_absent", 600)]
        assert hours.status == (Status.PRESENT,)


class TestTheLecturer:
    def test_a_minute_away_costs_nothing(self) -> None:
        assert lesson(lecturer=spans(("09:00", "09:20"), ("09:21", "09:45"))).credited_s == 2700

    def test_a_second_more_costs_all_of_it(self) -> None:
        assert lesson(lecturer=spans(("09:00", "09:20"), ("09:21:01", "09:45"))).credited_s == 2639

    def test_who_never_came_leaves_nothing_to_earn(self) -> None:
        hours = lesson(lecturer=())
        assert hours.credited_s == 0
        assert hours.status == (Status.PRESENT,), "the learner was there"

    def test_nobody_looked(self) -> None:
        assert lesson(lecturer=None).credited_s == 2700

    def test_a_break_is_no_absence(self) -> None:
        hours = lesson(
            planned_ms=5_400_000,
            teaching=spans(("09:00", "09:45"), ("09:55", "10:40")),
            lecturer=spans(("09:00", "09:44:30"), ("09:55:30", "10:40")),
            presence=spans(("09:00", "10:40")),
        )
        assert hours.credited_s == 5400


class TestThePlan:
    def test_what_runs_over_is_void(self) -> None:
        hours = lesson(teaching=spans(("09:00", "09:55")), presence=spans(("09:00", "09:55")))
        assert hours.credited_s == 2700
        assert lost(hours) == [("over_plan", 600)]

    def test_unless_the_policy_says_otherwise(self) -> None:
        hours = lesson(
            policy=Policy(cap_to_plan=False),
            teaching=spans(("09:00", "09:55")),
            presence=spans(("09:00", "09:55")),
        )
        assert hours.credited_s == 3300

    def test_time_without_a_lecturer_is_no_teaching_time(self) -> None:
        hours = lesson(
            teaching=spans(("09:00", "09:55")),
            lecturer=spans(("09:00", "09:20"), ("09:30", "09:55")),
            presence=spans(("09:00", "09:55")),
        )
        assert hours.credited_s == 2700

    def test_who_stays_to_the_planned_end_did_not_leave_early(self) -> None:
        hours = lesson(teaching=spans(("09:00", "09:55")), presence=spans(("09:00", "09:46")))
        assert hours.status == (Status.PRESENT,)

    def test_a_new_version_of_a_file_is_capped_too(self) -> None:
        hours = recorded(run(0, 2700, "09:00"), run(0, 2700, "10:00", media="second version"))
        assert hours.credited_s == 2700
        assert lost(hours) == [("over_plan", 2700)]


class TestOneActivityAtATime:
    def test_live_comes_before_recorded(self) -> None:
        earlier = Other("a", Kind.RECORDED, at("08:00"), at("10:00"), at("08:00"))
        assert lesson(other=[earlier]).credited_s == 2700

    def test_recorded_gives_way_to_live(self) -> None:
        live = Other("z", Kind.LIVE, at("09:30"), at("10:00"), at("09:30"))
        hours = recorded(run(0, 2700, "09:00"), other=[live])
        assert hours.credited_s == 1800
        assert lost(hours) == [("overlap", 900)]

    def test_at_the_same_start_the_lower_id_has_it(self) -> None:
        def with_other(name: str) -> int:
            return lesson(
                id="m", other=[Other(name, Kind.LIVE, at("09:00"), at("09:45"), at("09:00"))]
            ).credited_s

        assert (with_other("a"), with_other("z")) == (0, 2700)

    def test_of_two_files_at_once_the_first_begun_earns(self) -> None:
        hours = recorded(
            run(0, 600, "09:00"), run(0, 600, "09:05", media="n"), policy=Policy(cap_to_plan=False)
        )
        assert hours.credited_s == 900


class TestDays:
    def test_more_than_eight_lesson_hours_a_day_are_void(self) -> None:
        long = spans(("08:00", "15:00"))
        hours = lesson(planned_ms=25_200_000, teaching=long, presence=long)
        assert hours.credited_s == 21_600
        assert [(v.from_ms, v.to_ms, v.reason) for v in hours.voids] == [
            (at("14:00"), at("15:00"), Reason.OVER_DAILY_CAP)
        ]

    def test_what_else_was_done_that_day_counts_toward_it(self) -> None:
        morning = Other("a", Kind.LIVE, at("02:50"), at("08:50"), at("02:50"))
        assert lesson(other=[morning]).credited_s == 0
        evening = Other("a", Kind.LIVE, at("14:00"), at("20:00"), at("14:00"))
        assert lesson(other=[evening]).credited_s == 2700

    def test_each_day_has_its_own(self) -> None:
        night = [(at("20:00"), at("04:00", 3))]
        hours = lesson(planned_ms=28_800_000, teaching=night, presence=night)
        assert hours.days == {"2026-03-02": 14_400, "2026-03-03": 14_400}


class TestStatus:
    @pytest.mark.parametrize(
        ("presence", "status"),
        [
            (("09:05", "09:45"), (Status.LATE,)),
            (("09:04:59", "09:45"), (Status.PRESENT,)),
            (("09:00", "09:40"), (Status.LEFT_EARLY,)),
            (("09:00", "09:40:01"), (Status.PRESENT,)),
            (("09:00", "09:22:30"), (Status.LEFT_EARLY,)),
            (("09:00", "09:22:29"), (Status.ABSENT,)),
        ],
    )
    def test_five_minutes_and_a_half(self, presence: tuple[str, str], status: tuple[Status, ...]) -> None:
        assert lesson(presence=spans(presence)).status == status

    def test_nobody_came(self) -> None:
        hours = lesson(presence=())
        assert hours.status == (Status.ABSENT,)
        assert lost(hours) == [("absent", 2700)]
        assert hours.days == {}


class TestClauses:
    def test_every_reason_names_one(self) -> None:
        assert set(CLAUSES) == set(Reason)
        assert all(clause.startswith("REQ-") for clause in CLAUSES.values())
