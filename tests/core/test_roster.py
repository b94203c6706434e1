"""A roster as people hand it in: which column is which, what is wrong with which row."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveserver.core.errors import PeerError
from liveserver.core.roster import ROWS_MOST, Roster, read_roster

HEADS = ["姓名", "手机号", "学号"]


def wrong(roster: Roster) -> dict[int, list[tuple[str, str]]]:
    return {row.number: [(one.code, one.column) for one in row.wrong] for row in roster.rows if row.wrong}


class TestHeads:
    @pytest.mark.parametrize(
        "heads",
        [
            ["姓名", "手机号", "学号"],
            ["Name", "Mobile", "Student No."],
            ["* 姓 名", "联系电话（必填）", "STUDENT_ID"],
        ],
    )
    def test_are_known_in_chinese_and_english_however_they_are_written(self, heads: list[str]) -> None:
        (row,) = read_roster([heads, ["王伟", "138 0000 1234", "7"]]).rows
        assert row.values == {"name": "王伟", "phone": "13800001234", "student_no": "7"}

    def test_may_come_after_empty_rows_and_rows_keep_their_numbers(self) -> None:
        (row,) = read_roster([[], ["", " "], HEADS, [], ["王伟", "13800001234"]]).rows
        assert row.number == 5

    def test_that_mean_nothing_are_said_and_left_out(self) -> None:
        roster = read_roster([[*HEADS, "血型", ""], ["王伟", "", "7", "AB"]])
        assert roster.ignored == ("血型",)
        assert "AB" not in roster.rows[0].values.values()

    @pytest.mark.parametrize(
        ("table", "code"),
        [
            ([], "no_rows"),
            ([["", ""]], "no_rows"),
            ([HEADS], "no_rows"),
            ([["王伟", "13800001234"], ["李娜", "13800001235"]], "no_header"),
            ([["姓名", "Name"], ["a", "b"]], "column_twice"),
            ([HEADS, *([["王", "1" * 11, str(n)] for n in range(ROWS_MOST + 1)])], "too_many_rows"),
        ],
    )
    def test_that_cannot_be_right_refuse_the_file(self, table: list[list[str | None]], code: str) -> None:
        with pytest.raises(PeerError) as caught:
            read_roster(table)
        assert (caught.value.code, caught.value.status) == (code, 422)


class TestRows:
    def test_are_refused_one_by_one_each_with_every_reason(self) -> None:
        roster = read_roster(
            [
                HEADS,
                ["王伟", "13800001234", "1"],
                ["", "13800001235", "2"],
                ["李娜", "12x", "3"],
                ["赵云", None, None],
                ["张飞", "", ""],
                ["字" * 61, "bad", "x" * 41],
            ]
        )
        assert wrong(roster) == {
            3: [("name_missing", "name")],
            4: [("bad_phone", "phone")],
            5: [("formula", "phone"), ("formula", "student_no")],
            6: [("not_told_apart", "phone")],
            7: [("bad_name", "name"), ("bad_phone", "phone"), ("too_long", "student_no")],
        }

    def test_that_are_there_twice_count_once(self) -> None:
        rows = [["王伟", "13800001234", "1"], ["王伟", "13800001234", "2"], ["李娜", "13800001234", "1"]]
        assert wrong(read_roster([HEADS, *rows])) == {
            3: [("row_twice", "phone")],
            4: [("student_no_twice", "student_no")],
        }


class TestAnyTable:
    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(st.lists(st.none() | st.text(max_size=12) | st.sampled_from(HEADS), max_size=5), max_size=8)
    )
    def test_is_read_or_refused_by_name(self, table: list[list[str | None]]) -> None:
        try:
            roster = read_roster(table)
        except PeerError as error:
            assert error.code in ("no_rows", "no_header", "column_twice")
            return
        for row in roster.rows:
            assert row.wrong or row.get("name")
