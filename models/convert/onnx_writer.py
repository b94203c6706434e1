"""Writes ONNX files (onnx.proto, protobuf's wire format): as much of them as this project's conversions need.

The same calls make the same bytes, so what is written can be known by its SHA-256.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IR_VERSION, OPSET = 8, 17
_FLOAT, _INT64 = 1, 7  # TensorProto.DataType
_ATTRIBUTE_INT, _ATTRIBUTE_INTS = 2, 7  # AttributeProto.AttributeType

Dimension = int | str


def number(field: int, value: int) -> bytes:
    """A field that is a varint."""
    return _varint(field << 3) + _varint(value)


def message(field: int, content: bytes | str) -> bytes:
    """A field that is a message, bytes or a text."""
    data = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def value_info(name: str, shape: Sequence[Dimension]) -> bytes:
    """ValueInfoProto of floats; a dimension that is a name is of any length."""
    dimensions = b"".join(
        message(1, message(2, size) if isinstance(size, str) else number(1, size)) for size in shape
    )
    tensor_type = number(1, _FLOAT) + message(2, dimensions)
    return message(1, name) + message(2, message(1, tensor_type))


def tensor(name: str, values: NDArray[np.float32] | NDArray[np.int64]) -> bytes:
    """TensorProto with its numbers inside."""
    kind = _FLOAT if values.dtype == np.float32 else _INT64
    dimensions = b"".join(number(1, size) for size in values.shape)
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return dimensions + number(2, kind) + message(8, name) + message(9, little.tobytes())


def node(kind: str, inputs: Sequence[str], output: str, **attributes: int | Sequence[int]) -> bytes:
    """NodeProto with one output; attributes are whole numbers or lists of them."""
    parts = [message(1, name) for name in inputs] + [message(2, output), message(4, kind)]
    for name, value in sorted(attributes.items()):
        if isinstance(value, int):
            content = number(3, value) + number(20, _ATTRIBUTE_INT)
        else:
            content = b"".join(number(8, item) for item in value) + number(20, _ATTRIBUTE_INTS)
        parts.append(message(5, message(1, name) + content))
    return b"".join(parts)


def model(
    name: str,
    nodes: Sequence[bytes],
    tensors: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
) -> bytes:
    """ModelProto: a whole file."""
    graph = b"".join(message(1, each) for each in nodes) + message(2, name)
    graph += b"".join(message(5, each) for each in tensors)
    graph += b"".join(message(11, each) for each in inputs) + b"".join(message(12, each) for each in outputs)
    return number(1, IR_VERSION) + message(7, graph) + message(8, message(1, "") + number(2, OPSET))


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
