"""What a text reads like: a linear model over n-grams, run by onnxruntime, trained by `train`.

The file holds its vocabulary, the hashes of the n-grams that it has weights for; what else a text has counts
for nothing, but for how long the text is. Inputs: `features`, int64, (m,), places in the vocabulary;
`length`, float32, (1,), how many n-grams the text has. Outputs: `probabilities`, float32, (8,), sum 1, in the
order of `LABELS`; `vocabulary`, int32, (v,), the bits of the hashes, in their order.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models import cards, runtime
from models.card import Card
from models.chat.features import VERSION, hashes, known
from models.chat.labels import BENIGN, HARMFUL, LABELS
from models.chat.normal import Normal
from models.errors import ModelError

NAME = "chat-ngrams"


class Classifier:
    """Scores normal forms. One caller at a time; about 0.1 ms each."""

    def __init__(self, weights: Path, card: Card):
        """Raises `ModelError` when the weights are not those of the card, or were made for other features."""
        if card.number("features") != VERSION or card.parameters.get("labels") != LABELS:
            raise ModelError(f"card {card.name}: made for other features or labels than this program has")
        self._session = runtime.load(weights / card.file, card.sha256)
        nothing = {"features": np.empty(0, np.int64), "length": np.ones(1, np.float32)}
        (vocabulary,) = self._session.run(["vocabulary"], nothing)
        self._vocabulary = vocabulary.view(np.uint32)
        self.name, self.sha256 = card.name, card.sha256

    @classmethod
    def load(cls, weights: Path = cards.WEIGHTS) -> Classifier:
        """The one that ships. Raises `ModelError`."""
        card = cards.own().get(NAME)
        if card is None:
            raise ModelError(f"there is no card {NAME}")
        return cls(weights, card)

    def scores(self, form: Normal) -> dict[str, float]:
        """Category → 0 to 1. The likeliest harmful category has the probability that the text is not benign,
        the others proportionally less: an advert that may be two things is not half as certain for it."""
        found = hashes(form)
        given = {"features": known(found, self._vocabulary), "length": np.array([len(found)], np.float32)}
        (likely,) = self._session.run(["probabilities"], given)
        benign, *harmful = (float(value) for value in likely)
        highest = max(harmful)
        scale = (1.0 - benign) / highest if highest > 0 else 0.0
        return {BENIGN: benign} | {
            label: min(1.0, value * scale) for label, value in zip(HARMFUL, harmful, strict=True)
        }
