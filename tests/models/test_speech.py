"""Where somebody speaks is known; what is said, with a recogniser of the operator's own."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.errors import ModelError
from models.fbank import RATE, fbank
from models.speech import BLOCK, LONGEST_S, SpeechActivity, Utterances, recogniser

BINS = 40


def sound(source: str) -> np.ndarray:
    """int16 at 16 kHz, mono, of one of ffmpeg's sources."""
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-ar", "16000", "-ac", "1"]
    made = subprocess.run([*command, "-f", "s16le", "-"], check=True, capture_output=True).stdout
    return np.frombuffer(made, dtype=np.int16)


def tone(hz: float, seconds: float) -> np.ndarray:
    at = np.arange(int(seconds * RATE)) / RATE
    return (8000 * np.sin(2 * np.pi * hz * at)).astype(np.int16)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), dtype=np.int16)


class Loud:
    """Speech is what is not silent."""

    def is_speech(self, block: np.ndarray) -> bool:
        return bool(np.abs(block).max() > 100)


def low_or_high(folder: Path, **changed: str) -> Path:
    """A recogniser of two words: a low tone is 低, a high one 高, silence is nothing."""
    weights = np.zeros((BINS, 3), dtype=np.float32)
    weights[:10, 1] = weights[-10:, 2] = 0.1  # the mean of the lowest and of the highest bands
    bias = np.array([12, 0, 0], dtype=np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Add", ["h", "b"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tones",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "frames", BINS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, "frames", 3])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    data, tokens = model.SerializeToString(), "<blk> 0\n低 1\n高 2\n".encode()
    (folder / "tones.onnx").write_bytes(data)
    (folder / "tokens.txt").write_bytes(tokens)
    values = {
        "kind": "speech-text",
        "tokens": "tokens.txt",
        "tokens_sha256": hashlib.sha256(tokens).hexdigest(),
        "bins": str(BINS),
    } | changed
    card = folder / "tones.toml"
    card.write_text(
        f"""
name = "tones"
kind = "{values["kind"]}"
version = "1"
file = "tones.onnx"
sha256 = "{hashlib.sha256(data).hexdigest()}"
size = {len(data)}
licence = "CC0"
used_for = "tests"
[origin]
note = "made by the test"
[parameters]
bins = {values["bins"]}
full_scale = 32768
tokens = "{values["tokens"]}"
tokens_sha256 = "{values["tokens_sha256"]}"
"""
    )
    return card


class TestActivity:
    @pytest.mark.parametrize(
        ("source", "least", "most"),
        [
            ("flite=text='Good morning everybody. Today we speak about safety at work.'", 0.5, 1.0),
            ("anoisesrc=d=3:a=0.2:c=pink", 0.0, 0.05),
            ("anullsrc=d=2", 0.0, 0.0),
        ],
    )
    def test_speech_is_told_from_noise_and_silence(self, source, least, most):
        activity, samples = SpeechActivity.load(), sound(source)
        blocks = [samples[at : at + BLOCK] for at in range(0, len(samples) - BLOCK, BLOCK)]
        assert least <= sum(map(activity.is_speech, blocks)) / len(blocks) <= most


class TestUtterances:
    def cut(self, *parts: np.ndarray, step: int = 1600) -> list[tuple[int, int]]:
        """(from, to) in milliseconds of what was said in a sound that comes in pieces."""
        whole, utterances, found = np.concatenate(parts), Utterances(Loud()), []
        for at in range(0, len(whole), step):
            found += utterances.push(whole[at : at + step])
        found += utterances.end()
        return [(one.at_ms, one.at_ms + len(one.sound) * 1000 // RATE) for one in found]

    def test_silence_ends_one_and_the_end_of_the_sound_the_last(self):
        said = self.cut(silence(1), tone(300, 1), silence(1), tone(300, 2))
        assert said == [pytest.approx((1000, 2000), abs=64), pytest.approx((3000, 5000), abs=64)]

    def test_a_short_pause_does_not(self):
        assert len(self.cut(tone(300, 1), silence(0.3), tone(300, 1), silence(1))) == 1

    def test_a_click_is_nothing(self):
        assert self.cut(silence(1), tone(300, 0.1), silence(1)) == []

    def test_who_speaks_without_end_is_cut_off(self):
        lengths = [to - at for at, to in self.cut(tone(300, 2.5 * LONGEST_S))]
        assert len(lengths) == 3 and max(lengths) <= LONGEST_S * 1000 + 32

    @pytest.mark.parametrize("step", [1, 511, 512, 16000])
    def test_pieces_of_any_size_are_the_same(self, step):
        parts = (silence(0.2), tone(300, 0.5), silence(0.6), tone(300, 0.3))
        assert self.cut(*parts, step=step) == self.cut(*parts)


class TestFeatures:
    def test_a_tone_is_loudest_in_its_own_band(self):
        tones = [fbank(tone(hz, 0.5).astype(np.float32), 80) for hz in (200, 1000, 4000)]
        low, middle, high = (int(features.mean(axis=0).argmax()) for features in tones)
        assert low < 12 and 20 < middle < 35 and high > 55

    def test_there_is_a_frame_each_10_ms(self):
        assert fbank(np.zeros(RATE, dtype=np.float32), 80).shape == (98, 80)
        assert fbank(np.zeros(399, dtype=np.float32), 80).shape == (0, 80)


class TestARecogniser:
    def test_none_is_part_of_this(self):
        assert recogniser("") is None

    def test_an_operators_model_writes_down_what_it_hears(self, tmp_path):
        model = recogniser(str(low_or_high(tmp_path)))
        assert model is not None
        heard = np.concatenate([silence(0.3), tone(200, 0.4), silence(0.3), tone(5500, 0.4), silence(0.3)])
        assert model.text(heard) == "低高"
        assert model.text(silence(0.01)) == ""
        assert list(model.hashes) == ["tones"]

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"kind": "frame"}, "speech-text is expected"),
            ({"bins": "30"}, "does not run"),
            ({"tokens": "../tokens.txt"}, "parameters.tokens"),
            ({"tokens": "none.txt"}, "not to be read|cannot be read"),
            ({"tokens_sha256": "0" * 64}, "SHA-256"),
        ],
    )
    def test_one_that_does_not_fit_its_card_is_refused(self, tmp_path, changed, said):
        with pytest.raises(ModelError, match=said):
            recogniser(str(low_or_high(tmp_path, **changed)))
