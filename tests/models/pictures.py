"""Pictures for tests: drawn slides, photos from the shared data, cards of small models."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.jpeg import decode

FACES = Path(__file__).parents[2].parent / "shared" / "data" / "faces"


def photo(name: str) -> np.ndarray:
    """uint8 (H, W, 3) RGB of a test photo, upright; skips without the shared data."""
    data = photo_file(name)
    if name.endswith(".jpg"):
        return decode(data)
    with av.open(io.BytesIO(data)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def photo_file(name: str) -> bytes:
    path = FACES / name
    if not path.exists():
        pytest.skip(f"no shared test data: {path}")
    return path.read_bytes()


def brightness_model(folder: Path, **changed: str) -> None:
    """An operator's model in `folder`: the more red a picture is, the more `violence`; blue is `gambling`."""
    size = 32
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, size, size])
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1, 3])
    nodes = [
        helper.make_node("ReduceMean", ["picture"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["means", "one"], ["answer"]),
    ]
    one = numpy_helper.from_array(np.ones(3, dtype=np.float32), "one")
    graph = helper.make_graph(nodes, "brightness", [picture], [answer], [one])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data = model.SerializeToString()
    (folder / "red.onnx").write_bytes(data)
    values = {
        "index": "0",
        "gain": "1.0",
        "sha256": hashlib.sha256(data).hexdigest(),
        "layout": "NCHW",
    } | changed
    (folder / "red.toml").write_text(
        f"""
name = "red"
kind = "frame"
version = "1"
file = "red.onnx"
sha256 = "{values["sha256"]}"
size = {len(data)}
licence = "CC0"
used_for = "tests"
[origin]
note = "made by the test"
[picture]
width = {size}
height = {size}
layout = "{values["layout"]}"
scale = [0.00392156862745098, 0.00392156862745098, 0.00392156862745098]
[[output]]
index = {values["index"]}
category = "violence"
gain = {values["gain"]}
[[output]]
index = 2
category = "gambling"
"""
    )
    onnx.checker.check_model(model)
