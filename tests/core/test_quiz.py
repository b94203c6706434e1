"""Questions of random checks: read strictly, shown without their answer, graded exactly."""

from __future__ import annotations

from typing import Any

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.quiz import Question, QuestionKind, arithmetic, parse

SINGLE = {
    "kind": "single",
    "text": "灭火器的正确使用顺序?",
    "options": ["提拔握压", "压握拔提"],
    "right": [0],
}
MULTIPLE = {
    "kind": "multiple",
    "text": "哪些是劳保用品?",
    "options": ["安全帽", "手机", "手套"],
    "right": [0, 2],
}


class TestGrade:
    def test_a_single_choice_has_one_right_option(self) -> None:
        question = parse(SINGLE)
        assert question.grade([0]) and not question.grade([1]) and not question.grade([0, 1])

    def test_a_multiple_choice_wants_all_right_options_and_no_other(self) -> None:
        question = parse(MULTIPLE)
        assert question.grade([2, 0]) and not question.grade([0]) and not question.grade([0, 1, 2])

    def test_an_option_named_twice_is_wrong(self) -> None:
        assert not parse(SINGLE).grade([0, 0])

    def test_no_answer_is_wrong(self) -> None:
        assert not parse(SINGLE).grade([])

    @pytest.mark.parametrize("draw", range(0, 1422, 7))
    def test_arithmetic_is_what_its_text_says(self, draw: int) -> None:
        question = arithmetic(draw)
        first, sign, second, *_ = question.text.split()
        value = int(first) + int(second) if sign == "+" else int(first) - int(second)
        assert question.grade([value]) and not question.grade([value + 1])


def test_what_a_learner_is_sent_says_nothing_of_the_answer() -> None:
    shown = parse(MULTIPLE).shown()
    assert set(shown) == {"kind", "text", "options"}


def test_another_order_of_the_options_keeps_the_right_ones() -> None:
    question = parse(MULTIPLE).shuffled([2, 0, 1])
    assert question.options == ("手套", "安全帽", "手机") and question.grade([0, 1])


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "essay"},
        {"kind": None},
        {"text": ""},
        {"text": "x" * 301},
        {"text": 7},
        {"options": ["one"]},
        {"options": ["a", "a"]},
        {"options": ["a"] * 9},
        {"options": ["a", 3]},
        {"options": "ab"},
        {"right": []},
        {"right": [2]},
        {"right": [-1]},
        {"right": [True]},
        {"right": [0, 1]},
        {"right": 0},
        {"hint": "no such key"},
    ],
)
def test_what_is_no_question_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(PeerError) as refused:
        parse(SINGLE | change)
    assert refused.value.code == "bad_question"


def test_arithmetic_of_a_bank_has_no_options() -> None:
    assert parse({"kind": "arithmetic", "text": "7 x 8 = ?", "right": [56]}) == Question(
        QuestionKind.ARITHMETIC, "7 x 8 = ?", (), frozenset({56})
    )
    with pytest.raises(PeerError):
        parse({"kind": "arithmetic", "text": "7 x 8 = ?", "options": ["55", "56"], "right": [1]})
