"""From a map of how likely each pixel is text to boxes around lines of text (the second half of DB,
Liao et al. 2020). Pure, with numpy alone: runs of pixels, joined where they touch, then moments and extents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STEEP_RAD = 0.05  # 3 degrees: what is less level than that is read along its own direction
_LONG = 3.0  # so much longer than high has a direction
_LEAST_PX = 3.0  # a box's shorter side, before it is widened

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TextBox:
    """A rectangle around a line: centre, size (pixels), direction of its long side (radians, 0 is level)."""

    x: float
    y: float
    width: float
    height: float
    angle: float
    score: float

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the upright rectangle around it."""
        cos, sin = abs(np.cos(self.angle)), abs(np.sin(self.angle))
        half_x = (self.width * cos + self.height * sin) / 2
        half_y = (self.width * sin + self.height * cos) / 2
        return self.x - half_x, self.y - half_y, self.x + half_x, self.y + half_y


@dataclass(frozen=True, slots=True)
class _Runs:
    """Neighbours in a row: from column `first` to `last`, and to which component they belong."""

    row: Ints
    first: Ints
    last: Ints
    label: Ints
    count: int

    def summed(self, values: Floats) -> Floats:
        """Of a number for each run the sum for each label."""
        sums: Floats = np.bincount(self.label, weights=values, minlength=self.count).astype(np.float64)
        return sums


def text_boxes(likely: NDArray[np.float32], *, pixel: float, box: float, widen: float) -> list[TextBox]:
    """Boxes in a map float32 (H, W) of 0 to 1, in no order.

    `pixel`: from this likelihood on a pixel is text. `box`: the least mean of what is kept. `widen`: the
    network marks only a line's core; area times this, divided by the perimeter, is added on each side.
    """
    mask = likely > pixel
    mask[1:] |= mask[:-1]  # joins strokes that all but touch
    mask[:, 1:] |= mask[:, :-1]
    runs = _components(mask)
    if not runs.count:
        return []
    before = np.concatenate([[0.0], np.cumsum(likely, dtype=np.float64)])
    at = runs.row * likely.shape[1]
    pixels = (runs.last - runs.first + 1).astype(np.float64)
    area = runs.summed(pixels)
    score = runs.summed(before[at + runs.last + 1] - before[at + runs.first]) / area
    angle = _angles(runs, pixels, area)
    return [found for found in _rectangles(runs, angle, score, widen) if found.score >= box]


def _components(mask: NDArray[np.bool_]) -> _Runs:
    """Runs of a mask, with one label for those that touch, corners included."""
    width = mask.shape[1] + 2
    padded = np.zeros((mask.shape[0], width), dtype=np.int8)
    padded[:, 1:-1] = mask
    edges = np.diff(padded.ravel())
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)  # in padded places; first to last
    # A run touches those of the next row that end no earlier and start no later than it does, by one pixel.
    low = np.searchsorted(ends, starts + width, side="left")
    high = np.searchsorted(starts, ends + width, side="right")
    touching = np.maximum(high - low, 0)
    upper = np.repeat(np.arange(len(starts)), touching)
    lower = (
        np.arange(len(upper)) - np.repeat(np.cumsum(touching) - touching, touching) + np.repeat(low, touching)
    )
    label = _joined(len(starts), upper, lower)
    names, label = np.unique(label, return_inverse=True)
    row = starts // width
    return _Runs(row, starts - row * width, ends - row * width - 1, label, len(names))


def _joined(count: int, one: Ints, other: Ints) -> Ints:
    """For each of `count` the smallest that it is linked with, directly or by others."""
    label = np.arange(count)
    while True:
        least = np.minimum(label[one], label[other])
        before = label.copy()
        for ends in (label[one], label[other], one, other):
            np.minimum.at(label, ends, least)
        label = label[label]
        if np.array_equal(label, before):
            return label


def _angles(runs: _Runs, pixels: Floats, area: Floats) -> Floats:
    """The direction of each component by its moments of second order; 0 for what is level or has none."""
    middle = (runs.first + runs.last) / 2
    x = runs.summed(middle * pixels) / area
    y = runs.summed(runs.row * pixels) / area
    across, down = middle - x[runs.label], runs.row - y[runs.label]
    xx = runs.summed(pixels * (across**2 + (pixels**2 - 1) / 12)) / area
    yy = runs.summed(pixels * down**2) / area + 1 / 12
    xy = runs.summed(pixels * across * down) / area
    angle = np.arctan2(2 * xy, xx - yy) / 2
    spread = np.hypot(xx - yy, 2 * xy)
    long = xx + yy + spread > _LONG**2 * (xx + yy - spread)
    level = np.abs(np.sin(2 * angle)) < np.sin(2 * _STEEP_RAD)  # or upright
    return np.where(long & ~level, angle, 0.0)


def _rectangles(runs: _Runs, angle: Floats, score: Floats, widen: float) -> list[TextBox]:
    cos, sin = np.cos(angle), np.sin(angle)
    low = np.full((2, runs.count), np.inf)
    high = np.full((2, runs.count), -np.inf)
    for column in (runs.first, runs.last):
        along = column * cos[runs.label] + runs.row * sin[runs.label]
        across = runs.row * cos[runs.label] - column * sin[runs.label]
        for axis, place in enumerate((along, across)):
            np.minimum.at(low[axis], runs.label, place)
            np.maximum.at(high[axis], runs.label, place)
    size = high - low + 1
    centre = (high + low + 1) / 2  # of pixels, whose own centres are half a pixel in
    found = []
    for index in np.flatnonzero(size.min(axis=0) >= _LEAST_PX):
        width, height = size[:, index]
        more = width * height * widen / (width + height)  # both sides; the perimeter is twice the sum
        x = centre[0, index] * cos[index] - centre[1, index] * sin[index]
        y = centre[0, index] * sin[index] + centre[1, index] * cos[index]
        sides = float(width + more), float(height + more)
        found.append(TextBox(float(x), float(y), *sides, float(angle[index]), float(score[index])))
    return found
