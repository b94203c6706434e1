"""Word lists: read strictly, found in any writing, excused by phrases, known by the hash of their rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.chat import screen
from models.chat.lexicon import MAX_BYTES, Entry, Lexicon, parse
from models.chat.normal import normal

SHIPPED = Path(screen.__file__).with_name("lexicon.tsv")


def found(lexicon: Lexicon, text: str) -> list[tuple[str, float, bool]]:
    return [(hit.entry.word, round(hit.score, 3), hit.heard) for hit in lexicon.search(normal(text))]


class TestReading:
    def test_rows_comments_and_empty_lines(self):
        entries, errors = parse("# 说明\r\n\r\n裸聊\tporn\t0.9\r\n某词某语\tsensitive\t1\n".encode())
        assert entries == [Entry("裸聊", "porn", 0.9), Entry("某词某语", "sensitive", 1.0)]
        assert errors == []

    def test_a_byte_order_mark_is_no_word(self):
        assert parse("\ufeff裸聊\tporn\t1".encode())[0] == [Entry("裸聊", "porn", 1.0)]

    @pytest.mark.parametrize(
        ("row", "code"),
        [
            ("裸聊", "columns"),
            ("裸聊\tporn", "columns"),
            ("裸聊\tporn\t0.9\t", "columns"),
            ("\tporn\t0.9", "word"),
            ("，。！\tporn\t0.9", "word"),
            ("赌\tgambling\t0.9", "word"),
            ("长" * 33 + "\tporn\t0.9", "word"),
            ("裸聊\tpolitics\t0.9", "category"),
            ("裸聊\tbenign\t0.9", "category"),
            ("裸聊\tporn\t0", "severity"),
            ("裸聊\tporn\t1.01", "severity"),
            ("裸聊\tporn\tnan", "severity"),
            ("裸聊\tporn\tinf", "severity"),
            ("裸聊\tporn\thigh", "severity"),
            ("裸 聊\tporn\t0.5", "double"),
        ],
    )
    def test_a_wrong_row_is_named_and_the_others_are_read(self, row, code):
        entries, errors = parse(f"裸聊\tporn\t0.9\n{row}\n炸金花\tgambling\t0.9\n".encode())
        assert [(error.row, error.code) for error in errors] == [(2, code)]
        assert [entry.word for entry in entries] == ["裸聊", "炸金花"]

    def test_what_is_no_utf8_says_where(self):
        assert [(e.row, e.code) for e in parse("好\tporn\t1\n".encode() + b"\xff\tporn\t1")[1]] == [
            (2, "not_utf8")
        ]

    def test_a_list_has_a_bound(self):
        assert [error.code for error in parse(b"x" * (MAX_BYTES + 1))[1]] == ["too_large"]


class TestSearching:
    @pytest.fixture
    def lexicon(self):
        return Lexicon(
            "test",
            [
                Entry("代刷学时", "fraud", 0.9),
                Entry("学时", "fraud", 0.2),
                Entry("k粉", "drugs", 0.8),
                Entry("sb", "abuse", 0.7),
                Entry("54手枪", "violence", 0.9),
                Entry("禁止代刷学时", "excuse", 1.0),
            ],
        )

    @pytest.mark.parametrize(
        "written", ["代刷学时", "代-刷-学-时", "代 刷 學 時", "【代刷】学时", "代\u200b刷学时"]
    )
    def test_a_word_is_found_however_it_is_written(self, lexicon, written):
        assert found(lexicon, written) == [("代刷学时", 0.9, False), ("学时", 0.2, False)]

    @pytest.mark.parametrize("written", ["待刷学时", "代唰学拾", "daishua学时"])
    def test_a_long_word_is_found_by_its_sound(self, lexicon, written):
        assert ("代刷学时", 0.72, True) in found(lexicon, written)

    def test_a_short_word_is_not_looked_for_by_its_sound(self, lexicon):
        assert found(lexicon, "学识") == []

    def test_a_latin_word_is_a_whole_word(self, lexicon):
        assert found(lexicon, "插USB口") == []
        assert found(lexicon, "你个SB") == [("sb", 0.7, False)]
        assert found(lexicon, "154手枪") == []

    def test_a_phrase_excuses_only_what_lies_in_it(self, lexicon):
        assert found(lexicon, "学校禁止代刷学时") == []
        assert found(lexicon, "禁止代刷学时？代刷学时找我")[0] == ("代刷学时", 0.9, False)

    def test_an_empty_list_finds_nothing(self):
        assert found(Lexicon("sensitive"), "什么都有") == []


class TestVersions:
    def test_the_order_of_rows_does_not_matter(self):
        rows = [Entry("裸聊", "porn", 0.9), Entry("炸金花", "gambling", 0.9)]
        assert Lexicon("a", rows).version == Lexicon("b", rows[::-1]).version

    def test_any_other_row_is_another_version(self):
        assert (
            len(
                {Lexicon("a", [Entry("裸聊", "porn", s)]).version for s in (0.8, 0.9)}
                | {Lexicon("a").version}
            )
            == 3
        )


class TestTheListThatShips:
    def test_has_no_wrong_row_and_nothing_of_the_operators(self):
        entries, errors = parse(SHIPPED.read_bytes())
        assert errors == []
        assert len(entries) > 3000
        assert {entry.category for entry in entries} == {
            *("porn", "gambling", "drugs", "fraud", "illicit_ad", "abuse", "violence", "excuse")
        }
