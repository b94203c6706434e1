"""Lines of a picture that are one block, by where they stand alone."""

from __future__ import annotations

import random

import pytest

from models.text_blocks import MAX_WINDOWS, WINDOW, windows


def rows(*tops: int, left: int = 100, width: int = 400, height: int = 30) -> list[tuple[int, int, int, int]]:
    return [(left, top, left + width, top + height) for top in tops]


class TestABlock:
    def test_rows_one_below_the_other_are_read_together_in_twos_and_threes(self):
        assert windows(rows(100, 140, 180, 220)) == [(0, 1), (1, 2), (2, 3), (0, 1, 2), (1, 2, 3)]

    def test_in_reading_order_whatever_the_order_of_the_boxes(self):
        assert windows(rows(140, 100)) == [(1, 0)]

    def test_what_stands_beside_at_one_height_is_one_row(self):
        parts = [(100, 100, 200, 130), (220, 102, 380, 131), *rows(140)]
        assert windows(parts) == [(0, 1), (0, 1, 2)]

    def test_a_short_last_line_and_an_indented_first_one_belong_to_it(self):
        assert windows([(160, 100, 600, 130), (100, 140, 600, 170), (100, 180, 190, 210)])[:2] == [
            (0, 1),
            (1, 2),
        ]

    @pytest.mark.parametrize(
        "other",
        [
            (100, 220, 500, 250),  # far below
            (600, 140, 900, 170),  # in another column
            (100, 140, 500, 200),  # letters twice as large
        ],
    )
    def test_another_is_none_of_it(self, other):
        assert windows([*rows(100), other]) == []

    def test_two_columns_are_two_blocks(self):
        left, right = rows(100, 140), rows(100, 140, left=700)
        assert windows([*left, *right]) == [(0, 1), (2, 3)]


class TestBounds:
    @pytest.mark.parametrize("boxes", [[], [(0, 0, 0, 0)], [(0, 0, 0, 0)] * 3, [(5, 9, 5, 2), (5, 4, 1, 6)]])
    def test_any_boxes_may_come(self, boxes):
        assert all(len(set(window)) == len(window) > 1 for window in windows(boxes))

    def test_there_are_never_many(self):
        dice = random.Random(1)
        for _ in range(20):
            corners = [(dice.randrange(1200), dice.randrange(680)) for _ in range(64)]
            boxes = [(x, y, x + dice.randint(1, 300), y + dice.randint(8, 60)) for x, y in corners]
            found = windows(boxes)
            assert len(found) <= MAX_WINDOWS
            assert all(set(window) <= set(range(64)) for window in found)
        assert max(map(len, windows(rows(*range(0, 1920, 30))))) == WINDOW
