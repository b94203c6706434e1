"""The operator is told which models are there, and what of his own cannot be used."""

from __future__ import annotations

import pytest

from liveserver import weights
from liveserver.config import Config
from liveserver.config.checks import ConfigError
from liveserver.config.sections import ScreeningConfig
from models import cards
from tests.models.conftest import fetched
from tests.models.pictures import brightness_model
from tests.models.test_speech import low_or_high

__all__ = ["fetched"]


def told(speech: str = "") -> list[str]:
    return list(weights.told(Config(screening=ScreeningConfig(speech=speech))))


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder without weights, where they should be."""
    monkeypatch.setattr(cards, "WEIGHTS", tmp_path)
    monkeypatch.setattr(weights, "WEIGHTS", tmp_path)
    return tmp_path


class TestWhatIsTold:
    def test_all_models_are_there_and_no_recogniser_is(self):
        count = len(cards.own())
        assert told() == [
            f"models: {count} are there",
            "speech: no recogniser is part of this; what is said is not screened (screening.speech)",
        ]

    def test_what_is_missing_is_named(self, elsewhere):
        (first, _) = told()
        assert first.startswith("models: 0 are there; missing: ") and "open-nsfw" in first

    def test_a_recogniser_of_the_operators_own_is_tried(self, tmp_path):
        assert "can be used" in told(str(low_or_high(tmp_path)))[1]
        with pytest.raises(ConfigError, match=r"screening\.speech: .*does not run"):
            told(str(low_or_high(tmp_path, bins="30")))

    def test_models_of_the_operators_own_are_tried(self, tmp_path):
        brightness_model(tmp_path)
        config = Config(screening=ScreeningConfig(models=str(tmp_path)))
        assert "pictures are scored for gambling, porn, violence by open-nsfw, red" in weights.told(config)
        brightness_model(tmp_path, index="7")
        with pytest.raises(ConfigError, match=r"screening\.models: red"):
            list(weights.told(config))


class TestTheStart:
    def test_missing_weights_are_known_by_name(self, elsewhere):
        assert weights.lacking() == sorted(cards.own())

    def test_a_file_cut_short_is_missing(self, elsewhere):
        card = cards.own()["silero-vad"]
        (elsewhere / card.file).write_bytes(b"short")
        assert "silero-vad" in weights.lacking()

    def test_nothing_is_missing_here(self):
        assert weights.lacking() == []


class TestTheRecordersSpeechModel:
    def test_is_the_fetched_one_by_itself(self):
        assert weights.speech_activity("").endswith("silero_vad_16k_op15.onnx")

    def test_is_loudness_where_it_was_not_fetched_or_is_off(self, elsewhere):
        assert weights.speech_activity("") == ""
        assert weights.speech_activity("off") == ""

    def test_is_another_by_configuration(self):
        assert weights.speech_activity("/models/other.onnx") == "/models/other.onnx"


def test_the_recorder_knows_the_fetched_models_hash():
    """The two packages do not know each other, so a test holds them together."""
    from recorder.speech import MODELS

    assert cards.own()["silero-vad"].sha256 in MODELS
