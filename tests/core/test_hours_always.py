"""What always holds of lesson hours, whatever the facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from liveserver.core.checks import Check, CheckMode, CheckResult
from liveserver.core.hours import Facts, Kind, Other, Policy, credit
from liveserver.core.playback import Playback
from liveserver.core.spans import Spans, length, union
from tests.core.crediting import (
    FAILED,
    TIMEOUT,
    at,
)

START = at("09:00")
moments = st.integers(-600, 4200).map(lambda s: START + s * 1000)
some_spans = st.lists(st.tuples(moments, moments).map(lambda pair: tuple(sorted(pair))), max_size=5)
some_checks = st.lists(st.builds(Check, moments, st.sampled_from(CheckResult)), max_size=6)
policies = st.builds(
    Policy,
    check_mode=st.sampled_from(CheckMode),
    foreground_required_live=st.booleans(),
    cap_to_plan=st.booleans(),
    max_rate=st.sampled_from([Fraction(1), Fraction(1, 2)]),
    daily_cap_s=st.sampled_from([21_600, 1800, 0]),
    lecturer_gap_s=st.sampled_from([60, 0]),
)
others = st.lists(
    st.tuples(st.sampled_from("az"), st.sampled_from(Kind), moments, moments).map(
        lambda o: Other(o[0], o[1], min(o[2:]), max(o[2:]), min(o[2:]))
    ),
    max_size=3,
)
live_facts = st.builds(
    Facts,
    policy=policies,
    planned_ms=st.none() | st.integers(0, 3_600_000),
    teaching=some_spans,
    lecturer=st.none() | some_spans,
    presence=some_spans,
    hidden=some_spans,
    checks=some_checks,
    other=others,
    id=st.just("m"),
)
runs = st.builds(
    lambda media, start, size, moment, rate: Playback(
        media, 2_700_000, start * 1000, (start + size) * 1000, moment, rate
    ),
    st.sampled_from("mn"),
    st.integers(0, 2700),
    st.integers(0, 2700),
    moments,
    st.sampled_from([Fraction(1), Fraction(2), Fraction(1, 2), Fraction(5, 4), Fraction(1, 3)]),
)
recorded_facts = st.builds(
    Facts,
    policy=policies,
    planned_ms=st.none() | st.integers(0, 3_600_000),
    hidden=some_spans,
    checks=some_checks,
    playback=st.lists(runs, max_size=5),
    other=others,
    id=st.just("m"),
)
any_facts = live_facts | recorded_facts


def shuffled(items: Sequence[object], seed: int) -> list[object]:
    return sorted(items, key=lambda item: hash((seed, item)))


class TestAlways:
    @given(live_facts)
    def test_teaching_time_is_credited_or_void_once(self, facts: Facts) -> None:
        hours = credit(facts)
        teaching = union(facts.teaching)
        void = [(v.from_ms, v.to_ms) for v in hours.voids]
        assert length(union(void)) == sum(end - start for start, end in void), "no instant void twice"
        assert hours.credited_ms + length(union(void)) == length(teaching)
        assert union([*teaching, *void]) == teaching

    @given(recorded_facts)
    def test_recorded_credit_is_at_most_the_time_that_passed(self, facts: Facts) -> None:
        passed_ms = length(union(entry.wall for entry in facts.playback))
        assert credit(facts).credited_ms <= passed_ms * facts.policy.max_rate

    @given(any_facts, moments, st.sampled_from([FAILED, TIMEOUT]))
    def test_a_failed_check_never_raises_it(self, facts: Facts, moment: int, result: CheckResult) -> None:
        more = replace(facts, checks=[*facts.checks, Check(moment, result)])
        assert credit(more).credited_ms <= credit(facts).credited_ms

    @given(live_facts, some_spans)
    def test_more_presence_never_lowers_it(self, facts: Facts, more: list[tuple[int, int]]) -> None:
        """But for a check that was missed before one came: that counts once one was there."""
        facts = replace(facts, checks=(), other=())
        longer = replace(facts, presence=[*facts.presence, *more])
        assert credit(longer).credited_ms >= credit(facts).credited_ms

    @given(any_facts, some_spans)
    def test_hiding_never_raises_it(self, facts: Facts, more: list[tuple[int, int]]) -> None:
        hidden = replace(facts, hidden=[*facts.hidden, *more])
        assert credit(hidden).credited_ms <= credit(facts).credited_ms

    @given(live_facts, st.data())
    def test_splitting_presence_changes_nothing(self, facts: Facts, data: st.DataObject) -> None:
        split: list[tuple[int, int]] = []
        for start, end in facts.presence:
            middle = data.draw(st.integers(start, end))
            split += [(start, middle), (middle, end)]
        assert credit(replace(facts, presence=split)) == credit(facts)

    @given(any_facts, st.integers())
    def test_the_order_of_facts_does_not_matter(self, facts: Facts, seed: int) -> None:
        mixed = {
            name: shuffled(getattr(facts, name), seed)
            for name in ("teaching", "presence", "hidden", "checks", "playback", "other")
        }
        assert credit(replace(facts, **mixed)) == credit(facts)  # type: ignore[arg-type]

    @given(any_facts)
    def test_facts_told_twice_change_nothing(self, facts: Facts) -> None:
        twice = {
            name: [*getattr(facts, name)] * 2
            for name in ("teaching", "presence", "hidden", "checks", "playback", "other")
        }
        assert credit(replace(facts, **twice)) == credit(facts)  # type: ignore[arg-type]

    @given(any_facts)
    def test_days_add_up_to_the_whole(self, facts: Facts) -> None:
        hours = credit(facts)
        assert sum(hours.days.values()) == hours.credited_s
        assert all(0 < seconds <= facts.policy.daily_cap_s + 1 for seconds in hours.days.values())

    @given(st.lists(live_facts, max_size=4))
    def test_the_floor_of_the_sum_is_not_below_the_sum_of_floors(self, several: list[Facts]) -> None:
        found = [credit(facts) for facts in several]
        assert sum(h.credited_s for h in found) // 2700 >= sum(h.lesson_hours_full for h in found)

    @settings(max_examples=60)
    @given(st.lists(some_spans.map(union), min_size=2, max_size=4))
    def test_a_person_never_earns_more_than_the_time_there_is(self, attended: list[Spans]) -> None:
        """Several live lessons of one person, each told of the others."""
        lessons = {str(number): presence for number, presence in enumerate(attended)}
        claims = [
            Other(name, Kind.LIVE, *span, presence[0][0])
            for name, presence in lessons.items()
            for span in presence
        ]
        earned_ms = sum(
            credit(
                Facts(
                    teaching=presence,
                    presence=presence,
                    other=[claim for claim in claims if claim.id != name],
                    id=name,
                )
            ).credited_ms
            for name, presence in lessons.items()
        )
        assert earned_ms == length(union(span for presence in attended for span in presence))
