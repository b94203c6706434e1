"""Only bytes that are known become a model (REL-F13)."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from models import runtime
from models.errors import ModelError
from models.onnx_file import refuse_external

REPOSITORY = Path(__file__).parents[2]


def model(*initializers: TensorProto) -> onnx.ModelProto:
    """x + w of two numbers."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    given = initializers or (numpy_helper.from_array(np.array([1, 2], dtype=np.float32), "w"),)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])], "g", values[:1], values[1:], given
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def external(path: str) -> TensorProto:
    tensor = numpy_helper.from_array(np.array([1, 2], dtype=np.float32), "w")
    onnx.external_data_helper.set_external_data(tensor, path)
    tensor.ClearField("raw_data")
    return tensor


def written(tmp_path, data: bytes) -> tuple:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


class TestLoading:
    def test_a_model_whose_hash_is_known_runs(self, tmp_path):
        session = runtime.load(*written(tmp_path, model().SerializeToString()))
        (answer,) = session.run(None, {"x": np.array([1, 1], dtype=np.float32)})
        assert answer.tolist() == [2, 3]

    def test_one_thread_is_enough_for_it(self, tmp_path):
        options = runtime.load(*written(tmp_path, model().SerializeToString())).get_session_options()
        assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


class TestWhatIsRefused:
    def test_other_bytes_than_the_known(self, tmp_path):
        path, _ = written(tmp_path, model().SerializeToString())
        with pytest.raises(ModelError, match="its SHA-256 is"):
            runtime.load(path, "0" * 64)

    def test_a_file_cut_short(self, tmp_path):
        data = model().SerializeToString()
        _, known = written(tmp_path, data)
        path, _ = written(tmp_path, data[:-1])
        with pytest.raises(ModelError, match="its SHA-256 is"):
            runtime.load(path, known)

    def test_a_file_cut_short_that_somebody_pinned(self, tmp_path):
        with pytest.raises(ModelError, match="cut short"):
            runtime.load(*written(tmp_path, model().SerializeToString()[:-1]))

    def test_a_file_that_is_missing(self, tmp_path):
        with pytest.raises(ModelError, match="make models"):
            runtime.load(tmp_path / "none.onnx", "0" * 64)

    @pytest.mark.parametrize("data", [b"", b"\x00" * 64, b"PK\x03\x04", b"not a model at all"])
    def test_what_is_no_model(self, tmp_path, data):
        with pytest.raises(ModelError):
            runtime.load(*written(tmp_path, data))

    def test_an_operator_that_onnxruntime_does_not_know(self, tmp_path):
        changed = model()
        changed.graph.node[0].op_type = "RunProgram"
        with pytest.raises(ModelError, match="onnxruntime refuses it"):
            runtime.load(*written(tmp_path, changed.SerializeToString()))

    @pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "weights.bin"])
    def test_data_in_another_file(self, tmp_path, path):
        (tmp_path / "weights.bin").write_bytes(np.array([1, 2], dtype=np.float32).tobytes())
        with pytest.raises(ModelError, match="another file"):
            runtime.load(*written(tmp_path, model(external(path)).SerializeToString()))


class TestDataInAnotherFileIsFoundWherever:
    def test_in_a_constant_of_a_branch(self):
        branch = helper.make_graph(
            [helper.make_node("Constant", [], ["c"], value=external("../x"))],
            "branch",
            [],
            [helper.make_tensor_value_info("c", TensorProto.FLOAT, [2])],
        )
        changed = model()
        changed.graph.node.append(
            helper.make_node("If", ["cond"], ["z"], then_branch=branch, else_branch=branch)
        )
        with pytest.raises(ModelError, match="another file"):
            refuse_external(changed.SerializeToString())

    def test_in_a_function(self):
        changed = model()
        function = changed.functions.add(name="f", domain="d")
        function.node.append(helper.make_node("Constant", [], ["c"], value=external("../x")))
        with pytest.raises(ModelError, match="another file"):
            refuse_external(changed.SerializeToString())

    def test_in_a_sparse_tensor(self):
        changed = model()
        changed.graph.sparse_initializer.add().values.CopyFrom(external("../x"))
        with pytest.raises(ModelError, match="another file"):
            refuse_external(changed.SerializeToString())

    def test_graphs_nested_without_end_are_refused(self):
        inner = b""
        for _ in range(2000):  # node(1) → attribute(5) → graph(6), lengths as they come
            for field in (6, 5, 1):
                inner = bytes([field << 3 | 2]) + varint(len(inner)) + inner
        with pytest.raises(ModelError, match="too deeply"):
            refuse_external(b"\x3a" + varint(len(inner)) + inner)


class TestAnyBytes:
    @given(st.binary(max_size=200))
    def test_are_a_model_or_a_model_error(self, data):
        try:
            refuse_external(data)
        except ModelError:
            return

    @given(st.integers(min_value=0, max_value=200), st.binary(min_size=1, max_size=8))
    def test_a_damaged_model_too(self, at, patch):
        data = bytearray(model().SerializeToString())
        data[at : at + len(patch)] = patch
        try:
            refuse_external(bytes(data))
        except ModelError:
            return


def varint(value: int) -> bytes:
    encoded = b""
    while value >= 0x80:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


class TestNothingIsToldToAnybody:
    """onnxruntime's wheels report their use to their maker unless told not to before they are loaded."""

    @pytest.mark.parametrize(
        "use",
        [
            "from models import cards, runtime\n"
            "card = cards.own()['silero-vad']\n"
            "runtime.load(cards.WEIGHTS / card.file, card.sha256)",
            "from recorder.speech import Silero\n"
            "from models.cards import WEIGHTS\n"
            "Silero(WEIGHTS / 'silero_vad_16k_op15.onnx')",
        ],
        ids=["models", "recorder"],
    )
    def test_no_file_of_its_own_and_no_thread(self, tmp_path, use):
        code = f"{use}\nimport os\nprint(len(os.listdir('/proc/self/task')))"
        environment = {"PYTHONPATH": str(REPOSITORY), "HOME": str(tmp_path), "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-c", code]
        ran = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert ran.stdout.split() == ["1"]
        assert list(tmp_path.rglob("*")) == []
