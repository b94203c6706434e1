"""A bound on joins under way: who is sent away, with which advice, and who is let in again."""

from __future__ import annotations

import pytest

from liveserver.core.errors import PeerError
from liveserver.rooms.arrivals import Arrivals


def advice(arrivals: Arrivals) -> int:
    with pytest.raises(PeerError) as raised:
        arrivals.check()
    assert (raised.value.code, raised.value.status) == ("lesson_full", 503)
    assert raised.value.retry_after_s is not None
    return raised.value.retry_after_s


def full(limit: int) -> Arrivals:
    arrivals = Arrivals(limit)
    for number in range(limit):
        arrivals.check()
        arrivals.begin(f"s{number}")
    return arrivals


class TestBound:
    def test_beyond_it_learners_are_told_to_come_again(self):
        arrivals = full(3)
        assert advice(arrivals) >= 1
        assert (len(arrivals), arrivals.refused_total) == (3, 1)

    def test_one_that_settles_makes_room_for_one(self):
        arrivals = full(3)
        arrivals.settle("s1")
        arrivals.settle("s1")  # connected, and later gone
        arrivals.check()
        arrivals.begin("next")
        advice(arrivals)

    def test_one_that_is_not_known_settles_nothing(self):
        arrivals = full(2)
        arrivals.settle("somebody")
        advice(arrivals)

    def test_a_node_that_is_behind_takes_nobody_until_it_has_caught_up(self):
        behind = True
        arrivals = Arrivals(100, lambda: behind)
        advice(arrivals)
        behind = False
        arrivals.check()


class TestAdvice:
    def test_it_differs_from_one_to_the_next(self):
        arrivals = full(1)
        assert {advice(arrivals) for _ in range(90)} == {1, 2, 3, 4}

    def test_a_larger_crowd_is_spread_over_more_seconds_but_not_without_end(self):
        arrivals = full(1)
        given = [advice(arrivals) for _ in range(10_000)]
        assert max(given[:90]) <= 4
        assert 10 < max(given[1000:2000]) <= 24
        assert max(given) <= 30

    def test_it_gets_shorter_as_the_crowd_is_taken_in(self):
        arrivals = full(1)
        for _ in range(1000):
            advice(arrivals)
        arrivals.settle("s0")
        for number in range(1000):
            arrivals.begin(f"later{number}")
            arrivals.settle(f"later{number}")
        arrivals.begin("last")
        assert max(advice(arrivals) for _ in range(50)) <= 4
