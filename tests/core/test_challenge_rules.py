"""Random checks in a lesson: who is asked when, what the ledger gets first, what learners are told."""

from __future__ import annotations

from typing import Any

import pytest

from liveserver.core import schedule
from liveserver.core.challenge import ANSWER_MS, CheckKind
from liveserver.core.check_plan import CheckPolicy, Checks
from liveserver.core.errors import PeerError
from liveserver.core.events import Effect, Event
from liveserver.core.events.checks import (
    ChallengeAnswered,
    ChallengeAsked,
    CheckRevised,
    Judge,
    PhotoJudged,
    PhotoReviewed,
    PhotoTaken,
    QuestionWanted,
)
from liveserver.core.events.lesson import Ended, Joined, Left, Member, Tick
from liveserver.core.events.media import PauseAsked, Published
from liveserver.core.events.telling import Append, Send, Tell
from liveserver.core.permissions import Role
from liveserver.core.photo import Alive, Liveness, Turn
from liveserver.core.quiz import Question, QuestionKind
from liveserver.core.room import RoomState

T0 = 1_770_000_000_000
SLOT_MS = 900_000
SEED = b"s" * 32
QUESTION = Question(QuestionKind.SINGLE, "?", ("a", "b"), frozenset({1}))


class Lesson:
    """A room, its clock, and everything it did."""

    def __init__(self, kind: CheckKind = CheckKind.QUIZ, seed: bytes = SEED):
        self.state = RoomState("l", "t")
        self.state.checks = Checks(seed, CheckPolicy(kind), (QUESTION,))
        self.now_ms = T0
        self.done: list[Effect] = []

    def apply(self, event: Event) -> list[Effect]:
        effects = self.state.apply(event, self.now_ms)
        self.done += effects
        return effects

    def start(self, *people: str) -> Lesson:
        teacher = Member("ct", "t", "T", Role.INSTRUCTOR, "websocket", self.now_ms)
        self.apply(Joined(teacher))
        for person in people:
            self.join(person)
        self.apply(Published("cp", "t", "T", ("audio", "camera")))
        return self

    def join(self, person: str) -> None:
        self.apply(Joined(Member(f"c{person}", person, person, Role.LEARNER, "websocket", self.now_ms)))

    def run(self, until_ms: int) -> None:
        """A tick each second, answering nothing."""
        while self.now_ms < until_ms:
            self.now_ms += 1_000
            self.apply(Tick())

    def facts(self, kind: str) -> list[Any]:
        return [effect.data for effect in self.done if isinstance(effect, Append) and effect.type == kind]

    def asked_at(self, person: str) -> list[int]:
        return [
            fact["issued_at_ms"] - T0 for fact in self.facts("challenge_issued") if person in fact["checks"]
        ]

    def check(self, person: str) -> str:
        found = self.state.checks.book.of(person)
        assert found is not None
        return found.id

    def refused(self, event: Event) -> str:
        with pytest.raises(PeerError) as error:
            self.state.apply(event, self.now_ms)
        return error.value.code


def ask(person: str | None = None, kind: CheckKind = CheckKind.QUIZ) -> ChallengeAsked:
    return ChallengeAsked("t", "asked-1", kind, QUESTION, person)


class TestSchedule:
    def test_each_learner_is_asked_at_the_moments_his_seed_gives(self) -> None:
        lesson = Lesson().start("p", "q")
        lesson.run(T0 + 3 * SLOT_MS)
        for person in "pq":
            expected = [m for slot in range(3) for m in schedule.moments(SEED, person, slot, SLOT_MS)]
            asked = lesson.asked_at(person)
            assert [round(at / 1_000) for at in asked] == [-(-moment // 1_000) for moment in expected]

    def test_the_commitment_comes_before_the_start_and_the_seed_after_the_end(self) -> None:
        lesson = Lesson().start("p")
        lesson.apply(Ended("t"))
        types = [effect.type for effect in lesson.done if isinstance(effect, Append)]
        assert types.index("checks_committed") < types.index("start") < types.index("checks_revealed")
        (revealed,) = lesson.facts("checks_revealed")
        (committed,) = lesson.facts("checks_committed")
        assert schedule.commitment(bytes.fromhex(revealed["seed"])) == committed["commitment"]

    def test_nobody_is_asked_while_the_lesson_pauses_but_in_the_rest_of_the_slot(self) -> None:
        lesson = Lesson().start("p")
        (first, *_) = schedule.moments(SEED, "p", 0, SLOT_MS)
        lesson.apply(PauseAsked("ct", True))
        lesson.run(T0 + first + 5_000)
        assert lesson.asked_at("p") == []
        lesson.apply(PauseAsked("ct", False))
        lesson.run(T0 + SLOT_MS)
        assert first < lesson.asked_at("p")[0] < SLOT_MS

    def test_who_is_away_at_his_moment_is_asked_after_he_comes_back(self) -> None:
        lesson = Lesson().start("p")
        (first, *_) = schedule.moments(SEED, "p", 0, SLOT_MS)
        lesson.apply(Left("cp", "lost"))
        lesson.run(T0 + first + 1_000)
        lesson.join("p")
        lesson.run(T0 + SLOT_MS)
        assert len(lesson.asked_at("p")) >= 1 and min(lesson.asked_at("p")) > first

    def test_coming_and_going_does_not_bring_more_checks(self) -> None:
        lesson = Lesson().start("p")
        while lesson.now_ms < T0 + 2 * SLOT_MS:
            lesson.run(lesson.now_ms + 20_000)
            lesson.apply(Left("cp", "lost"))
            lesson.join("p")
        assert 2 <= len(lesson.asked_at("p")) <= 5

    def test_without_a_seed_nobody_is_asked_at_random(self) -> None:
        lesson = Lesson(seed=b"").start("p")
        lesson.run(T0 + SLOT_MS)
        assert lesson.asked_at("p") == []


class TestOnDemand:
    def test_all_are_asked_by_one_message_after_the_fact(self) -> None:
        lesson = Lesson().start("p", "q")
        effects = lesson.apply(ask())
        fact, told = effects
        assert isinstance(fact, Append) and isinstance(told, Tell)
        assert told.connections == ("cp", "cq") and told.message["kind"] == "quiz"
        assert fact.data["checks"] == {"p": 1, "q": 1}

    def test_ten_thousand_take_facts_of_three_hundred(self) -> None:
        lesson = Lesson().start(*(f"p{number}" for number in range(1_000)))
        effects = lesson.apply(ask())
        assert [type(effect) for effect in effects] == [Append] * 4 + [Tell]

    def test_one_is_asked_alone(self) -> None:
        lesson = Lesson().start("p", "q")
        lesson.apply(ask("q"))
        assert lesson.asked_at("p") == [] and lesson.asked_at("q") == [0]

    def test_who_has_a_check_open_is_passed_over(self) -> None:
        lesson = Lesson().start("p", "q")
        lesson.apply(ask("q"))
        (fact, _) = lesson.apply(ask())
        assert isinstance(fact, Append) and list(fact.data["checks"]) == ["p"]

    def test_nobody_who_is_not_there_can_be_asked(self) -> None:
        assert Lesson().start("p").refused(ask("x")) == "unknown_person"

    def test_only_a_live_lesson_is_asked(self) -> None:
        assert Lesson().refused(ask()) == "not_live"


class TestAnswer:
    def test_is_recorded_before_the_learner_is_told(self) -> None:
        lesson = Lesson().start("p")
        lesson.apply(ask())
        fact, told = lesson.apply(ChallengeAnswered("cp", "asked-1", (1,)))
        assert isinstance(fact, Append) and fact.data["result"] == "passed" and fact.data["number"] == 1
        assert isinstance(told, Send) and told.message["result"] == "passed"

    def test_a_wrong_one_is_no_fact_yet(self) -> None:
        lesson = Lesson().start("p")
        lesson.apply(ask())
        (told,) = lesson.apply(ChallengeAnswered("cp", "asked-1", (0,)))
        assert isinstance(told, Send) and told.message["attempts_left"] == 2

    def test_silence_is_a_timeout_which_the_learner_sees(self) -> None:
        lesson = Lesson().start("p")
        lesson.apply(ask())
        lesson.run(T0 + ANSWER_MS + 2_000)
        (fact,) = lesson.facts("challenge_resolved")
        assert fact["result"] == "timeout" and fact["answered_at_ms"] is None
        assert any(isinstance(e, Send) and e.message.get("result") == "timeout" for e in lesson.done)

    def test_another_learners_answer_is_refused(self) -> None:
        lesson = Lesson().start("p", "q")
        lesson.apply(ask("p"))
        assert lesson.refused(ChallengeAnswered("cq", "asked-1", (1,))) == "unknown_challenge"

    def test_an_instructor_answers_nothing(self) -> None:
        lesson = Lesson().start("p")
        lesson.apply(ask())
        assert lesson.refused(ChallengeAnswered("ct", "asked-1", (1,))) == "forbidden"

    def test_a_page_loaded_anew_is_shown_the_open_check(self) -> None:
        lesson = Lesson().start("p")
        lesson.apply(ask())
        lesson.join("p")
        assert any(isinstance(e, Send) and e.message["type"] == "challenge" for e in lesson.done)

    def test_what_is_open_at_the_end_of_the_lesson_is_excused(self) -> None:
        lesson = Lesson().start("p")
        lesson.apply(ask())
        lesson.apply(Ended("t"))
        (fact,) = lesson.facts("challenge_resolved")
        assert (fact["result"], fact["detail"]) == ("excused", "lesson_ended")


class TestExcuse:
    def missed(self) -> Lesson:
        lesson = Lesson().start("p")
        lesson.apply(ask())
        lesson.run(lesson.now_ms + ANSWER_MS + 2_000)
        return lesson

    def excuse(self, excused: bool = True, person: str = "p", challenge: str = "asked-1") -> CheckRevised:
        return CheckRevised("t", person, challenge, "the power failed", excused)

    def test_a_missed_check_is_excused_and_the_learner_told(self) -> None:
        kept, told = self.missed().apply(self.excuse())
        assert isinstance(kept, Append) and isinstance(told, Send)
        assert kept.data == {
            "id": "asked-1", "person": "p", "before": "timeout", "after": "excused",
            "reason": "the power failed", "asked_by": "t", "by": "t",
        }  # fmt: skip
        assert (told.connection, told.message["result"]) == ("cp", "excused")

    def test_whoever_may_may_take_it_back(self) -> None:
        lesson = self.missed()
        lesson.apply(self.excuse())
        kept, told = lesson.apply(self.excuse(excused=False))
        assert isinstance(kept, Append) and isinstance(told, Send)
        assert (kept.data["before"], kept.data["after"]) == ("excused", "timeout")
        assert told.message["result"] == "timeout"
        assert lesson.refused(self.excuse(excused=False)) == "not_excused"

    def test_only_what_was_missed_is_excused_and_once(self) -> None:
        lesson = self.missed()
        assert lesson.refused(self.excuse(person="q")) == "not_missed"
        assert lesson.refused(self.excuse(challenge="another")) == "not_missed"
        lesson.apply(self.excuse())
        assert lesson.refused(self.excuse()) == "not_missed"
        lesson.apply(ask())
        assert lesson.refused(self.excuse()) == "not_missed"

    def test_once_the_lesson_is_over_the_room_excuses_nothing(self) -> None:
        lesson = self.missed()
        lesson.apply(Ended("t"))
        assert lesson.refused(self.excuse()) == "not_live"

    def test_it_stands_after_a_restart(self) -> None:
        lesson = self.missed()
        lesson.apply(self.excuse())
        again = Checks(SEED)
        for kind in ("challenge_issued", "challenge_resolved", "challenge_revised"):
            for fact in lesson.facts(kind):
                again.replay(kind, fact)
        assert again.book.revise("p", "asked-1", excused=False).state == "timeout"


class TestPhoto:
    def lesson(self) -> Lesson:
        lesson = Lesson(CheckKind.FACE).start("p")
        lesson.state.checks.consents = {"p"}
        lesson.apply(ask(kind=CheckKind.FACE))
        return lesson

    def test_which_way_to_turn_is_said_with_the_check_and_stands_in_its_fact(self) -> None:
        lesson = self.lesson()
        (fact,) = lesson.facts("challenge_issued")
        (shown,) = [
            e.message for e in lesson.done if isinstance(e, Tell) and e.message["type"] == "challenge"
        ]
        assert shown["turn"] == fact["turn"] in ("left", "right")
        lesson.apply(QuestionWanted("cp", "asked-1"))
        (instead,) = [
            e.message for e in lesson.done if isinstance(e, Send) and e.message["type"] == "challenge"
        ]
        assert instead["turn"] is None

    def test_which_way_follows_from_a_secret_and_is_either_as_often(self) -> None:
        ways = [Checks(SEED).turn(f"check-{number}") for number in range(1_000)]
        assert 400 < ways.count(Turn.LEFT) < 600
        assert ways != [Checks(b"t" * 32).turn(f"check-{number}") for number in range(1_000)]

    def test_advice_stands_in_the_fact_and_changes_no_result(self) -> None:
        advice = Liveness(Alive.NO, "other_way", Turn.LEFT, (0, -20), 31)
        for passed, kind in ((True, "challenge_resolved"), (None, "challenge_review")):
            lesson = self.lesson()
            lesson.apply(PhotoTaken("cp", "asked-1", "photo-1", "photo-2"))
            lesson.apply(PhotoJudged("p", "asked-1", "photo-1", passed, "", advice, "photo-2"))
            (fact,) = lesson.facts(kind)
            assert fact["liveness"] == {
                "alive": "no", "why": "other_way", "asked": "left", "yaw": [0, -20], "distance": 31,
            }  # fmt: skip
            assert kind == "challenge_review" or fact["result"] == "passed"

    def test_is_looked_at_and_passes(self) -> None:
        lesson = self.lesson()
        judge, told = lesson.apply(PhotoTaken("cp", "asked-1", "photo-1"))
        assert isinstance(judge, Judge)
        assert (judge.person, judge.challenge, judge.photo, judge.turned) == ("p", "asked-1", "photo-1", "")
        assert isinstance(told, Send) and told.message["result"] == "judging"
        fact, _ = lesson.apply(PhotoJudged("p", "asked-1", "photo-1", True, ""))
        assert isinstance(fact, Append) and fact.data["result"] == "passed"

    def test_in_doubt_a_person_decides_and_is_named(self) -> None:
        lesson = self.lesson()
        lesson.apply(PhotoTaken("cp", "asked-1", "photo-1"))
        fact, told = lesson.apply(PhotoJudged("p", "asked-1", "photo-1", None, "not_alike"))
        assert isinstance(fact, Append) and fact.type == "challenge_review"
        assert isinstance(told, Send) and told.message["result"] == "review"
        lesson.now_ms += 86_400_000
        fact, _ = lesson.apply(PhotoReviewed("m", "p", "asked-1", True))
        assert isinstance(fact, Append) and (fact.data["result"], fact.data["by"]) == ("passed", "m")

    def test_without_consent_a_question_is_asked_and_no_photo_taken(self) -> None:
        lesson = Lesson(CheckKind.FACE).start("p")
        lesson.apply(ask(kind=CheckKind.FACE))
        found = lesson.state.checks.book.of("p")
        assert found is not None and found.kind is CheckKind.QUIZ
        assert lesson.refused(PhotoTaken("cp", "asked-1", "photo-1")) == "no_consent"

    def test_a_question_instead_is_always_given(self) -> None:
        lesson = self.lesson()
        lesson.now_ms += 30_000
        fact, told = lesson.apply(QuestionWanted("cp", "asked-1"))
        assert isinstance(fact, Append) and fact.type == "challenge_changed"
        assert isinstance(told, Send) and told.message["kind"] == "quiz"
        assert told.message["deadline_at_ms"] == lesson.now_ms + ANSWER_MS


def test_a_random_check_has_a_name_that_only_the_seed_gives() -> None:
    lesson = Lesson().start("p")
    (moment, *_) = schedule.moments(SEED, "p", 0, SLOT_MS)
    lesson.run(T0 + moment + 1_000)
    assert lesson.check("p") == Checks(SEED).new_id("p", lesson.facts("challenge_issued")[0]["issued_at_ms"])
