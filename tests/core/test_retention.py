"""How long is kept, how much room that takes, and what is read again when: rules, given the time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.core.retention import (
    DAY_MS,
    Programme,
    Retention,
    forecast,
    month_starts,
    programmes_of,
    programmes_text,
    verify_today,
)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


class TestHowLong:
    @pytest.mark.parametrize(
        ("programmes", "months"),
        [
            ((), 12),
            ((Programme.PRESET_2023,), 36),
            ((Programme.SUBSIDISED,), 60),
            ((Programme.PRESET_2023, Programme.SUBSIDISED), 60),
        ],
    )
    def test_the_longest_that_applies_wins(self, programmes: tuple[Programme, ...], months: int) -> None:
        assert Retention().months_for(programmes) == months

    def test_an_operator_may_set_one_for_all_and_longer_ones(self) -> None:
        retention = Retention(months=48, always=frozenset({Programme.PRESET_2023}))
        assert retention.months_for(()) == 48
        assert Retention(always=frozenset({Programme.SUBSIDISED})).months_for(()) == 60

    @pytest.mark.parametrize(
        ("start", "until"),
        [
            ("2026-03-02T09:30:00", "2027-03-03T00:00:00"),
            ("2024-02-29T00:00:00", "2025-03-02T00:00:00"),  # 2025 has no such day
            ("2026-12-31T23:59:59", "2028-01-01T00:00:00"),
        ],
    )
    def test_months_are_the_calendars_and_the_last_day_is_kept_whole(self, start: str, until: str) -> None:
        assert Retention().until_ms(ms(start), ()) == ms(until)

    @given(start=st.integers(0, 4 * 10**12), months=st.integers(1, 600))
    def test_is_never_shorter_than_its_months(self, start: int, months: int) -> None:
        kept_ms = Retention(months=months).until_ms(start, ()) - start
        assert kept_ms > (months * 365.2425 / 12 - 3) * DAY_MS
        assert kept_ms < (months * 31 + 3) * DAY_MS

    def test_programmes_are_stored_as_a_list_that_reads_back(self) -> None:
        both = frozenset(Programme)
        assert programmes_text(both) == "preset-2023,subsidised"
        assert programmes_of(programmes_text(both)) == both
        assert programmes_of("") == frozenset()
        with pytest.raises(ValueError, match="other"):
            programmes_of("other")


class TestTheForecast:
    def test_goes_on_as_lately_and_lets_go_on_the_date(self) -> None:
        now = ms("2026-11-22T00:00:00")
        starts = month_starts(now, 3)
        assert starts == [ms("2026-12-01"), ms("2027-01-01"), ms("2027-02-01")]
        found = forecast(now, 1000, recent_bytes=300, recent_days=30, expiring=[0, 500, 2000])
        assert found == [1000 + 90, 1000 + 400 - 500, 0]

    def test_of_a_first_day_counts_it_as_a_whole_one(self) -> None:
        now = ms("2026-11-30T00:00:00")
        assert forecast(now, 10, recent_bytes=10, recent_days=0.01, expiring=[0]) == [20]


class TestReadingAgain:
    @given(objects=st.integers(0, 3000))
    def test_each_comes_within_a_quarter_and_a_hundredth_a_day(self, objects: int) -> None:
        ages = [0] * objects
        for _ in range(90):
            ages = sorted((age + 1 for age in ages), reverse=True)
            count = verify_today(objects, 0, sum(age >= 85 for age in ages))
            assert count * 100 >= objects
            ages[:count] = [0] * count
        assert all(age < 90 for age in ages)

    def test_what_was_done_today_counts(self) -> None:
        assert verify_today(850, 4, 0) == 6
        assert verify_today(850, 10, 0) == 0

    def test_what_is_overdue_comes_on_top(self) -> None:
        assert verify_today(850, 10, 300) == 300

    def test_nothing_stored_is_nothing_to_do(self) -> None:
        assert verify_today(0, 0, 0) == 0
