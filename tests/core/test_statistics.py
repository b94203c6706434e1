"""Hours over time: days, weeks, months and what changed, over month ends and year ends."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.core.statistics import State, added, reach, series, state
from liveserver.core.times import day_number

D = day_number
TERM = st.dictionaries(st.integers(D("2025-11-20"), D("2027-02-10")), st.integers(1, 21_600), max_size=60)
DAYS = st.integers(D("2025-12-20"), D("2027-01-10"))


class TestSeries:
    def test_a_week_in_march(self) -> None:
        by_day = {D("2026-03-02"): 2700, D("2026-03-04"): 5400, D("2026-02-27"): 900}
        found = series(by_day, D("2026-03-02"), D("2026-03-08"))
        assert (found.seconds, found.active_days) == (8100, 2)
        assert (found.average_active_day_s, found.average_calendar_day_s) == (4050, 1157)
        assert [(step.name, step.seconds, step.change_s) for step in found.days[:3]] == [
            ("2026-03-02", 2700, 2700),
            ("2026-03-03", 0, -2700),
            ("2026-03-04", 5400, 5400),
        ]
        assert [(step.name, step.seconds, step.change_s) for step in found.weeks] == [
            ("2026-W10", 8100, 7200)
        ]
        assert [(step.name, step.seconds, step.change_s) for step in found.months] == [
            ("2026-03", 8100, 7200)
        ]

    def test_weeks_start_on_monday_and_cross_the_year(self) -> None:
        found = series({D("2026-12-31"): 60, D("2027-01-03"): 30}, D("2026-12-31"), D("2027-01-04"))
        assert [(step.name, step.seconds) for step in found.weeks] == [("2026-W53", 90), ("2027-W01", 0)]
        assert [(step.name, step.seconds) for step in found.months] == [("2026-12", 60), ("2027-01", 30)]

    def test_nothing_at_all(self) -> None:
        found = series({}, D("2026-03-02"), D("2026-03-02"))
        assert (found.seconds, found.average_active_day_s, found.average_calendar_day_s) == (0, 0, 0)

    @given(TERM, DAYS, st.integers(0, 400))
    def test_days_weeks_and_months_are_sums_of_the_same_days(
        self, by_day: dict[int, int], from_day: int, length: int
    ) -> None:
        to_day = from_day + length
        found = series(by_day, from_day, to_day)
        assert found.seconds == sum(s for day, s in by_day.items() if from_day <= day <= to_day)
        for steps in (found.weeks, found.months):
            assert steps[0].first_day <= from_day
            for step, following in itertools.pairwise(steps):
                inside = sum(s for d, s in by_day.items() if step.first_day <= d < following.first_day)
                assert step.seconds == inside
                assert following.change_s == following.seconds - step.seconds
        assert all(
            date.fromordinal(date(1970, 1, 1).toordinal() + w.first_day).weekday() == 0 for w in found.weeks
        )

    @given(TERM, DAYS, st.integers(0, 100))
    def test_reach_is_enough(self, by_day: dict[int, int], from_day: int, length: int) -> None:
        first, after = reach(from_day, from_day + length)
        some = {day: seconds for day, seconds in by_day.items() if first <= day < after}
        assert series(some, from_day, from_day + length) == series(by_day, from_day, from_day + length)

    def test_is_json(self) -> None:
        shown = series({D("2026-03-02"): 60}, D("2026-03-01"), D("2026-03-02")).as_json()
        assert (shown["from"], shown["to"], shown["period_s"]) == ("2026-03-01", "2026-03-02", 60)
        assert shown["days"][1] == {
            "name": "2026-03-02", "from": "2026-03-02", "seconds": 60, "change_s": 60,
        }  # fmt: skip


class TestCourses:
    @pytest.mark.parametrize(
        ("credited_s", "required_s", "expected"),
        [
            (108_000, 108_000, State.FINISHED),
            (107_999, 108_000, State.UNFINISHED),
            (5, None, State.UNKNOWN),
            (5, 0, State.UNKNOWN),
        ],
    )
    def test_finished_at_the_last_second(
        self, credited_s: int, required_s: int | None, expected: State
    ) -> None:
        assert state(credited_s, required_s) is expected

    def test_days_are_added_whoever_they_are_of(self) -> None:
        assert added([(1, 2), (3, 4), (1, 5)]) == {1: 7, 3: 4}


def test_a_year_has_its_days() -> None:
    found = series({}, D("2026-01-01"), D("2026-12-31"))
    assert len(found.days) == 365
    assert len(found.months) == 12
    assert date(2026, 1, 1) + timedelta(364) == date(2026, 12, 31)
