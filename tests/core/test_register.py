"""Who was there, from the facts of a lesson: `core.register`, `core.presence`, `core.attendance`."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.core.attendance import About, Record, digest, record, records
from liveserver.core.earning import Reason
from liveserver.core.ledger import canonical_json
from liveserver.core.presets import frozen
from liveserver.core.register import Register
from liveserver.core.spans import length
from liveserver.rtp.evidence import Evidence

START = 1_772_413_200_000  # 2026-03-02 09:00:00 in China
MIN = 60_000
END = START + 45 * MIN


class Told:
    """A lesson from 09:00 to 09:45 as its ledger tells it; times are seconds from the start."""

    def __init__(self, *, planned: bool = True) -> None:
        self.facts: list[tuple[str, int, dict[str, Any]]] = []
        policy = frozen("default", 45 * MIN if planned else None)
        self.fact("publish", 0, connection="pub", person="teacher", tracks=["audio"])
        self.fact("hours_policy", 0, **policy.as_json())
        self.fact("start", 0, person="teacher")

    def fact(self, kind: str, second: float, /, **data: Any) -> Told:
        self.facts.append((kind, START + int(second * 1000), data))
        return self

    def joins(self, second: float, connection: str = "c", person: str = "wang") -> Told:
        return self.fact(
            "join", second, person=person, role="learner", connection=connection, transport="webrtc"
        )

    def leaves(self, second: float, connection: str = "c") -> Told:
        return self.fact("leave", second, connection=connection, person="wang", reason="left")

    def changes(self, second: float, connection: str = "c", **what: Any) -> Told:
        change = {"person": "wang", "connection": connection, "at_ms": START + int(second * 1000), **what}
        return self.fact("presence", second + 0.7, changes=[change], count=1, digest="")

    def attends(self, first: float, last: float, connection: str = "c", person: str = "wang") -> Told:
        """Joins, receives a second later, stays, leaves."""
        self.joins(first, connection, person)
        self.changes(first + 1, connection, media=True)
        return self.leaves(last, connection)

    def register(self) -> Register:
        register = Register()
        for kind, at_ms, data in sorted(self.facts, key=lambda fact: fact[1]):
            register.take(kind, at_ms, json.loads(canonical_json(data)))
        return register

    def wang(self, end: float = 2700) -> Record:
        if end:
            self.fact("end", end, by="teacher")
        register = self.register()
        return record(register, register.frame(START + 120 * MIN), "wang", "lesson")


def lost(found: Record) -> list[tuple[str, float]]:
    return [(str(void.reason), (void.to_ms - void.from_ms) / 1000) for void in found.hours.voids]


class TestPresence:
    def test_who_receives_all_the_time_is_credited_all_of_it(self) -> None:
        found = Told().attends(-60, 2760).wang()
        assert found.credited_s == 2700
        assert found.lesson_hours == "1.00"
        assert found.session_ms == 2_700_000
        assert (found.first_online_ms, found.last_offline_ms) == (START - 60_000, END), "the end ends it"

    def test_a_socket_without_media_is_credited_nothing(self) -> None:
        """REL-C3: at most 15 s."""
        found = Told().joins(0).leaves(600).wang()
        assert found.credited_s == 0
        assert found.spans == ()
        assert found.first_online_ms == START

    def test_media_that_ends_while_the_socket_lives_ends_presence(self) -> None:
        found = Told().attends(0, 2700).changes(600, media=False).wang()
        assert found.credited_s == 600

    def test_a_gap_in_the_media_is_void_to_the_second(self) -> None:
        told = Told().attends(0, 2700).changes(600, media=False).changes(640, media=True)
        found = told.wang()
        assert found.credited_s == 2660
        assert lost(found) == [("absent", 40)]
        assert len(found.spans) == 1, "one row for reading"

    def test_the_first_report_vouches_for_ten_seconds_and_not_for_more(self) -> None:
        assert Told().joins(0).changes(9.9, media=True).leaves(100).wang().credited_s == 100
        assert Told().joins(0).changes(11, media=True).leaves(100).wang().credited_s == 89

    def test_hidden_five_minutes_is_not_credited(self) -> None:
        """REL-C2."""
        told = Told().attends(0, 2700)
        found = told.changes(600, visibility="hidden").changes(900, visibility="foreground").wang()
        assert found.credited_s == 2400
        assert lost(found) == [("hidden", 300)]

    def test_sound_alone_is_no_hiding(self) -> None:
        assert Told().attends(0, 2700).changes(600, visibility="audio_only").wang().credited_s == 2700

    def test_a_second_connection_goes_on_where_the_first_ended(self) -> None:
        found = Told().attends(0, 1200, "one").attends(1200, 2700, "two").wang()
        assert found.credited_s == 2700

    def test_reports_do_not_stop_because_the_publisher_did(self) -> None:
        told = Told().attends(0, 2700)
        told.fact("unpublish", 640, connection="pub", reason="lost", heard_at_ms=START + 600_000)
        told.changes(605, media=False)
        told.fact("publish", 655, connection="pub2", person="teacher", tracks=[]).changes(662, media=True)
        found = told.wang()
        assert found.credited_s == 2700, "a lecturer's gap of 55 s, and nobody's fault"

    def test_a_publisher_that_sends_nothing_is_not_held_against_learners(self) -> None:
        told = Told().attends(0, 2700)
        silent = {"publisher": "pub", "media": False, "at_ms": START + 600_000}
        again = {"publisher": "pub", "media": True, "at_ms": START + 900_000}
        told.fact("presence", 602, changes=[silent], count=1, digest="")
        told.changes(604, media=False)
        told.fact("presence", 900, changes=[again], count=1, digest="").changes(903, media=True)
        assert told.wang().credited_s == 2700

    def test_the_clients_clock_is_nowhere(self) -> None:
        """REL-C4: facts carry the server's times; nothing of a client's is read."""
        told = Told().attends(0, 2700)
        for _, _, data in told.facts:
            data["client_at_ms"] = START + 7_200_000
        assert told.wang().credited_s == 2700


class TestTeaching:
    def test_a_pause_is_a_break(self) -> None:
        told = Told(planned=False).attends(0, 2700)
        told.fact("pause", 600, person="teacher").fact("resume", 900, person="teacher")
        found = told.wang()
        assert found.credited_s == 2400
        assert lost(found) == []

    @pytest.mark.parametrize(("level", "credited_s"), [("lesson", 2400), ("pause", 2400), ("picture", 2700)])
    def test_a_cut_is_a_break_when_nothing_is_left(self, level: str, credited_s: int) -> None:
        told = Told().attends(0, 2700)
        told.fact("cut", 600, level=level, reason="", by="m").fact("restore", 900, reason="", by="m")
        told.fact("publish", 900, connection="pub2", person="teacher", tracks=[])
        assert told.wang().credited_s == credited_s

    def test_a_lecturer_who_is_lost_is_absent_from_the_last_that_was_heard(self) -> None:
        told = Told().attends(0, 2700)
        told.fact("unpublish", 640, connection="pub", reason="lost", heard_at_ms=START + 600_000)
        told.fact("publish", 1200, connection="pub2", person="teacher", tracks=[])
        found = told.wang()
        assert lost(found) == [("lecturer_absent", 600)]
        register = told.register()
        about = About.of(register, register.frame(END))
        assert (about.teaching_s, about.lecturer_s) == (2700, 2100)
        assert About.from_json(json.loads(canonical_json(about.as_json()))) == about

    def test_before_the_start_there_is_nothing(self) -> None:
        register = Register()
        register.take(
            "join", START, {"person": "wang", "role": "learner", "connection": "c", "transport": "w"}
        )
        (found,) = records(register, START + 600_000, "lesson")
        assert (found.credited_s, found.session_ms, found.last_offline_ms) == (0, 0, None)

    def test_others_than_learners_do_not_attend(self) -> None:
        register = Register()
        register.take(
            "join", START, {"person": "m", "role": "moderator", "connection": "c", "transport": "w"}
        )
        assert register.learners == {}


class TestCrash:
    def test_what_no_fact_ended_ends_with_the_last_tick(self) -> None:
        told = Told().joins(0).changes(1, media=True)
        told.fact("interrupted", 640, until_ms=START + 600_000)
        told.fact("publish", 645, connection="pub2", person="teacher", tracks=[])
        told.attends(650, 2700, "again")
        found = told.wang()
        assert found.credited_s == 2700 - 50
        assert lost(found) == [("absent", 50)]

    def test_an_open_register_says_so(self) -> None:
        told = Told().joins(0)
        assert told.register().is_open
        assert not told.fact("interrupted", 9, until_ms=START).register().is_open


class TestChecks:
    def resolved(self, second: float, result: str, answered: float | None = None) -> dict[str, Any]:
        return {
            "id": "x", "person": "wang", "number": 1, "kind": "quiz", "cause": "random", "detail": "",
            "issued_at_ms": START + int(second * 1000), "result": result,
            "answered_at_ms": None if answered is None else START + int(answered * 1000),
        }  # fmt: skip

    def test_they_are_counted_and_reckoned_at_their_moments(self) -> None:
        told = Told().attends(0, 2700)
        issued = {"checks": {"wang": 1, "li": 1}}
        for second in (700, 1440, 2160):
            told.fact("challenge_issued", second, **issued)
        told.fact("challenge_resolved", 728, **self.resolved(700, "passed", 728))
        told.fact("challenge_resolved", 1501, **self.resolved(1440, "timeout"))
        told.fact("challenge_resolved", 2165, **self.resolved(2160, "passed", 2165))
        found = told.wang()
        assert (found.issued, found.passed, found.missed) == (3, 2, 1)
        assert found.credited_s == 728 + 2700 - 2165
        assert [void.reason for void in found.hours.voids] == [Reason.CHECK_FAILED]

    def test_an_excused_one_is_neither_passed_nor_missed(self) -> None:
        told = Told().attends(0, 2700)
        told.fact("challenge_resolved", 728, **self.resolved(700, "excused", 728))
        found = told.wang()
        assert (found.passed, found.missed, found.credited_s) == (0, 0, 2700)

    def test_one_that_a_person_excuses_costs_nothing_until_that_is_taken_back(self) -> None:
        told = Told().attends(0, 2700)
        told.fact("challenge_resolved", 1501, **self.resolved(1440, "timeout"))
        missed = told.wang()
        excuse = {"id": "x", "person": "wang", "reason": "r", "asked_by": "t", "by": "t"}
        told.fact("challenge_revised", 1600, before="timeout", after="excused", **excuse)
        found = told.wang()
        assert (missed.credited_s, missed.missed) == (0, 1)
        assert (found.credited_s, found.missed) == (2700, 0)
        told.fact("challenge_revised", 1700, before="excused", after="timeout", **excuse)
        assert told.wang() == missed


class TestRecords:
    def test_an_adjustment_comes_last_and_hides_nothing(self) -> None:
        told = Told().attends(0, 1350)
        told.fact("end", 2700, by="t")
        register = told.register()
        found = record(register, register.frame(END), "wang", "lesson", adjusted_s=300)
        assert (found.hours.credited_s, found.adjusted_s, found.credited_s) == (1350, 300, 1650)
        assert found.lesson_hours == "0.61"

    def test_the_same_facts_have_the_same_digest_and_others_another(self) -> None:
        def of(last: float) -> str:
            register = Told().attends(0, last).register()
            return digest(r.text for r in records(register, END, "lesson"))

        assert of(1350) == of(1350)
        assert of(1350) != of(1351)

    def test_a_record_is_canonical_json(self) -> None:
        found = Told().attends(0, 1350).wang().as_json()
        assert json.loads(canonical_json(found)) == found

    def test_people_come_in_order_one_at_a_time(self) -> None:
        told = Told().attends(0, 100, "a", "zhao").attends(0, 100, "b", "li")
        assert [r.person for r in itertools.islice(records(told.register(), END, "x"), 9)] == ["li", "zhao"]


class TestHonestLearnersOnBadNetworks:
    def test_an_hour_with_a_tenth_lost_and_three_drop_outs(self) -> None:
        """REL-C8: within 1 % of the truth, by a report each second of which a tenth is lost."""
        chance = random.Random(88)
        away = [(610.0, 640.0), (1800.0, 1807.0), (3000.0, 3090.0)]
        told = Told(planned=False).joins(0)
        evidence = Evidence()
        for second in range(3600):
            at = second + chance.random()
            if chance.random() > 0.1 and not any(start <= at < end for start, end in away):
                evidence.take(int(at * 1e9))
            edge = evidence.edge((second + 1) * 10**9)
            if edge is not None:
                told.changes(edge[1] / 1e9, media=edge[0])
        told.leaves(3600)
        truth = 3600 - sum(end - start for start, end in away)
        found = told.wang(end=3600)
        assert abs(found.credited_s - truth) <= 0.01 * truth
        assert {void.reason for void in found.hours.voids} == {Reason.ABSENT}


kinds = st.sampled_from(["join", "leave", "media", "no media", "hide", "show", "pause", "resume", "publish",
                         "unpublish", "cut", "restore", "interrupted"])  # fmt: skip


@given(st.lists(st.tuples(kinds, st.integers(0, 2700), st.sampled_from("ab")), max_size=25))
def test_whatever_happens_teaching_is_credited_or_void_once(happened: list[tuple[str, int, str]]) -> None:
    told = Told().joins(0, "z")
    for kind, second, name in sorted(happened, key=lambda item: item[1]):
        match kind:
            case "join":
                told.joins(second, name)
            case "leave":
                told.leaves(second, name)
            case "media" | "no media":
                told.changes(second, name, media=kind == "media")
            case "hide" | "show":
                told.changes(second, name, visibility="hidden" if kind == "hide" else "foreground")
            case "publish":
                told.fact("publish", second, connection=name, person="t", tracks=[])
            case "unpublish":
                told.fact("unpublish", second, connection=name, reason="left")
            case "cut":
                told.fact("cut", second, level="lesson", reason="", by="m")
            case "interrupted":
                told.fact("interrupted", second, until_ms=START + max(0, second - 2) * 1000)
            case _:
                told.fact(kind, second)
    register = told.register()
    frame = register.frame(END)
    found = record(register, frame, "wang", "lesson")
    void_ms = sum(void.to_ms - void.from_ms for void in found.hours.voids)
    assert found.hours.credited_ms + void_ms == length(frame.teaching)
    assert found.session_ms <= 45 * MIN
