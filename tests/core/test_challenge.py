"""A random check from issue to result: every state, every event, by the server's clock (REL-C5)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from liveserver.core.challenge import (
    ANSWER_MS,
    ATTEMPTS,
    JUDGING_MS,
    MOVES,
    Cause,
    Challenges,
    Check,
    CheckKind,
    CheckState,
)
from liveserver.core.errors import PeerError
from liveserver.core.quiz import Question, QuestionKind

T0 = 1_770_000_000_000
QUESTION = Question(QuestionKind.SINGLE, "?", ("a", "b"), frozenset({1}))


def quiz(challenges: Challenges, person: str = "p", check_id: str = "c1") -> Check:
    check = challenges.issue(check_id, person, CheckKind.QUIZ, Cause.RANDOM, QUESTION, T0)
    assert check is not None
    return check


def face(challenges: Challenges, person: str = "p", check_id: str = "c1") -> Check:
    check = challenges.issue(check_id, person, CheckKind.FACE, Cause.RANDOM, None, T0)
    assert check is not None
    return check


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(PeerError) as error:
        call()
    return error.value.code


class TestQuiz:
    def test_a_right_answer_in_time_passes(self) -> None:
        challenges = Challenges()
        quiz(challenges)
        check = challenges.answer("p", "c1", [1], T0 + 5_000)
        assert (check.state, check.answered_at_ms) == (CheckState.PASSED, T0 + 5_000)
        assert challenges.of("p") is None

    def test_a_wrong_answer_may_be_corrected_twice(self) -> None:
        challenges = Challenges()
        quiz(challenges)
        assert challenges.answer("p", "c1", [0], T0 + 1).attempts_left == ATTEMPTS - 1
        assert challenges.answer("p", "c1", [0], T0 + 2).state is CheckState.ISSUED
        assert challenges.answer("p", "c1", [0], T0 + 3).state is CheckState.FAILED

    def test_the_last_millisecond_counts_the_next_does_not(self) -> None:
        challenges = Challenges()
        quiz(challenges)
        late = T0 + ANSWER_MS + 1
        assert refused(lambda: challenges.answer("p", "c1", [1], late)) == "challenge_late"
        assert challenges.answer("p", "c1", [1], T0 + ANSWER_MS).state is CheckState.PASSED

    def test_nobody_answers_for_somebody_else(self) -> None:
        challenges = Challenges()
        quiz(challenges)
        assert refused(lambda: challenges.answer("q", "c1", [1], T0 + 1)) == "unknown_challenge"

    def test_an_answer_counts_once(self) -> None:
        challenges = Challenges()
        quiz(challenges)
        challenges.answer("p", "c1", [1], T0 + 1)
        assert refused(lambda: challenges.answer("p", "c1", [1], T0 + 2)) == "challenge_over"

    def test_an_earlier_checks_answer_does_not_fit_a_later_check(self) -> None:
        challenges = Challenges()
        quiz(challenges)
        challenges.answer("p", "c1", [1], T0 + 1)
        quiz(challenges, check_id="c2")
        assert refused(lambda: challenges.answer("p", "c1", [1], T0 + 2)) == "challenge_over"

    def test_what_nobody_answers_times_out_once(self) -> None:
        challenges = Challenges()
        quiz(challenges)
        assert list(challenges.overdue(T0 + ANSWER_MS)) == []
        assert [check.state for check in challenges.overdue(T0 + ANSWER_MS + 1)] == [CheckState.TIMEOUT]
        assert list(challenges.overdue(T0 + ANSWER_MS + 2)) == []
        late = T0 + ANSWER_MS + 2
        assert refused(lambda: challenges.answer("p", "c1", [1], late)) == "challenge_late"

    def test_a_photo_is_no_answer_to_a_question(self) -> None:
        challenges = Challenges()
        quiz(challenges)
        assert refused(lambda: challenges.photo("p", "c1", T0 + 1)) == "bad_message"


class TestFace:
    def test_a_good_photo_passes_at_the_time_it_came(self) -> None:
        challenges = Challenges()
        face(challenges)
        challenges.photo("p", "c1", T0 + 9_000)
        check = challenges.judged("p", "c1", True, "", T0 + 9_500)
        assert (check.state, check.answered_at_ms) == (CheckState.PASSED, T0 + 9_000)

    def test_a_useless_photo_may_be_taken_again(self) -> None:
        challenges = Challenges()
        face(challenges)
        challenges.photo("p", "c1", T0 + 1)
        check = challenges.judged("p", "c1", False, "no_face", T0 + 2)
        assert (check.state, check.detail) == (CheckState.ISSUED, "no_face")
        assert challenges.photo("p", "c1", T0 + 3).state is CheckState.JUDGING

    def test_no_model_fails_anybody(self) -> None:
        challenges = Challenges()
        face(challenges)
        for _ in range(ATTEMPTS):
            challenges.photo("p", "c1", T0 + 1)
            check = challenges.judged("p", "c1", False, "no_face", T0 + 2)
        assert check.state is CheckState.REVIEW

    def test_doubt_goes_to_a_person_who_decides(self) -> None:
        for passed, state in ((True, CheckState.PASSED), (False, CheckState.FAILED)):
            challenges = Challenges()
            face(challenges)
            challenges.photo("p", "c1", T0 + 1)
            assert challenges.judged("p", "c1", None, "not_alike", T0 + 2).state is CheckState.REVIEW
            assert challenges.review("p", "c1", passed, T0 + 86_400_000).state is state

    def test_a_check_under_review_never_times_out(self) -> None:
        challenges = Challenges()
        face(challenges)
        challenges.photo("p", "c1", T0 + 1)
        challenges.judged("p", "c1", None, "not_alike", T0 + 2)
        assert list(challenges.overdue(T0 + 10 * ANSWER_MS)) == []

    def test_a_photo_that_no_model_judges_goes_to_a_person(self) -> None:
        challenges = Challenges()
        face(challenges)
        challenges.photo("p", "c1", T0 + ANSWER_MS)
        (check,) = challenges.overdue(T0 + ANSWER_MS + JUDGING_MS + 1)
        assert (check.state, check.detail) == (CheckState.REVIEW, "not_judged")

    def test_a_question_instead_gives_its_time_anew(self) -> None:
        challenges = Challenges()
        face(challenges)
        check = challenges.instead("p", "c1", QUESTION, T0 + 50_000)
        assert check.kind is CheckKind.QUIZ and check.deadline_ms == T0 + 50_000 + ANSWER_MS
        assert challenges.answer("p", "c1", [1], T0 + 100_000).state is CheckState.PASSED

    def test_a_question_instead_is_given_once(self) -> None:
        challenges = Challenges()
        face(challenges)
        challenges.instead("p", "c1", QUESTION, T0 + 1)
        assert refused(lambda: challenges.instead("p", "c1", QUESTION, T0 + 2)) == "bad_message"


class TestIssue:
    def test_one_check_at_a_time_for_a_person(self) -> None:
        challenges = Challenges()
        quiz(challenges)
        assert challenges.issue("c2", "p", CheckKind.QUIZ, Cause.ASKED, QUESTION, T0 + 1) is None
        assert challenges.issue("c2", "q", CheckKind.QUIZ, Cause.ASKED, QUESTION, T0 + 1) is not None

    def test_numbers_run_for_each_person(self) -> None:
        challenges = Challenges()
        for number in (1, 2, 3):
            assert quiz(challenges, check_id=f"c{number}").number == number
            challenges.answer("p", f"c{number}", [1], T0 + 1)

    def test_what_the_server_could_not_do_is_excused(self) -> None:
        challenges = Challenges()
        quiz(challenges)
        check = challenges.excuse("p", "failover")
        assert check is not None and (check.state, check.detail) == (CheckState.EXCUSED, "failover")

    def test_the_message_says_nothing_of_the_answer(self) -> None:
        message = quiz(Challenges()).shown()
        assert message["question"] == {"kind": "single", "text": "?", "options": ["a", "b"]}
        assert "right" not in str(message)


@pytest.mark.parametrize("start", list(CheckState))
@pytest.mark.parametrize("end", list(CheckState))
def test_every_move_is_in_the_table_or_refused(start: CheckState, end: CheckState) -> None:
    check = Check("c", 1, "p", CheckKind.QUIZ, Cause.RANDOM, T0, T0 + ANSWER_MS, QUESTION, state=start)
    if end in MOVES[start]:
        check.move(end)
        assert check.state is end
    else:
        assert refused(lambda: check.move(end)) == "challenge_over"
        assert check.state is start


def test_what_is_over_stays_over() -> None:
    final = {state for state in CheckState if not state.is_open}
    assert final == {CheckState.PASSED, CheckState.FAILED, CheckState.TIMEOUT, CheckState.EXCUSED}
