"""Reads as much of an ONNX file (protobuf; onnx.proto of 1.21) as says whether it names other files. Pure.

A tensor may keep its numbers in a file beside the model, under a path that the model chooses. Such a model is
more than the bytes whose hash is known, and its path may lead anywhere, so it is refused (REL-F13).
"""

from __future__ import annotations

from collections.abc import Iterator

from models.errors import ModelError

_MAX_DEPTH = 32  # graphs within graphs
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of TensorProto
_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _SPARSE, _FUNCTION, _TRAINING = range(8)
# In which fields of a message there are messages that may hold a tensor.
_WITHIN = {
    _MODEL: {7: _GRAPH, 20: _TRAINING, 25: _FUNCTION},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _TENSOR: {},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
    _FUNCTION: {7: _NODE, 11: _ATTRIBUTE},
    _TRAINING: {1: _GRAPH, 2: _GRAPH},
}


def refuse_external(model: bytes) -> None:
    """Raises `ModelError` when a tensor of `model` is kept elsewhere, or when the bytes are no ONNX model."""
    view = memoryview(model)
    if not any(field == 7 for field, _, _ in fields(view)):
        raise ModelError("these bytes are no ONNX model")
    _walk(view, _MODEL, 0)


def _walk(message: memoryview, kind: int, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ModelError("the model's graphs are nested too deeply")
    within = _WITHIN[kind]
    for field, number, content in fields(message):
        if kind == _TENSOR and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and number)):
            raise ModelError("the model keeps data in another file; only models of one file are loaded")
        if field in within and content is not None:
            _walk(content, within[field], depth + 1)


def fields(message: memoryview) -> Iterator[tuple[int, int, memoryview | None]]:
    """(field number, value of a number, content of bytes) of each field."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        field, wire = tag >> 3, tag & 7
        number, content = 0, None
        if wire == _VARINT:
            number, at = _varint(message, at)
        elif wire == _BYTES:
            length, at = _varint(message, at)
            content = message[at : at + length]
            at += length
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        else:
            raise ModelError("these bytes are no ONNX model")
        if at > len(message) or field == 0:
            raise ModelError("the model is cut short or damaged")
        yield field, number, content


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ModelError("the model is cut short or damaged")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ModelError("these bytes are no ONNX model")
