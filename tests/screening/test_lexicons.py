"""Lists of words as operators upload them."""

from __future__ import annotations

import pytest

from liveserver.screening.words import CSV, MAX_WHITELIST_ROWS, MAX_WHITELISTED, TSV, read


def rows(name: str, text: str, kind: str = TSV) -> list[str]:
    words = read(name, text, kind)
    assert words.errors == ()
    return list(words.rows)


def errors(name: str, text: str, kind: str = TSV) -> list[tuple[int, str]]:
    return [(error.row, error.code) for error in read(name, text, kind).errors]


class TestAListOfWords:
    def test_is_read_from_either_form(self) -> None:
        expected = ["招嫖\tporn\t0.9000", "赌场\tgambling\t0.5000"]
        assert rows("house", "招嫖\tporn\t0.9\n赌场\tgambling\t0.5\n") == expected
        assert rows("house", '"招嫖",porn,0.9\r\n赌场, gambling ,0.5', CSV) == expected

    def test_has_what_is_left_out_as_sensitive_and_certain(self) -> None:
        expected = ["蓝色方案\tsensitive\t1.0000", "赌场\tgambling\t1.0000"]
        assert rows("house", "蓝色方案\n赌场\tgambling\n") == expected
        assert rows("sensitive", "蓝色方案,,\n", CSV) == expected[:1]

    def test_knows_remarks_blank_lines_and_a_mark_at_its_beginning(self) -> None:
        assert rows("house", "\ufeff# ours\n\n赌场\tgambling\t1\n") == ["赌场\tgambling\t1.0000"]

    def test_names_each_row_that_is_wrong(self) -> None:
        text = (
            "好的\tporn\t1\n一\tporn\t1\n词语\tcolour\t1\n词语\tporn\t2\n词语\tporn\t1\t1\n好-的\tporn\t1\n"
        )
        assert errors("house", text) == [
            (2, "word"), (3, "category"), (4, "severity"), (5, "columns"), (6, "double"),
        ]  # fmt: skip

    def test_of_what_is_sensitive_takes_nothing_else(self) -> None:
        assert [code for _, code in errors("sensitive", "赌场\tgambling\t1\n")] == ["category"]

    def test_is_named_by_the_hash_that_receipts_carry(self) -> None:
        words = read("house", "赌场\tgambling\t1\n招嫖\tporn\t0.9\n", TSV)
        again = read("house", words.body, TSV)
        assert again == words and again.lexicon().version == words.lexicon().version

    @pytest.mark.parametrize(
        "text", ["", "\0\0\n", '"', '"\n"', "\t\t\t", "\ud800\tporn\t1", "a\rb\tporn\t1"]
    )
    def test_never_breaks(self, text: str) -> None:
        for name in ("house", "sensitive", "whitelist"):
            for kind in (TSV, CSV):
                read(name, text, kind)


class TestAWhitelist:
    def test_is_a_text_a_row_whatever_the_form_of_writing(self) -> None:
        words = read("whitelist", "加薇信的方法\n# remark\n杀毒软件, 免费\n", TSV)
        assert words.rows == ("加薇信的方法", "杀毒软件, 免费") and len(words.texts) == 2

    def test_names_each_row_that_is_wrong(self) -> None:
        text = f"好的\n好 的\n{'长' * (MAX_WHITELISTED + 1)}\n\u200b\n"
        assert [row for row, _ in errors("whitelist", text)] == [2, 3, 4]

    def test_knows_a_number_from_another(self) -> None:
        assert len(read("whitelist", "请拨打13812345678报名\n请拨打13887654321报名\n", TSV).texts) == 2

    def test_is_bounded(self) -> None:
        text = "\n".join(f"text {number}" for number in range(MAX_WHITELIST_ROWS + 2))
        assert errors("whitelist", text)[-1] == (0, "too_large")
