"""Faces are found, measured and compared; no decision about a person is made of it here."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import ModelError
from models.face_match import FaceMatcher, distance, from_bytes, thresholds, to_bytes
from models.face_measures import BLURRED, CHIP, blur, chip, pose
from models.faces import Face, FaceFinder
from models.resize import resize

from .pictures import photo

# x, y, width, height of the face, from the data's own README.
BOXES = {
    "president_a_1.jpg": (371, 85, 236, 336),
    "president_a_2.jpg": (200, 231, 269, 396),
    "astronaut_b_1.png": (178, 65, 91, 111),
    "liveness_real_1.jpg": (119, 109, 177, 248),
    "liveness_spoof_1.jpg": (188, 110, 190, 246),
}
PERSON = {name: name[:11] for name in BOXES} | {"liveness_spoof_1.jpg": "liveness_re"}
PAIRS = [(one, other) for at, one in enumerate(BOXES) for other in list(BOXES)[:at]]


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder.load()


@pytest.fixture(scope="module")
def matcher() -> FaceMatcher:
    return FaceMatcher.load()


@pytest.fixture(scope="module")
def descriptors(finder, matcher) -> dict[str, np.ndarray]:
    found = {name: photo(name) for name in BOXES}
    return {name: matcher.descriptor(chip(rgb, finder.find(rgb)[0])) for name, rgb in found.items()}


def blurred(rgb: np.ndarray, spread: float) -> np.ndarray:
    """As a lens out of focus by `spread` pixels shows it."""
    reach = int(3 * spread) + 1
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / 2 / spread**2)
    padded = np.pad(rgb.astype(np.float32), ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=axis)
        padded = windows @ (kernel / kernel.sum()).astype(np.float32)
    return padded.round().astype(np.uint8)


class TestFinding:
    @pytest.mark.parametrize("name", BOXES)
    def test_the_one_face_of_a_portrait_is_found_where_it_is(self, finder, name):
        (face,) = finder.find(photo(name))
        x, y, width, height = BOXES[name]
        shared = overlap(face.box, (x, y, x + width, y + height))
        assert shared > 0.6 and face.score > 0.7

    @pytest.mark.parametrize("name", BOXES)
    def test_eyes_are_above_the_nose_and_that_above_the_mouth(self, finder, name):
        (face,) = finder.find(photo(name))
        left_eye, right_eye, nose, left_mouth, right_mouth = face.points
        assert left_eye[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])

    def test_a_cat_is_nobody(self, finder):
        assert finder.find(photo("noface_cat.png")) == []

    def test_two_people_are_two_the_nearer_first(self, finder):
        one, other = photo("president_a_1.jpg")[:800, :900], photo("astronaut_b_1.png")
        both = np.zeros((800, 1412, 3), dtype=np.uint8)
        both[:, :900], both[200:712, 900:] = one, other
        near, far = finder.find(both)
        assert near.box[0] < 900 < far.box[0] and near.size > far.size

    @pytest.mark.parametrize("shape", [(1, 1), (5, 900), (900, 5), (32, 32), (2000, 2000)])
    def test_any_size_may_come_and_a_blank_picture_has_none(self, finder, shape):
        assert finder.find(np.full((*shape, 3), 127, dtype=np.uint8)) == []


class TestMatching:
    @pytest.mark.parametrize(("one", "other"), PAIRS)
    def test_one_person_is_near_and_two_are_far(self, descriptors, one, other):
        apart = distance(descriptors[one], descriptors[other])
        assert (apart < thresholds().same) == (PERSON[one] == PERSON[other])
        assert apart < thresholds().sure if PERSON[one] == PERSON[other] else apart > 0.7

    def test_a_descriptor_travels_as_bytes(self, descriptors):
        (one, *_) = descriptors.values()
        assert np.array_equal(from_bytes(to_bytes(one)), one)
        with pytest.raises(ModelError, match="512"):
            from_bytes(b"short")

    def test_a_small_and_tilted_photo_is_still_the_same(self, finder, matcher, descriptors):
        whole = photo("president_a_1.jpg")
        small = resize(whole, 227, 284).transpose(1, 2, 0).round().astype(np.uint8)
        (face,) = finder.find(small)
        assert distance(descriptors["president_a_1.jpg"], matcher.descriptor(chip(small, face))) < 0.3


class TestMeasures:
    def test_a_chip_is_upright_and_of_one_size(self, finder):
        rgb = photo("president_a_1.jpg")
        upright = chip(rgb, finder.find(rgb)[0])
        assert upright.shape == (3, CHIP, CHIP)
        points = finder.find(rgb)[0].points
        lying = Face((0, 0, 1, 1), 1.0, np.stack([points[:, 1], rgb.shape[1] - points[:, 0]], axis=1))
        again = chip(np.rot90(rgb), lying)
        assert np.abs(again - upright).mean() < 2

    @pytest.mark.parametrize("name", ["president_a_1.jpg", "liveness_real_1.jpg"])
    def test_blur_grows_with_the_lens_out_of_focus(self, finder, name):
        rgb = photo(name)
        (face,) = finder.find(rgb)
        measured = [blur(chip(rgb, face))]
        measured += [blur(chip(blurred(rgb, share * face.size), face)) for share in (0.005, 0.01, 0.03)]
        assert measured == sorted(measured)
        assert measured[0] < 0.2 and measured[-1] > BLURRED

    def test_a_blank_face_is_no_sharp_one(self):
        assert blur(np.full((3, CHIP, CHIP), 90, dtype=np.float32)) == 1.0

    @pytest.mark.parametrize("yaw", [-40, 0, 25])
    @pytest.mark.parametrize("pitch", [-20, 0, 20])
    @pytest.mark.parametrize("roll", [-30, 0, 10])
    def test_the_pose_of_a_model_head_is_found(self, yaw, pitch, roll):
        found = pose(2.5 * model_head(yaw, pitch, roll) + 300)
        assert (found.yaw, found.pitch, found.roll) == pytest.approx((yaw, pitch, roll), abs=2)

    def test_portraits_look_ahead_and_one_to_its_left(self, finder):
        ahead, aside = (pose(finder.find(photo(f"president_a_{at}.jpg"))[0].points) for at in (1, 2))
        assert abs(ahead.yaw) < 12 and abs(ahead.pitch) < 15 and abs(ahead.roll) < 5
        assert aside.yaw < -15


def overlap(one: tuple, other: tuple) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (both - width * height)


def model_head(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Five points of a head turned to the right, then bowed, then tilted clockwise; seen from afar."""
    head = np.array([[-31.5, 0, 0], [31.5, 0, 0], [0, 36, 27], [-25, 66, 4], [25, 66, 4]], dtype=float)
    y, p, r = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    bow = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    tilt = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return (head @ (tilt @ bow @ turn).T)[:, :2]
