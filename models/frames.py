"""What a picture of a lesson shows: scores of unwanted categories by one or more models.

The project's own model knows pornography alone. Whatever else (violence, weapons, gambling) is a model of the
operator's: an ONNX file and a card of kind `frame` in his folder, which says what goes in and which number of
the answer is which category.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from models import cards
from models.card import Card, Kind, Picture
from models.errors import ModelError
from models.jpeg_trip import jpeg_trip
from models.network import Network
from models.resize import Pixels, Planes, resize

MAX_MODELS = 8  # each has its time on every picture


class FrameModel:
    """One model with its card. Raises `ModelError` when the two do not fit."""

    def __init__(self, card: Card, folder: Path) -> None:
        self.card = card
        self._network = Network(card, folder)
        if not self._network.picture.width or not self._network.picture.height or not card.outputs:
            raise ModelError(f"card {card.name}: a picture's width and height and an [[output]] are expected")
        self.score(np.zeros((64, 64, 3), dtype=np.uint8))  # does it run, and is there each output?

    def score(self, rgb: Pixels) -> dict[str, float]:
        """Category → 0 to 1 for uint8 (H, W, 3). Raises `ModelError` for a model that answers no number."""
        answer = self._network.run(self._network.tensor(prepared(rgb, self._network.picture)))[0]
        numbers = np.asarray(answer, dtype=np.float64).ravel()
        scores: dict[str, float] = {}
        for output in self.card.outputs:
            if output.index >= len(numbers):
                raise ModelError(
                    f"{self.card.name}: answers {len(numbers)} numbers, not number {output.index}"
                )
            number = float(numbers[output.index]) * output.gain + output.offset
            if not np.isfinite(number):
                raise ModelError(f"{self.card.name}: its answer is no number")
            score = min(1.0, max(0.0, number))
            scores[output.category] = max(score, scores.get(output.category, 0.0))
        return scores


class FrameModels:
    """All models that look at pictures, one after the other."""

    def __init__(self, loaded: Sequence[FrameModel]) -> None:
        if len(loaded) > MAX_MODELS:
            raise ModelError(f"{len(loaded)} models for pictures; at most {MAX_MODELS} are used")
        self._models = tuple(loaded)

    @classmethod
    def load(cls, folder: Path | None = None) -> FrameModels:
        """The project's own model, and those of the cards in the operator's `folder`. Raises `ModelError`."""
        loaded = [FrameModel(card, cards.WEIGHTS) for card in cards.of_kind(cards.own(), Kind.FRAME)]
        if folder is not None:
            further = cards.of_kind(cards.folder(folder), Kind.FRAME)
            loaded += [FrameModel(card, folder) for card in further]
        return cls(loaded)

    @property
    def hashes(self) -> Mapping[str, str]:
        """Name → SHA-256 of the weights, for the receipt."""
        return {model.card.name: model.card.sha256 for model in self._models}

    @property
    def categories(self) -> tuple[str, ...]:
        """What these models can find at all."""
        return tuple(sorted({output.category for model in self._models for output in model.card.outputs}))

    def score(self, rgb: Pixels) -> dict[str, float]:
        """Category → 0 to 1 for uint8 (H, W, 3) RGB, of several models the highest. Raises `ModelError`."""
        scores: dict[str, float] = {}
        for model in self._models:
            for category, score in model.score(rgb).items():
                scores[category] = max(score, scores.get(category, 0.0))
        return scores


def prepared(rgb: Pixels, picture: Picture) -> Planes:
    """(H, W, 3) as planes of the card's size, made to look as in training, cropped to the middle."""
    planes = resize(rgb, picture.width, picture.height)
    if picture.jpeg:
        planes = jpeg_trip(planes, picture.jpeg)
    near, far = picture.crop // 2, picture.crop - picture.crop // 2
    return planes[:, near : picture.height - far, near : picture.width - far]
