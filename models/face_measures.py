"""What a face's picture and its five points tell: the upright crop, how sharp it is, where it looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.faces import Face, Points
from models.resize import Pixels, Planes, pool

CHIP = 150  # pixels
BLURRED = 0.9  # from here on nobody would say whose face it is; a spread of 2 % of the face
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_HALF_BLURRED = 0.02  # what a spread of 1 % of the face leaves of the sharpness

# Where the five points are in dlib's face chips: the means of its 68 points, with a margin of a quarter.
_CHIP_POINTS: Points = np.array(
    [[0.2255, 0.2160], [0.7548, 0.2160], [0.4901, 0.5156], [0.2541, 0.7802], [0.7261, 0.7802]]
)
_CHIP_POINTS = (_CHIP_POINTS + 0.25) / 1.5 * CHIP
# A head's five points in millimetres: rightwards, down, towards the camera; 0 is between the eyes.
_HEAD: Points = np.array([[-31.5, 0, 0], [31.5, 0, 0], [0, 36, 27], [-25, 66, 4], [25, 66, 4]])


@dataclass(frozen=True, slots=True)
class Pose:
    """Degrees. `yaw`: the nose goes to the right of the picture; `pitch`: downwards; `roll`: clockwise."""

    yaw: float
    pitch: float
    roll: float


def chip(rgb: Pixels, face: Face) -> Planes:
    """The face upright and of one size: planes float32 (3, 150, 150), 0 to 255; beyond the edge is black."""
    turn, place = _similarity(_CHIP_POINTS, face.points)
    factor = max(1, int(np.hypot(*turn[:, 0])))  # so many of the picture's pixels are one of the chip's
    source = pool(rgb, factor, factor)
    rows, columns = np.mgrid[0:CHIP, 0:CHIP] + 0.5
    wanted = np.stack([columns.ravel(), rows.ravel()], axis=1) @ turn.T + place
    x, y = (wanted / factor - 0.5).T
    return _sampled(source, x, y).reshape(CHIP, CHIP, 3).transpose(2, 0, 1)


def blur(face: Planes) -> float:
    """0 (sharp) to 1 (blurred) for a face's chip: the Laplacian's variance over that of brightness."""
    luma = np.tensordot(_LUMA, face, axes=1)[20:-20, 20:-20]
    edges = 4 * luma[1:-1, 1:-1] - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]
    contrast = float(luma.var())
    if contrast < 1.0:  # a surface of one colour is no sharp picture of anything
        return 1.0
    sharpness = float(edges.var()) / contrast
    return 1 / (1 + sharpness / _HALF_BLURRED)


def pose(points: Points) -> Pose:
    """Where a head with these five points looks, seen from far away; right within about 10 degrees."""
    seen = points - points.mean(axis=0)
    head = _HEAD - _HEAD.mean(axis=0)
    rows = np.linalg.lstsq(head, seen, rcond=None)[
        0
    ].T  # what takes the head to the picture: two rows of a turn
    left, _, right = np.linalg.svd(rows)
    turn = left @ np.eye(2, 3) @ right
    ahead = np.cross(turn[0], turn[1])
    # The turn is one about the upright axis, then a bow, then a tilt in the picture; each is read off again.
    yaw = np.arctan2(-ahead[0], ahead[2])
    pitch = np.arcsin(np.clip(-ahead[1], -1, 1))
    roll = np.arctan2(-turn[0, 1], turn[1, 1])
    return Pose(*(float(np.degrees(angle)) for angle in (yaw, pitch, roll)))


def _similarity(source: Points, target: Points) -> tuple[Points, Points]:
    """(turn with scale, offset) that bring `source` nearest to `target` (Umeyama 1991), without mirroring."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    left, strength, right = np.linalg.svd((target - target_mean).T @ (source - source_mean))
    mirror = np.array([1.0, np.sign(np.linalg.det(left @ right))])
    scale = (strength * mirror).sum() / max(1e-9, ((source - source_mean) ** 2).sum())
    turn: Points = scale * (left * mirror) @ right
    return turn, target_mean - turn @ source_mean


def _sampled(source: Pixels | NDArray[np.float32], x: Points, y: Points) -> Planes:
    """Bilinear samples (N, 3) at places in pixels; outside is black."""
    height, width = source.shape[:2]
    left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    samples = np.zeros((len(x), 3), dtype=np.float32)
    for right in (0, 1):
        for below in (0, 1):
            column, row = left + right, top + below
            weight = (1 - np.abs(x - column)) * (1 - np.abs(y - row))
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            pixels = source[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
            samples += pixels * (weight * inside)[:, None].astype(np.float32)
    return samples
