"""The same slide has nearly the same hash; what changes visibly is a change."""

from __future__ import annotations

import numpy as np
import pytest

from models.jpeg import decode, encode
from models.phash import NEW_TEXT, SAME_SLIDE, change, distance, perceptual_hash, shrunk

from .pictures import photo


def luma(rgb: np.ndarray) -> np.ndarray:
    return (rgb @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


def slide(seed: int, lines: int = 8) -> np.ndarray:
    """White, with lines of word-like bars in dark grey: uint8 (540, 960, 3)."""
    random = np.random.default_rng(seed)
    picture = np.full((540, 960, 3), 250, dtype=np.uint8)
    for line in range(lines):
        left = 60
        while left < 400 + random.integers(0, 450):
            width = int(random.integers(12, 90))
            picture[60 + 54 * line : 84 + 54 * line, left : left + width] = 40
            left += width + 12
    return picture


SLIDES = [slide(seed, lines) for seed, lines in enumerate((3, 4, 5, 5, 6, 6, 7, 8, 8, 8))]


class TestTheSameSlide:
    @pytest.mark.parametrize("number", range(len(SLIDES)))
    @pytest.mark.parametrize("quality", [2, 15, 31])
    def test_compressed(self, number, quality):
        again = decode(encode(SLIDES[number], scale=quality))
        assert distance(*map(perceptual_hash, (luma(SLIDES[number]), luma(again)))) <= SAME_SLIDE

    @pytest.mark.parametrize("number", range(len(SLIDES)))
    def test_at_half_its_size(self, number):
        whole = luma(SLIDES[number])
        assert distance(perceptual_hash(whole), perceptual_hash(shrunk(whole, 480))) <= SAME_SLIDE

    @pytest.mark.parametrize("number", range(len(SLIDES)))
    def test_with_a_pointer_on_it(self, number):
        pointed = SLIDES[number].copy()
        pointed[300:318, 500:512] = 0
        assert distance(*map(perceptual_hash, (luma(SLIDES[number]), luma(pointed)))) <= SAME_SLIDE


class TestAnotherSlide:
    def test_has_another_hash(self):
        hashes = [perceptual_hash(luma(picture)) for picture in SLIDES]
        pairs = [distance(a, b) for at, a in enumerate(hashes) for b in hashes[:at]]
        assert min(pairs) > SAME_SLIDE

    def test_photos_are_far_apart(self):
        one, other = (perceptual_hash(luma(photo(name))) for name in ("astronaut_b_1.png", "noface_cat.png"))
        assert distance(one, other) > 20

    def test_an_empty_picture_has_none(self):
        assert perceptual_hash(np.full((90, 160), 128, dtype=np.uint8)) == 0


class TestChange:
    def test_nothing_changes_by_noise(self):
        quiet = shrunk(luma(slide(1)), 160)
        noisy = quiet.astype(np.int16) + np.random.default_rng(3).normal(0, 3, quiet.shape)
        assert change(quiet, np.clip(noisy, 0, 255).astype(np.uint8)) == 0

    def test_a_picture_in_a_corner_is_seen(self):
        before = shrunk(luma(slide(1)), 160)
        after = before.copy()
        after[60:84, 120:152] = 90
        assert 0.04 < change(before, after) < 0.15

    @pytest.mark.parametrize("width", [160, 320])
    def test_one_more_line_of_text_is_seen_here_and_not_in_the_hash(self, width):
        before = slide(1, 4)
        after = before.copy()
        after[480:500, 60:400:14] = 40
        assert distance(perceptual_hash(luma(before)), perceptual_hash(luma(after))) <= SAME_SLIDE
        assert change(shrunk(luma(before), width), shrunk(luma(after), width)) > NEW_TEXT

    def test_another_scene_is_a_change_of_most(self):
        assert change(np.zeros((90, 160), dtype=np.uint8), np.full((90, 160), 200, dtype=np.uint8)) == 1

    def test_another_size_is_another_picture(self):
        assert change(np.zeros((90, 160), dtype=np.uint8), np.zeros((120, 160), dtype=np.uint8)) == 1

    @pytest.mark.parametrize("shape", [(1, 1), (3, 200), (90, 5)])
    def test_a_picture_of_any_size_may_come(self, shape):
        plane = np.zeros(shape, dtype=np.uint8)
        assert change(plane, plane) == 0
        perceptual_hash(shrunk(plane, 160))
