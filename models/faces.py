"""Faces in a picture: box, how sure, and five points (CenterFace, Xu et al. 2019), the largest first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import cards
from models.card import Card, Kind
from models.network import Network
from models.resize import Pixels, resize

MAX_FACES = 50
_MAX_CANDIDATES = 500  # of the map's cells, before those that overlap are left out
_GRID = 32  # pixels: what the network's sides are a multiple of
_CELL = 4  # pixels of each side for a cell of its answer

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Face:
    """One face. `box`: left, top, right, bottom in pixels. `score`: 0 to 1.

    `points`: (5, 2) x and y in pixels: eye, eye, tip of the nose, corner and corner of the mouth, each pair
    from left to right as seen in the picture.
    """

    box: tuple[float, float, float, float]
    score: float
    points: Points

    @property
    def size(self) -> float:
        """The longer side of the box, pixels."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)


class FaceFinder:
    """The network. Use by `load`."""

    def __init__(self, card: Card, folder: Path) -> None:
        self._network = Network(card, folder)
        self._longest = int(card.number("longest"))
        self._threshold, self._overlap = card.number("threshold"), card.number("overlap")
        self.hashes = {card.name: card.sha256}

    @classmethod
    def load(cls, folder: Path = cards.WEIGHTS) -> FaceFinder:
        """The project's own network, its weights in `folder`. Raises `ModelError`."""
        (card,) = cards.of_kind(cards.own(), Kind.FACE_DETECT)
        return cls(card, folder)

    def find(self, rgb: Pixels) -> list[Face]:
        """Faces in uint8 (H, W, 3) RGB, the largest first, at most `MAX_FACES`."""
        height, width = rgb.shape[:2]
        ratio = min(self._longest / max(height, width), 2.0)
        columns, rows = (max(_GRID, round(side * ratio / _GRID) * _GRID) for side in (width, height))
        heat, size, offset, points = self._network.run(self._network.tensor(resize(rgb, columns, rows)))
        found = self._faces(heat[0, 0], size[0], offset[0], points[0])
        found = [face for face in found if face.box[2] > face.box[0] and face.box[3] > face.box[1]]
        scale = np.array([width / columns, height / rows])
        bound = np.array([columns, rows])
        faces = [_scaled(face, scale, bound) for face in _apart(found, self._overlap)]
        return sorted(faces, key=lambda face: -face.size)[:MAX_FACES]

    def _faces(
        self,
        heat: NDArray[np.float32],
        size: NDArray[np.float32],
        offset: NDArray[np.float32],
        points: NDArray[np.float32],
    ) -> list[Face]:
        """Candidates in pixels of what the network saw, the likeliest first."""
        rows, columns = np.nonzero(heat > self._threshold)
        order = np.argsort(-heat[rows, columns], kind="stable")[:_MAX_CANDIDATES]
        faces = []
        for row, column in zip(rows[order], columns[order], strict=True):
            tall, wide = np.exp(np.minimum(size[:, row, column].astype(np.float64), 6)) * _CELL
            left = (column + float(offset[1, row, column]) + 0.5) * _CELL - wide / 2
            top = (row + float(offset[0, row, column]) + 0.5) * _CELL - tall / 2
            yx = points[:, row, column].astype(np.float64).reshape(5, 2)
            xy = np.stack([left + yx[:, 1] * wide, top + yx[:, 0] * tall], axis=1)
            box = (float(left), float(top), float(left + wide), float(top + tall))
            faces.append(Face(box, float(heat[row, column]), xy))
        return faces


def _apart(faces: list[Face], overlap: float) -> list[Face]:
    """Of faces that overlap by more than this share of both together only the first."""
    kept: list[Face] = []
    for face in faces:
        if all(_shared(face.box, other.box) < overlap for other in kept):
            kept.append(face)
    return kept


def _shared(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (areas - width * height)


def _scaled(face: Face, scale: Points, bound: Points) -> Face:
    """In pixels of the picture, the box held within it."""
    corners = np.clip(np.array(face.box).reshape(2, 2), 0, bound) * scale
    left, top, right, bottom = map(float, corners.ravel())
    return Face((left, top, right, bottom), face.score, face.points * scale)
