"""Lesson hours: DOMAIN section 10's vectors, the readings of DESIGN section 7, and what always holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveserver.core.checks import Check, CheckMode, CheckResult
from liveserver.core.earning import CLAUSES, Reason
from liveserver.core.hours import Facts, Hours, Kind, Other, Policy, Status, credit, shown
from liveserver.core.playback import Playback
from liveserver.core.spans import Spans, length, union
from liveserver.core.times import parse_rfc3339

PASSED, FAILED, TIMEOUT, EXCUSED = CheckResult


def at(clock: str, day: int = 2) -> int:
    """`09:00` or `09:00:30` on a day of March 2026 in China, as ms."""
    seconds = clock if clock.count(":") == 2 else f"{clock}:00"
    return parse_rfc3339(f"2026-03-{day:02d}T{seconds}+08:00")


def spans(*pairs: tuple[str, str]) -> list[tuple[int, int]]:
    return [(at(start), at(end)) for start, end in pairs]


LESSON = Facts(planned_ms=2_700_000, teaching=spans(("09:00", "09:45")), presence=spans(("09:00", "09:45")))


def lesson(**fields: object) -> Hours:
    return credit(replace(LESSON, **fields))  # type: ignore[arg-type]


def recorded(*entries: Playback, **fields: object) -> Hours:
    return credit(Facts(planned_ms=2_700_000, playback=entries, **fields))  # type: ignore[arg-type]


def run(
    from_s: int, to_s: int, began: str, *, rate: Fraction = Fraction(1), day: int = 2, media: str = "m"
) -> Playback:
    return Playback(media, 2_700_000, from_s * 1000, to_s * 1000, at(began, day), rate)


def check(clock: str, result: CheckResult) -> Check:
    return Check(at(clock), result)


def lost(hours: Hours) -> list[tuple[str, int]]:
    """Reasons with seconds, in order of time."""
    return [(str(void.reason), (void.to_ms - void.from_ms) // 1000) for void in hours.voids]


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


# --- what always holds -----------------------------------------------------------------------------

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
