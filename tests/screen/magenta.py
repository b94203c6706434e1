"""A model for tests that finds a picture in which much is magenta to be porn, and the pictures to show it.

`folder` makes the ONNX file and its card, as an operator would bring a model of his own. Its score is the
share of the picture that is magenta, times four: a quarter of the picture is enough for 1.0.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import av
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 64
GAIN = 4.0
_CARD = """
name = "magenta"
kind = "frame"
version = "1"
file = "magenta.onnx"
sha256 = "{sha256}"
size = {size}
licence = "Apache-2.0"
used_for = "tests"

[origin]
note = "tests/screen/magenta.py"

[picture]
width = {edge}
height = {edge}

[[output]]
index = 0
category = "porn"
"""


def folder(path: Path) -> Path:
    """The folder with the model and its card in it."""
    path.mkdir(parents=True, exist_ok=True)
    data = _model().SerializeToString()
    (path / "magenta.onnx").write_bytes(data)
    card = _CARD.format(sha256=hashlib.sha256(data).hexdigest(), size=len(data), edge=SIZE)
    (path / "magenta.toml").write_text(card)
    return path


def _model() -> onnx.ModelProto:
    """1x3xNxN RGB 0..255 → how much of it has red and blue above 190 and green below 80."""

    def constant(name: str, *values: float) -> TensorProto:
        return numpy_helper.from_array(np.array(values, dtype=np.float32), name)

    node = helper.make_node
    nodes = [
        node("Split", ["x", "thirds"], ["r", "g", "b"], axis=1),
        node("Greater", ["r", "high"], ["red"]),
        node("Greater", ["b", "high"], ["blue"]),
        node("Less", ["g", "low"], ["ungreen"]),
        node("And", ["red", "blue"], ["purple"]),
        node("And", ["purple", "ungreen"], ["magenta"]),
        node("Cast", ["magenta"], ["ones"], to=TensorProto.FLOAT),
        node("ReduceMean", ["ones"], ["share"], axes=[1, 2, 3], keepdims=0),
        node("Mul", ["share", "gain"], ["y"]),
    ]
    thirds = numpy_helper.from_array(np.array([1, 1, 1], dtype=np.int64), "thirds")
    constants = [thirds, constant("high", 190), constant("low", 80), constant("gain", GAIN)]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph(nodes, "magenta", [x], [y], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def paint(frame: av.VideoFrame, left: float, top: float, right: float, bottom: float) -> None:
    """Make a part of a yuv420p picture magenta; the edges as shares of its sides."""
    for plane, level in zip(frame.planes, (105, 212, 235), strict=True):
        pixels = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        rows, columns = plane.height, plane.width
        pixels[int(top * rows) : int(bottom * rows), int(left * columns) : int(right * columns)] = level


def share_of_magenta(frame: av.VideoFrame) -> float:
    """How much of a picture is magenta, as the model counts it: what viewers of a test look for."""
    rgb = frame.to_ndarray(format="rgb24")
    red, green, blue = (rgb[:, :, channel] for channel in range(3))
    return float(((red > 190) & (blue > 190) & (green < 80)).mean())
