"""Quantiles of a drill: values that came, never ones in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.core.drill import in_ms, quantiles, summary
from liveserver.core.measured import Measured

CUTS = [Measured(20, 40, -900, None, 700, 40), Measured(20, 60, 4_000, None, None, None)]


class TestQuantiles:
    @pytest.mark.parametrize(
        ("values", "p50", "p99", "most"),
        [([5], 5, 5, 5), ([1, 2], 1, 2, 2), (range(1, 101), 50, 99, 100), ([3, None, 1], 1, 3, 3)],
    )
    def test_are_by_nearest_rank(self, values, p50, p99, most):
        assert quantiles(values) == {"p50": p50, "p99": p99, "max": most}

    def test_of_nothing_there_are_none(self):
        assert quantiles([]) is None and quantiles([None]) is None

    @given(st.lists(st.integers(), min_size=1))
    def test_are_values_that_came_in_order(self, values):
        found = quantiles(values)
        assert found["p50"] <= found["p99"] <= found["max"] == max(values)
        assert set(found.values()) <= set(values)


class TestSummary:
    def test_a_round_is_as_long_as_its_slower_transport(self):
        found = summary([1, 9], [5, 2], CUTS)
        assert found["seen"]["dark"] == {"p50": 5, "p99": 9, "max": 9}
        assert found["server"]["udp"] == {"p50": -900, "p99": 4_000, "max": 4_000}
        assert found["server"]["tcp"] is None
        assert found["server"]["dark"] == {"p50": 40, "p99": 40, "max": 40}

    def test_one_transport_will_do(self):
        assert summary([], [5], [])["seen"] == {"udp": None, "tcp": quantiles([5]), "dark": quantiles([5])}

    def test_it_is_shown_in_milliseconds(self):
        assert in_ms(summary([1500], [], []))["seen"]["udp"] == {"p50": 1.5, "p99": 1.5, "max": 1.5}
