"""dlib's face descriptor (ResNet of 29 convolutions, CC0) from dlib's own file to ONNX.

dlib writes layers in the order in which a picture passes them: the name of the layer's kind, then its numbers
as a tensor. Which layers there are is in `dnn_face_recognition_ex.cpp` of dlib's examples; normalisation
(`affine`) is folded into the convolution before it. Input: RGB, the mean of the training data taken off,
divided by 256, 150 by 150. Output: 128 numbers; two faces are alike when they are near each other.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.convert import onnx_writer as onnx
from models.errors import ModelError

EDGE = 150
DESCRIPTOR = 128
# (filters, how many blocks; the first of a level but the first level halves the picture)
_LEVELS = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))
_TENSOR_VERSION = 2

Floats = NDArray[np.float32]


def convert(data: bytes) -> bytes:
    """The ONNX file. Raises `ModelError` when `data` is not this network."""
    layers = _Layers(data)
    graph = _Graph()
    at = graph.conv("picture", *layers.conv(32, 3, 7), stride=2, pad=0)
    at = graph.add("MaxPool", [graph.add("Relu", [at])], kernel_shape=[3, 3], strides=[2, 2])
    channels, edge = 32, 35
    for level, (filters, blocks) in enumerate(_LEVELS):
        for block in range(blocks):
            halves = level > 0 and block == 0
            at, edge = _residual(graph, layers, at, (channels, filters), edge, halves=halves)
            channels = filters
    at = graph.add("Flatten", [graph.add("GlobalAveragePool", [at])])
    weights = layers.fully_connected(channels, DESCRIPTOR)
    graph.add("MatMul", [at, graph.constant(weights)], output="descriptor")
    return onnx.model(
        "dlib_face_recognition_resnet_model_v1",
        graph.nodes,
        graph.tensors,
        [onnx.value_info("picture", [1, 3, EDGE, EDGE])],
        [onnx.value_info("descriptor", [1, DESCRIPTOR])],
    )


def _residual(
    graph: _Graph, layers: _Layers, at: str, channels: tuple[int, int], edge: int, *, halves: bool
) -> tuple[str, int]:
    """Two convolutions beside a short cut; where sizes differ zeros fill up, as dlib's add_prev does."""
    before, filters = channels
    straight = graph.conv(at, *layers.conv(filters, before, 3), stride=2 if halves else 1, pad=not halves)
    straight = graph.add("Relu", [straight])
    straight = graph.conv(straight, *layers.conv(filters, filters, 3), stride=1, pad=1)
    if not halves:
        return graph.add("Relu", [graph.add("Add", [straight, at])]), edge
    cut = graph.add("AveragePool", [at], kernel_shape=[2, 2], strides=[2, 2])
    convolved, pooled = (edge - 3) // 2 + 1, (edge - 2) // 2 + 1
    straight = graph.pad(straight, 0, pooled - convolved)
    cut = graph.pad(cut, filters - before, 0)
    return graph.add("Relu", [graph.add("Add", [straight, cut])]), pooled


class _Graph:
    """Nodes and tensors so far; each call gives the name of what it added."""

    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self.tensors: list[bytes] = []

    def add(self, kind: str, inputs: list[str], output: str = "", **attributes: int | list[int]) -> str:
        name = output or f"n{len(self.nodes)}"
        self.nodes.append(onnx.node(kind, inputs, name, **attributes))
        return name

    def constant(self, values: Floats | NDArray[np.int64]) -> str:
        name = f"w{len(self.tensors)}"
        self.tensors.append(onnx.tensor(name, values))
        return name

    def conv(self, at: str, weights: Floats, bias: Floats, *, stride: int, pad: int) -> str:
        inputs = [at, self.constant(weights), self.constant(bias)]
        edge = weights.shape[2]
        return self.add("Conv", inputs, kernel_shape=[edge, edge], strides=[stride] * 2, pads=[int(pad)] * 4)

    def pad(self, at: str, channels: int, edge: int) -> str:
        """Zeros behind the channels, below and to the right."""
        if not channels and not edge:
            return at
        pads = np.array([0, 0, 0, 0, 0, channels, edge, edge], dtype=np.int64)
        return self.add("Pad", [at, self.constant(pads)])


class _Layers:
    """The tensors of dlib's file, one after the other, each asked for by the size it must have."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def conv(self, filters: int, channels: int, edge: int) -> tuple[Floats, Floats]:
        """Weights and bias of the next convolution, its normalisation folded in."""
        size = filters * channels * edge * edge
        numbers = self._tensor(b"\x01\x05con_4", size + filters)
        gamma_beta = self._tensor(b"\x01\x07affine_", 2 * filters)
        gamma, beta = gamma_beta[:filters], gamma_beta[filters:]
        weights = numbers[:size].reshape(filters, channels, edge, edge) * gamma[:, None, None, None]
        return weights, numbers[size:] * gamma + beta

    def fully_connected(self, inputs: int, outputs: int) -> Floats:
        # Between the name and the tensor: how many go in and come out.
        return self._tensor(b"\x01\x04fc_2", inputs * outputs, skip=2).reshape(inputs, outputs)

    def _tensor(self, name: bytes, size: int, *, skip: int = 0) -> Floats:
        found = self._data.find(name, self._at)
        if found < 0:
            raise ModelError(f"dlib's file ends where {name[2:].decode()} is expected")
        numbers = self._integers(found + len(name))
        for _ in range(skip):
            next(numbers)
        version, *shape = (next(numbers) for _ in range(5))
        if version != _TENSOR_VERSION or np.prod(shape, dtype=np.int64) != size:
            raise ModelError(f"{name[2:].decode()} in dlib's file is not of the size that this network has")
        end = self._at + 4 * size
        if end > len(self._data):
            raise ModelError("dlib's file is cut short")
        values = np.frombuffer(self._data[self._at : end], dtype="<f4").astype(np.float32)
        self._at = end
        return values

    def _integers(self, at: int) -> Iterator[int]:
        """dlib's integers: a byte that counts the bytes that follow, smallest first."""
        while at + 9 < len(self._data):
            count = self._data[at]
            if not 1 <= count <= 8:
                raise ModelError("dlib's file has no number where one is expected")
            at += 1 + count
            self._at = at
            yield int.from_bytes(self._data[at - count : at], "little")
        raise ModelError("dlib's file is cut short")
