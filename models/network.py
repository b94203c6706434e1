"""A model that takes a picture: its card, its session, and the way from pixels to its tensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import runtime
from models.card import Card
from models.errors import ModelError
from models.resize import Planes


class Network:
    """One loaded model. Raises `ModelError` when its card has no [picture] or `runtime.load` refuses it."""

    def __init__(self, card: Card, folder: Path) -> None:
        if card.picture is None:
            raise ModelError(f"card {card.name}: [picture] is missing")
        self.card = card
        self.picture = card.picture
        self._session = runtime.load(folder / card.file, card.sha256)
        self._input = self._session.get_inputs()[0].name
        self._mean = np.array(self.picture.mean, dtype=np.float32)[:, None, None]
        self._scale = np.array(self.picture.scale, dtype=np.float32)[:, None, None]

    def tensor(self, planes: Planes) -> NDArray[np.float32]:
        """Planes (3, h, w) RGB of 0 to 255 as the card says: (1, 3, h, w) or (1, h, w, 3)."""
        ordered = planes[::-1] if self.picture.colour == "BGR" else planes
        tensor: NDArray[np.float32] = ((ordered - self._mean) * self._scale)[None]
        return np.ascontiguousarray(tensor.transpose(0, 2, 3, 1)) if self.picture.layout == "NHWC" else tensor

    def run(self, tensor: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The model's answers. Raises `ModelError` when it does not run on this tensor."""
        try:
            answers: list[NDArray[np.float32]] = self._session.run(None, {self._input: tensor})
        except Exception as error:  # onnxruntime's own exceptions have no common class but this
            raise ModelError(f"{self.card.name}: does not run ({type(error).__name__})") from error
        return answers

    def metadata(self, key: str) -> str:
        """What the model's file itself says under a name, or nothing."""
        said: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return said.get(key, "")
