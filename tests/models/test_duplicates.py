"""A photo that was sent before is known again, in other bytes too (REL-C6)."""

from __future__ import annotations

import numpy as np
import pytest

from models.duplicates import Likeness, compare, fingerprint
from models.jpeg import decode, encode
from models.resize import resize

from .pictures import photo, photo_file

PHOTOS = ("president_a_1.jpg", "president_a_2.jpg", "liveness_real_1.jpg", "liveness_spoof_1.jpg")


def of(data: bytes):
    return fingerprint(data, decode(data))


def scaled(rgb: np.ndarray, factor: float) -> np.ndarray:
    width, height = (round(side * factor) for side in (rgb.shape[1], rgb.shape[0]))
    return resize(rgb, width, height).transpose(1, 2, 0).round().clip(0, 255).astype(np.uint8)


def taken_anew(rgb: np.ndarray, seed: int) -> np.ndarray:
    """What the same camera sees a minute later: a head that moved a little, other noise, the same room."""
    random = np.random.default_rng(seed)
    height, width = rgb.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(float)
    x, y = (columns - width / 2) / width, (rows - height / 2) / height
    near = np.exp(-(x**2 + y**2) * 12)
    right, down = random.uniform(-0.04, 0.04, 2) * width
    moved_x = np.clip(np.rint(columns + near * right), 0, width - 1).astype(int)
    moved_y = np.clip(np.rint(rows + near * down), 0, height - 1).astype(int)
    noisy = rgb[moved_y, moved_x] + random.normal(0, 4, rgb.shape)
    return noisy.clip(0, 255).astype(np.uint8)


class TestTheSamePhoto:
    @pytest.mark.parametrize("name", PHOTOS)
    def test_of_the_same_bytes_is_exact(self, name):
        assert compare(of(photo_file(name)), of(photo_file(name))) is Likeness.EXACT

    @pytest.mark.parametrize("name", PHOTOS)
    @pytest.mark.parametrize("scale", [2, 8, 20, 31])
    def test_encoded_anew_is_repeated(self, name, scale):
        again = encode(photo(name), scale=scale)
        assert compare(of(photo_file(name)), of(again)) is Likeness.REPEATED

    @pytest.mark.parametrize("name", PHOTOS)
    @pytest.mark.parametrize("factor", [0.4, 0.7, 1.3])
    def test_scaled_is_repeated(self, name, factor):
        again = encode(scaled(photo(name), factor))
        assert compare(of(photo_file(name)), of(again)) is Likeness.REPEATED


class TestAnotherPhoto:
    def test_of_anybody_is_another(self):
        prints = [of(photo_file(name)) for name in PHOTOS]
        pairs = [compare(one, other) for at, one in enumerate(prints) for other in prints[:at]]
        assert set(pairs) == {Likeness.NONE}

    @pytest.mark.parametrize("seed", range(5))
    def test_of_the_same_person_a_minute_later_is_another(self, seed):
        rgb = scaled(photo("liveness_real_1.jpg"), 0.75)
        assert compare(of(encode(rgb)), of(encode(taken_anew(rgb, seed)))) is Likeness.NONE

    def test_two_blank_pictures_are_nothing_to_compare(self):
        blank = [encode(np.full((64, 64, 3), level, dtype=np.uint8)) for level in (10, 200)]
        assert compare(*map(of, blank)) is Likeness.NONE
