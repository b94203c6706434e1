"""Numbers that prove themselves, and the gates before a start."""

from __future__ import annotations

import pytest

from liveserver.core.completion import Conditions
from liveserver.core.errors import PeerError
from liveserver.core.gates import Cohort, Gate, closed_gates, size_limit
from liveserver.core.people import APPROVALS, Approval, day_of, name_of, phone_of, require_order, uscc_of
from liveserver.core.presets import PRESETS, Name
from liveserver.core.subsidy import Place, repeated, year_of

QIHANG = PRESETS[Name.BEIJING_QIHANG_2023]


class TestASocialCreditCode:
    @pytest.mark.parametrize("code", ["91110000600037341L", "91110000802100433B", "91350100M000100Y43"])
    def test_with_its_own_check_character_is_taken(self, code: str) -> None:
        assert uscc_of(f" {code.lower()} ") == code

    def test_with_any_digit_changed_is_refused(self) -> None:
        code = "91110000600037341L"
        for place in range(18):
            wrong = code[:place] + ("2" if code[place] != "2" else "3") + code[place + 1 :]
            with pytest.raises(PeerError, match="bad_uscc"):
                uscc_of(wrong)

    @pytest.mark.parametrize("code", ["9111000060003734", "9111000060003734IL", "９１110000600037341L"])
    def test_of_other_letters_or_length_is_refused(self, code: str) -> None:
        with pytest.raises(PeerError, match="bad_uscc"):
            uscc_of(code)


class TestATelephoneNumber:
    @pytest.mark.parametrize(
        ("text", "phone"),
        [("138 0013-8000", "13800138000"), ("（010）65000000", "01065000000"),
         ("+86 13800138000", "+8613800138000"), ("１３８００１３８０００", "13800138000"), ("", "")],
    )  # fmt: skip
    def test_is_its_digits(self, text: str, phone: str) -> None:
        assert phone_of(text) == phone

    @pytest.mark.parametrize("text", ["1234", "1" * 16, "138x0013800", "+", "13８００٣٣٣"])
    def test_of_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(PeerError, match="bad_phone"):
            phone_of(text)


class TestNamesAndDays:
    def test_a_name_has_one_spelling(self) -> None:
        assert name_of(" e\u0301 ") == "é"
        for wrong in (" ", "a\x07", "字" * 61):
            with pytest.raises(PeerError, match="bad_name"):
                name_of(wrong)

    def test_a_day_is_one_of_the_calendar(self) -> None:
        assert day_of("2024-02-29") == "2024-02-29"
        for wrong in ("2026-02-29", "26-1-1", "tomorrow"):
            with pytest.raises(PeerError, match="bad_day"):
                day_of(wrong)
        require_order("", "2020-01-01")
        with pytest.raises(PeerError, match="bad_day"):
            require_order("2026-01-02", "2026-01-01")


class TestGates:
    def gates(self, **values: object) -> list[Gate]:
        cohort = Cohort(**{"learners": 40, "lecturers": 2, "approved": True, **values})  # type: ignore[arg-type]
        return [closed.gate for closed in closed_gates(cohort, QIHANG.conditions, QIHANG.clauses)]

    def test_are_open_for_a_class_in_order(self) -> None:
        assert self.gates() == []

    def test_close_for_what_the_programme_asks_for(self) -> None:
        assert self.gates(learners=41) == [Gate.CLASS_TOO_LARGE]
        assert self.gates(lecturers=1) == [Gate.INSTRUCTORS_MISSING]
        assert self.gates(approved=False) == [Gate.CLASS_NOT_APPROVED]
        assert self.gates(archived=True) == [Gate.CLASS_ARCHIVED]

    def test_name_the_clause_they_rest_on(self) -> None:
        cohort = Cohort(41, 0)
        clauses = {c.gate: c.clause for c in closed_gates(cohort, QIHANG.conditions, QIHANG.clauses)}
        assert clauses == {
            Gate.CLASS_NOT_APPROVED: "REQ-E8: 004 L31-33, L195",
            Gate.CLASS_TOO_LARGE: "REQ-E7: 004 L195",
            Gate.INSTRUCTORS_MISSING: "REQ-E9: 004 L209",
        }

    def test_take_the_smallest_limit_that_somebody_set(self) -> None:
        assert size_limit(Cohort(0, 0, sizes=(0, 30)), QIHANG.conditions) == 30
        assert size_limit(Cohort(0, 0, sizes=(0, 60)), QIHANG.conditions) == 40
        assert size_limit(Cohort(0, 0, sizes=(0, 0)), Conditions()) == 0

    def test_a_class_without_a_programme_has_none_but_its_own_size(self) -> None:
        assert closed_gates(Cohort(10_000, 0), Conditions(), {}) == []
        assert [c.gate for c in closed_gates(Cohort(3, 0, sizes=(2, 0)), Conditions(), {})] == [
            Gate.CLASS_TOO_LARGE
        ]


class TestApproval:
    def test_is_given_to_nothing_but_what_was_submitted(self) -> None:
        before = {state for state, after in APPROVALS.items() if Approval.APPROVED in after}
        assert before == {Approval.SUBMITTED}
        assert set(APPROVALS) == set(Approval)


class TestSubsidies:
    HERE = Place("c1", "p1", "2026", True)

    def test_are_not_for_the_same_project_twice_with_or_without_one(self) -> None:
        assert repeated(self.HERE, [Place("c2", "p1", "2020", False)]) == "project_repeated"

    def test_are_once_a_year(self) -> None:
        assert repeated(self.HERE, [Place("c2", "p2", "2026", True)]) == "subsidy_repeated"
        assert (
            repeated(self.HERE, [Place("c2", "p2", "2025", True), Place("c3", "p3", "2026", False)]) is None
        )

    def test_do_not_repeat_themselves(self) -> None:
        assert repeated(self.HERE, [self.HERE]) is None

    def test_count_by_the_year_in_which_the_class_begins_in_china(self) -> None:
        assert year_of("2026-03-02", 0) == "2026"
        assert year_of("", 1_767_196_800_000) == "2026"  # 2025-12-31T16:00:00Z
