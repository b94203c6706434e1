"""Text in a picture: where its lines are, and what they say. Chinese and English, print rather than hand.

PP-OCR's two networks: the first marks where text is (`text_boxes` makes rectangles of it), the second reads
one line at a time. Lines of any direction are read, on their heads too; letters in a mirror are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import cards
from models.card import Card, Kind
from models.errors import ModelError
from models.network import Network
from models.resize import Pixels, Planes, resize
from models.text_boxes import TextBox, text_boxes

MAX_PIXELS = 4096 * 4096
MAX_LINES = 200  # the largest of a picture; what is smaller than so many others hardly anybody reads
_GRID = 32  # pixels: what the first network's sides are a multiple of
_TALL = 1.5  # so much higher than wide is read from top to bottom


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line. `box`: left, top, right, bottom in pixels of the picture. `score`: 0 to 1, how sure of it."""

    text: str
    box: tuple[int, int, int, int]
    score: float


class TextReader:
    """Both networks. Use by `load`."""

    def __init__(self, detect: Card, read: Card, folder: Path) -> None:
        self._detector, self._reader = Network(detect, folder), Network(read, folder)
        self._characters = _characters(self._reader)
        self._longest = int(detect.number("longest"))
        self._pixel, self._box = detect.number("pixel_threshold"), detect.number("box_threshold")
        self._widen = detect.number("widen")
        self._likely, self._sure = read.number("threshold"), read.number("sure")
        self._max_columns = int(read.number("max_columns"))
        self.hashes = {card.name: card.sha256 for card in (detect, read)}

    @classmethod
    def load(cls, folder: Path = cards.WEIGHTS) -> TextReader:
        """The project's own networks, their weights in `folder`. Raises `ModelError`."""
        own = cards.own()
        (detect,), (read,) = (cards.of_kind(own, kind) for kind in (Kind.TEXT_DETECT, Kind.TEXT_READ))
        return cls(detect, read, folder)

    def read(self, rgb: Pixels) -> list[TextLine]:
        """All lines in uint8 (H, W, 3) RGB, from top to bottom. Raises `ModelError`."""
        return sorted(self.lines(rgb), key=lambda line: (line.box[1], line.box[0]))

    def lines(self, rgb: Pixels) -> Iterator[TextLine]:
        """Line after line, the largest letters first, so that whoever has little time can stop in between.

        What is read of one picture is bounded: `MAX_LINES`, and for all together the card's `max_columns`.
        """
        if rgb.shape[0] * rgb.shape[1] > MAX_PIXELS:
            raise ModelError(f"a picture of more than {MAX_PIXELS} pixels is not read")
        left = self._max_columns
        for box in self._boxes(rgb)[:MAX_LINES]:
            letters = self._letters(rgb, box)
            left -= letters.shape[2]
            if left < 0:
                return
            text, score = self._text(letters)
            if score < self._sure:  # it may stand on its head
                left -= letters.shape[2]
                text, score = max((text, score), self._text(letters[:, ::-1, ::-1]), key=lambda read: read[1])
            if text and score >= self._likely:
                yield TextLine(text, _within(box, rgb), score)

    def _boxes(self, rgb: Pixels) -> list[TextBox]:
        """Boxes in the picture's own pixels, those with the largest letters first."""
        height, width = rgb.shape[:2]
        ratio = min(self._longest / max(height, width), 2.0)
        columns, rows = (max(_GRID, round(side * ratio / _GRID) * _GRID) for side in (width, height))
        likely = self._detector.run(self._detector.tensor(resize(rgb, columns, rows)))[0][0, 0]
        found = text_boxes(likely, pixel=self._pixel, box=self._box, widen=self._widen)
        x, y = width / columns, height / rows
        scaled = [
            TextBox(b.x * x, b.y * y, b.width * x, b.height * y, b.angle, b.score) for b in found
        ]  # the two differ by less than a cell of the grid, so angles stay
        return sorted(scaled, key=lambda box: -min(box.width, box.height))

    def _letters(self, rgb: Pixels, box: TextBox) -> Planes:
        """A line as the second network takes it: (3, height, columns)."""
        crop = _level(rgb, box) if box.angle else _slice(rgb, box)
        if crop.shape[0] >= _TALL * crop.shape[1]:
            crop = np.rot90(crop)
        height = self._reader.picture.height
        columns = min(self._max_columns, max(8, round(height * crop.shape[1] / crop.shape[0] / 8) * 8))
        return resize(crop, columns, height)

    def _text(self, letters: Planes) -> tuple[str, float]:
        """CTC: the likeliest character of each step, once if repeated, no blanks (0); and their mean."""
        steps: NDArray[np.float32] = self._reader.run(self._reader.tensor(letters))[0][0]
        best = steps.argmax(axis=1)
        kept = (best != 0) & np.concatenate([[True], best[1:] != best[:-1]])
        if not kept.any():
            return "", 0.0
        text = "".join(self._characters[index] for index in best[kept]).strip()
        return text, float(steps.max(axis=1)[kept].mean())


def _characters(reader: Network) -> list[str]:
    """By the numbers of the answer: blank, those that the model's own metadata lists, space."""
    listed = reader.metadata("character").splitlines()
    if not listed:
        raise ModelError(f"{reader.card.name}: the model does not list its characters")
    return ["", *listed, " "]


def _slice(rgb: Pixels, box: TextBox) -> Pixels:
    left, top, right, bottom = _within(box, rgb)
    return rgb[top:bottom, left:right]


def _within(box: TextBox, rgb: Pixels) -> tuple[int, int, int, int]:
    """The box's bounds in whole pixels of the picture; at least one."""
    left, top, right, bottom = box.bounds()
    height, width = rgb.shape[:2]
    x, y = min(max(0, round(left)), width - 1), min(max(0, round(top)), height - 1)
    return x, y, min(max(x + 1, round(right)), width), min(max(y + 1, round(bottom)), height)


def _level(rgb: Pixels, box: TextBox) -> Pixels:
    """The box turned level, uint8; what lies outside the picture repeats its edge."""
    cos, sin = np.cos(box.angle), np.sin(box.angle)
    along = np.arange(max(1, round(box.width))) + 0.5 - box.width / 2
    across = (np.arange(max(1, round(box.height))) + 0.5 - box.height / 2)[:, None]
    x = box.x + along * cos - across * sin - 0.5
    y = box.y + along * sin + across * cos - 0.5
    x, y = np.clip(x, 0, rgb.shape[1] - 1), np.clip(y, 0, rgb.shape[0] - 1)
    left, top = x.astype(np.intp), y.astype(np.intp)
    right, below = np.minimum(left + 1, rgb.shape[1] - 1), np.minimum(top + 1, rgb.shape[0] - 1)
    x_part, y_part = (x - left)[:, :, None], (y - top)[:, :, None]
    upper = rgb[top, left] * (1 - x_part) + rgb[top, right] * x_part
    lower = rgb[below, left] * (1 - x_part) + rgb[below, right] * x_part
    level: Pixels = (upper * (1 - y_part) + lower * y_part + 0.5).astype(np.uint8)
    return level
