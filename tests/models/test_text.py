"""Lines of text on slides are found and read, whatever their size, colour and direction."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import ModelError
from models.text import MAX_LINES, MAX_PIXELS, TextReader
from models.text_blocks import windows
from models.text_boxes import text_boxes

from .pictures import photo
from .slides import DARK, FAINT, PLAIN, SIZE, SMALL, Slide, slides, video, wrong


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader.load()


@pytest.fixture(scope="module")
def drawn() -> dict[str, Slide]:
    names = {"plain": PLAIN, "small": SMALL, "dark": DARK, "faint": FAINT}
    return dict(zip(names, slides(list(names.values())), strict=True))


@pytest.fixture(scope="module")
def line(drawn) -> np.ndarray:
    """One line of the plain slide on white, in the middle of a picture: uint8 (720, 1280, 3)."""
    picture = np.full((SIZE[1], SIZE[0], 3), 255, dtype=np.uint8)
    rows = np.flatnonzero((drawn["plain"].rgb < 128).all(axis=2).any(axis=1))
    first = rows[: np.flatnonzero(np.diff(rows) > 4)[0] + 1]
    strip = drawn["plain"].rgb[first[0] : first[-1] + 1, :640]
    picture[340 : 340 + len(strip), 320:960] = strip
    return picture


class TestSlides:
    @pytest.mark.parametrize("style", ["plain", "small", "dark", "faint"])
    def test_are_read_without_a_mistake_worth_mentioning(self, reader, drawn, style):
        errors, letters = wrong(drawn[style].lines, reader.read(drawn[style].rgb))
        assert errors <= 0.03 * letters

    def test_also_in_a_small_and_compressed_video(self, reader, drawn):
        errors, letters = wrong(drawn["dark"].lines, reader.read(video(drawn["dark"].rgb)))
        assert errors <= 0.03 * letters

    def test_boxes_lie_on_the_lines_from_top_to_bottom(self, reader, drawn):
        slide = drawn["small"]
        lines = reader.read(slide.rgb)
        assert [line.box[1] for line in lines] == sorted(line.box[1] for line in lines)
        for left, top, right, bottom in (line.box for line in lines):
            assert 0 <= left < right <= SIZE[0] and 0 <= top < bottom <= SIZE[1]
            assert 12 <= bottom - top <= 40
            assert (slide.rgb[top:bottom, left:right] < 128).any()

    def test_lines_one_below_the_other_are_found_to_be_neighbours(self, reader, drawn):
        boxes = [line.box for line in reader.read(drawn["small"].rgb)]
        pairs = {(number, number + 1) for number in range(len(boxes) - 1)}
        assert pairs <= set(windows(boxes))

    def test_the_largest_letters_come_first_for_whoever_has_little_time(self, reader, drawn):
        heights = [line.box[3] - line.box[1] for line in reader.lines(drawn["plain"].rgb)]
        assert heights[0] >= 1.5 * heights[-1]


class TestDirections:
    @pytest.mark.parametrize("turns", [0, 1, 2, 3])
    def test_on_its_side_and_on_its_head(self, reader, drawn, line, turns):
        (read,) = reader.read(np.rot90(line, turns))
        assert wrong(drawn["plain"].lines[:1], [read])[0] == 0

    @pytest.mark.parametrize("degrees", [-30, 8, 20])
    def test_askew(self, reader, drawn, line, degrees):
        (read,) = reader.read(turned(line, degrees))
        assert wrong(drawn["plain"].lines[:1], [read])[0] == 0


class TestPicturesWithoutText:
    @pytest.mark.parametrize("name", ["president_a_1.jpg", "liveness_real_1.jpg", "noface_cat.png"])
    def test_say_nothing_long(self, reader, name):
        assert all(len(line.text) < 4 for line in reader.read(photo(name)))

    @pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (31, 33)])
    def test_any_size_may_come(self, reader, shape):
        assert reader.read(np.full((*shape, 3), 255, dtype=np.uint8)) == []

    def test_a_picture_that_is_too_large_is_refused(self, reader):
        huge = np.broadcast_to(np.zeros(3, dtype=np.uint8), (MAX_PIXELS // 4000 + 1, 4000, 3))
        with pytest.raises(ModelError, match="pixels"):
            reader.read(huge)


class TestBoxes:
    def found(self, likely: np.ndarray) -> list:
        return text_boxes(likely.astype(np.float32), pixel=0.3, box=0.5, widen=0.0)

    def test_what_touches_is_one_and_what_does_not_is_not(self):
        likely = np.zeros((60, 100))
        likely[10:20, 10:50] = likely[19:30, 45:90] = likely[40:50, 10:90] = 1
        assert sorted(round(box.y) for box in self.found(likely)) == [21, 46]

    def test_a_ring_is_one_however_it_winds(self):
        likely = np.zeros((64, 64))
        for inset in range(0, 24, 6):  # a spiral: each run joins the others late
            likely[inset, inset : 64 - inset] = 1
            likely[inset : 64 - inset, 63 - inset] = 1
            likely[63 - inset, inset : 64 - inset] = 1
            likely[inset + 6 : 64 - inset, inset] = 1
            likely[inset + 6, inset : inset + 7] = 1
        assert len(self.found(likely)) == 1

    def test_a_slanting_line_keeps_its_length_and_direction(self):
        rows, columns = np.mgrid[0:200, 0:200]
        along = (columns - 100) * np.cos(0.5) + (rows - 100) * np.sin(0.5)
        across = (rows - 100) * np.cos(0.5) - (columns - 100) * np.sin(0.5)
        (box,) = self.found((np.abs(along) < 70) & (np.abs(across) < 8))
        assert (box.x, box.y) == pytest.approx((100, 100), abs=1.5)
        assert (box.width, box.height) == pytest.approx((140, 16), abs=3)
        assert box.angle == pytest.approx(0.5, abs=0.02)

    def test_what_is_unlikely_or_a_speck_is_left_out(self):
        likely = np.zeros((60, 100))
        likely[10:20, 10:50] = 0.4
        likely[40, 50] = 1
        assert self.found(likely) == []

    def test_widening_adds_as_much_as_the_card_says(self):
        likely = np.zeros((60, 200))
        likely[20:29, 20:119] = 1  # joined with its neighbours right and below: 10 by 100
        (box,) = text_boxes(likely.astype(np.float32), pixel=0.3, box=0.5, widen=1.6)
        assert box.height == pytest.approx(10 + 2 * 1000 * 1.6 / 220, abs=0.5)

    def test_a_chessboard_is_bounded_work(self):
        board = np.indices((720, 1280)).sum(axis=0) % 4 < 1
        assert len(self.found(board)) <= 1

    def test_no_more_lines_than_the_bound(self, reader):
        speckled = np.full((1200, 1200, 3), 255, dtype=np.uint8)
        for top in range(4, 1190, 24):
            for left in range(4, 1180, 40):
                speckled[top : top + 12, left : left + 18 : 3] = 0
        assert len(reader.read(speckled)) <= MAX_LINES


def turned(rgb: np.ndarray, degrees: float) -> np.ndarray:
    """Turned about the middle on white, to the right; the nearest pixel is good enough."""
    height, width = rgb.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(float)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x = np.rint((columns - width / 2) * cos + (rows - height / 2) * sin + width / 2).astype(int)
    y = np.rint((rows - height / 2) * cos - (columns - width / 2) * sin + height / 2).astype(int)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    result = np.full_like(rgb, 255)
    result[inside] = rgb[y[inside], x[inside]]
    return result
