"""Is it the same person? dlib's descriptor: 128 numbers of a face, near each other for one person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import cards
from models.card import Card, Kind
from models.errors import ModelError
from models.network import Network
from models.resize import Planes

SIZE = 128
Descriptor = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Distances below which two faces count as one person's: `same` at all, `sure` without a second look."""

    same: float
    sure: float


class FaceMatcher:
    """The network. Use by `load`."""

    def __init__(self, card: Card, folder: Path) -> None:
        self._network = Network(card, folder)
        self.hashes = {card.name: card.sha256}

    @classmethod
    def load(cls, folder: Path = cards.WEIGHTS) -> FaceMatcher:
        """The project's own network, its weights in `folder`. Raises `ModelError`."""
        return cls(_card(), folder)

    def descriptor(self, chip: Planes) -> Descriptor:
        """(128,) of a face's chip (`face_measures.chip`), the mean of it and its mirror image."""
        both = [self._network.run(self._network.tensor(view))[0][0] for view in (chip, chip[:, :, ::-1])]
        mean: Descriptor = np.mean(both, axis=0)
        return mean


def thresholds() -> Thresholds:
    """Those of the card."""
    card = _card()
    return Thresholds(card.number("same_below"), card.number("sure_below"))


def distance(one: Descriptor, other: Descriptor) -> float:
    """Euclidean: 0 for one photo, about 0.4 for one person, about 0.8 for two."""
    return float(np.linalg.norm(one - other))


def to_bytes(descriptor: Descriptor) -> bytes:
    """512 bytes: big-endian floats."""
    return descriptor.astype(">f4").tobytes()


def from_bytes(data: bytes) -> Descriptor:
    """What `to_bytes` wrote. Raises `ModelError`."""
    if len(data) != 4 * SIZE:
        raise ModelError(f"a descriptor has {4 * SIZE} bytes, not {len(data)}")
    return np.frombuffer(data, dtype=">f4").astype(np.float32)


def _card() -> Card:
    (card,) = cards.of_kind(cards.own(), Kind.FACE_MATCH)
    return card
