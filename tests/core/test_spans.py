"""Sets of time: what `core.spans` may be relied on for."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from liveserver.core.spans import Spans, after_first, bridged, intersect, length, subtract, union

edges = st.integers(-30, 30)
raw = st.lists(st.tuples(edges, edges), max_size=8)
sets = raw.map(union)


def moments(spans: Spans) -> set[int]:
    return {moment for start, end in spans for moment in range(start, end)}


class TestUnion:
    def test_touching_spans_are_one(self) -> None:
        assert union([(5, 9), (0, 5)]) == ((0, 9),)

    def test_empty_spans_are_nothing(self) -> None:
        assert union([(3, 3), (9, 4)]) == ()

    @given(raw)
    def test_is_in_order_and_neither_overlaps_nor_touches(self, spans: list[tuple[int, int]]) -> None:
        found = union(spans)
        assert all(start < end for start, end in found)
        assert all(one[1] < other[0] for one, other in pairwise(found))
        assert moments(found) == {m for start, end in spans for m in range(start, end)}


class TestSetsOfMoments:
    @given(sets, sets)
    def test_intersect(self, some: Spans, others: Spans) -> None:
        assert moments(intersect(some, others)) == moments(some) & moments(others)

    @given(sets, sets)
    def test_subtract(self, some: Spans, others: Spans) -> None:
        assert moments(subtract(some, others)) == moments(some) - moments(others)

    @given(sets, sets)
    def test_results_are_sets_again(self, some: Spans, others: Spans) -> None:
        for found in (intersect(some, others), subtract(some, others), after_first(some, 7)):
            assert found == union(found)

    @given(sets, st.integers(0, 80))
    def test_after_first_leaves_the_rest(self, spans: Spans, ms: int) -> None:
        assert sorted(moments(after_first(spans, ms))) == sorted(moments(spans))[ms:]
        assert length(after_first(spans, ms)) == max(0, length(spans) - ms)

    @given(sets, st.integers(0, 9))
    def test_bridged_leaves_only_longer_gaps(self, spans: Spans, gap: int) -> None:
        found = bridged(spans, gap)
        assert moments(found) >= moments(spans)
        assert all(other[0] - one[1] > gap for one, other in pairwise(found))
