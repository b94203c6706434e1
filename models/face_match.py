"""Is it the same person? dlib's descriptor: 128 numbers of a face, near each other for one person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import cards
from models.cards import Card, Kind
from models.network import Network
from models.resize import Planes

Descriptor = NDArray[np.float32]


class FaceMatcher:
    """The network and its thresholds. Use by `load`."""

    def __init__(self, card: Card, folder: Path) -> None:
        self._network = Network(card, folder)
        self.same_below, self.sure_below = card.number("same_below"), card.number("sure_below")
        self.hashes = {card.name: card.sha256}

    @classmethod
    def load(cls, folder: Path = cards.WEIGHTS) -> FaceMatcher:
        """The project's own network, its weights in `folder`. Raises `ModelError`."""
        (card,) = cards.of_kind(cards.own(), Kind.FACE_MATCH)
        return cls(card, folder)

    def descriptor(self, chip: Planes) -> Descriptor:
        """(128,) of a face's chip (`face_measures.chip`), the mean of it and its mirror image."""
        both = [self._network.run(self._network.tensor(view))[0][0] for view in (chip, chip[:, :, ::-1])]
        mean: Descriptor = np.mean(both, axis=0)
        return mean

    def is_same(self, distance: float) -> bool:
        """Whether two faces so far apart count as one person's."""
        return distance < self.same_below


def distance(one: Descriptor, other: Descriptor) -> float:
    """Euclidean: 0 for one photo, about 0.4 for one person, about 0.8 for two."""
    return float(np.linalg.norm(one - other))
