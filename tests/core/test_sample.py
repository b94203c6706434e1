"""A sample that nobody can choose, and that whoever has the seed draws again."""

from __future__ import annotations

import pytest

from liveserver.core.sample import Held, draw, population_digest

LESSONS = [Held(f"lesson-{number:03}", 600 + 60 * (number % 7)) for number in range(200)]
SEED = bytes(range(32))


class TestASample:
    def test_is_the_same_for_the_same_seed_in_whatever_order_lessons_come(self) -> None:
        assert draw(LESSONS, SEED, 10) == draw(LESSONS[::-1], SEED, 10)
        assert draw(LESSONS, SEED, 10) != draw(LESSONS, bytes(32), 10)

    @pytest.mark.parametrize("percent", [10, 33, 100])
    def test_has_at_least_the_share_of_all_hours_and_no_lesson_more(self, percent: int) -> None:
        drawn = draw(LESSONS, SEED, percent)
        total, some = (sum(held.duration_s for held in held_) for held_ in (LESSONS, drawn))
        assert 100 * some >= percent * total
        assert 100 * (some - drawn[-1].duration_s) < percent * total
        assert len(set(drawn)) == len(drawn)

    def test_of_lessons_that_have_not_lasted_yet_goes_by_their_number(self) -> None:
        assert len(draw([Held(str(n), 0) for n in range(25)], SEED, 10)) == 3

    def test_of_nothing_is_nothing(self) -> None:
        assert draw([], SEED, 10) == []

    def test_says_what_it_was_drawn_from(self) -> None:
        assert population_digest(LESSONS) == population_digest(LESSONS[::-1])
        assert population_digest(LESSONS) != population_digest(LESSONS[1:])
