"""CenterFace as published takes ten pictures of 32 by 32; with this it takes one of any size (sides of 32 n).

Only what the file says of its inputs and outputs changes, and its version (4 and later need not list weights
among the inputs, which keeps onnxruntime from taking them for constants). Nodes and weights stay as they are.
"""

from __future__ import annotations

from models.convert import onnx_writer as onnx
from models.errors import ModelError
from models.onnx_file import fields

_INPUT = "input.1"
_OUTPUTS = {"537": 1, "538": 2, "539": 2, "540": 10}  # heat, size, offset, landmarks: how many planes each
_IR_VERSION, _GRAPH = 1, 7  # of ModelProto
_GRAPH_INPUT, _GRAPH_OUTPUT, _VALUE_INFO = 11, 12, 13


def convert(data: bytes) -> bytes:
    """The changed file. Raises `ModelError` when `data` is no ONNX model."""
    written = onnx.number(_IR_VERSION, onnx.IR_VERSION)
    for field, number, content in fields(memoryview(data)):
        if field == _GRAPH and content is not None:
            written += onnx.message(_GRAPH, _graph(content))
        elif content is not None:
            written += onnx.message(field, bytes(content))
        elif field != _IR_VERSION:
            written += onnx.number(field, number)
    return written


def _graph(graph: memoryview) -> bytes:
    parts = []
    for field, _, content in fields(graph):
        if content is None:
            raise ModelError("a graph with a number in it")
        if field not in (_GRAPH_INPUT, _GRAPH_OUTPUT, _VALUE_INFO):
            parts.append(onnx.message(field, bytes(content)))
    parts.append(onnx.message(_GRAPH_INPUT, onnx.value_info(_INPUT, [1, 3, "height", "width"])))
    for name, planes in _OUTPUTS.items():
        shape: list[int | str] = [1, planes, "rows", "columns"]
        parts.append(onnx.message(_GRAPH_OUTPUT, onnx.value_info(name, shape)))
    return b"".join(parts)
