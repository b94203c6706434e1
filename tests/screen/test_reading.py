"""Which pictures are read: other slides, and slides on which something was written since."""

from __future__ import annotations

import numpy as np
import pytest

from liveserver.screen.reading import LEAST_GAP_MS, Slides
from models.phash import shrunk
from tests.models.test_phash import luma, slide


def page(seed: int, *, more: bool = False) -> np.ndarray:
    """A slide as small as it is looked at; `more`: with one line of small text more."""
    picture = slide(seed, 4)
    if more:
        picture[480:500, 60:400:14] = 40
    return shrunk(luma(picture), 160)


class TestSlides:
    def test_the_first_is_read_and_not_again(self):
        slides = Slides()
        assert [slides.is_new(page(1), at) for at in (0, 500, 1000, 90_000)] == [True, False, False, False]

    def test_another_is_read_at_once(self):
        slides = Slides()
        slides.is_new(page(1), 0)
        assert slides.is_new(page(2), 500)

    def test_one_more_line_is_read_once_it_stands_still(self):
        slides = Slides()
        slides.is_new(page(1), 0)
        assert not slides.is_new(page(1, more=True), 500)  # it may still be on its way
        assert slides.is_new(page(1, more=True), 1000)
        assert not slides.is_new(page(1, more=True), 1500)

    def test_what_moves_all_the_time_is_not_read_all_the_time(self):
        slides = Slides()
        slides.is_new(page(1), 0)
        moving = [page(1) for _ in range(20)]
        for at, picture in enumerate(moving):
            picture[72:80, 8 * at : 8 * at + 8] = 200
        assert not any(slides.is_new(picture, 500 * at) for at, picture in enumerate(moving))

    @pytest.mark.parametrize("took_ms", [100, 400, 900])
    def test_reading_has_its_share_of_the_time_and_no_more(self, took_ms):
        slides = Slides()
        slides.is_new(page(1), 0)
        slides.read(took_ms, took_ms, is_empty=False)
        again_ms = took_ms + max(LEAST_GAP_MS - took_ms, 2 * took_ms)
        assert not slides.is_new(page(2), again_ms - 1)
        assert slides.is_new(page(2), again_ms)

    def resting(self) -> Slides:
        """Nothing was found on page 1, 400 ms after the beginning."""
        slides = Slides()
        slides.is_new(page(1), 0)
        slides.read(400, 400, is_empty=True)
        return slides

    def test_without_text_what_moves_is_left_alone_for_a_while(self):
        slides = self.resting()
        assert not slides.is_new(page(2), 7_900)
        assert slides.is_new(page(3), 400 + 19 * 400)

    def test_but_not_what_stands_still(self):
        slides = self.resting()
        slides.is_new(page(2), 4_000)
        assert slides.is_new(page(2), 4_400)

    def test_nor_another_scene(self):
        assert self.resting().is_new(255 - page(1), 4_000)
