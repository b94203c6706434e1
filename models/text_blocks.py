"""Which lines of text in a picture belong together, by where they stand. Pure.

An advert is often written over two or three lines, none of which says enough. Boxes side by side make a row;
rows of much the same height, one close below the other, make a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""

WINDOW = 3
"""Rows that are read as one, at most."""
MAX_WINDOWS = 128
_SAME_ROW = 0.5  # of the lower box's height that both share
_BESIDE = 2.0  # heights between two boxes of a row
_BELOW = 1.2  # heights between two rows of a block: more than the leading of a slide
_OVER = 0.4  # heights that their boxes may overlap
_ALIKE = 1.6  # times as high is another size of letters, as a heading's
_SHARED = 0.3  # of the narrower row's width that the other has above or below it


def windows(boxes: Sequence[Box]) -> list[tuple[int, ...]]:
    """Which boxes (by their numbers, two at least, in reading order) may be one sentence: up to `WINDOW` rows
    of a block one after the other. The shorter windows first, `MAX_WINDOWS` at most."""
    rows = _rows(boxes)
    spans = [_around(boxes[number] for number in row) for row in rows]
    follows = [_next_row(spans, place) for place in range(len(rows))]
    found = dict.fromkeys(
        tuple(number for place in chain for number in rows[place])
        for length in range(1, WINDOW + 1)
        for chain in _chains(follows, length)
    )
    return [window for window in found if len(window) > 1][:MAX_WINDOWS]


def _rows(boxes: Sequence[Box]) -> list[list[int]]:
    """Numbers of boxes by rows, each from left to right, the highest row first."""
    rows: list[list[int]] = []
    for number in sorted(range(len(boxes)), key=lambda one: (boxes[one][0], boxes[one][1])):
        row = next((row for row in rows if _is_beside(boxes[row[-1]], boxes[number])), None)
        if row is None:
            rows.append([number])
        else:
            row.append(number)
    return sorted(rows, key=lambda row: (boxes[row[0]][1], boxes[row[0]][0]))


def _is_beside(left: Box, right: Box) -> bool:
    lower = min(_height(left), _height(right))
    shared = min(left[3], right[3]) - max(left[1], right[1])
    gap = right[0] - left[2]
    return _is_alike(left, right) and shared >= _SAME_ROW * lower and -lower <= gap <= _BESIDE * lower


def _next_row(spans: Sequence[Box], place: int) -> int | None:
    """The row that is read after this one: the nearest below it in the same block."""
    below = [other for other in range(len(spans)) if other != place and _is_below(spans[place], spans[other])]
    return min(
        below, key=lambda other: (spans[other][1], abs(spans[other][0] - spans[place][0])), default=None
    )


def _is_below(upper: Box, lower: Box) -> bool:
    height = min(_height(upper), _height(lower))
    gap = lower[1] - upper[3]
    shared = min(upper[2], lower[2]) - max(upper[0], lower[0])
    narrow = min(upper[2] - upper[0], lower[2] - lower[0])
    is_near = lower[1] > upper[1] and -_OVER * height <= gap <= _BELOW * height
    return is_near and _is_alike(upper, lower) and shared >= _SHARED * narrow


def _is_alike(one: Box, other: Box) -> bool:
    return max(_height(one), _height(other)) <= _ALIKE * min(_height(one), _height(other))


def _chains(follows: Sequence[int | None], length: int) -> Iterator[list[int]]:
    """From each row on, so many rows one after the other."""
    for start in range(len(follows)):
        chain: list[int] = []
        place: int | None = start
        while place is not None and len(chain) < length:
            chain.append(place)
            place = follows[place]
        if len(chain) == length:
            yield chain


def _around(boxes: Iterable[Box]) -> Box:
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _height(box: Box) -> int:
    return max(1, box[3] - box[1])
