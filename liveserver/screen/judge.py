"""What the models say of a picture and of the text in it. Loaded once, before the process is confined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from liveserver.core.screening import Category, Line
from liveserver.screen.images import Pixels
from liveserver.screen.wire import MAX_LINES
from models.frames import FrameModels


class Read(Protocol):
    """One line of text in a picture; `box`: left, top, right, bottom in pixels."""

    @property
    def text(self) -> str: ...

    @property
    def box(self) -> tuple[int, int, int, int]: ...


class Reader(Protocol):
    """Reads the text in a picture, line after line."""

    @property
    def hashes(self) -> Mapping[str, str]: ...

    def lines(self, rgb: Pixels) -> Iterator[Read]: ...


class Censor(Protocol):
    """Says what a line of text is: a category, how surely (0 to 1), and why, for a person."""

    @property
    def hashes(self) -> Mapping[str, str]: ...

    def words(self, text: str) -> tuple[Category, float, tuple[str, ...]]: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """A line with what its words are."""

    line: Line
    why: tuple[str, ...]


class Judge:
    """All the models of a process; `reader` or `censor` None: text is not read."""

    def __init__(self, frames: FrameModels, reader: Reader | None = None, censor: Censor | None = None):
        self._frames = frames
        self._reader = reader
        self._censor = censor

    @classmethod
    def load(cls, folder: Path | None) -> Judge:
        """The project's models and those of the cards in the operator's `folder`. Raises `ModelError`."""
        return cls(FrameModels.load(folder))

    @property
    def hashes(self) -> Mapping[str, str]:
        """Name → SHA-256 of the models that score pictures."""
        return self._frames.hashes

    @property
    def text_hashes(self) -> Mapping[str, str]:
        """The same of those that read text and judge it."""
        parts = (part.hashes for part in (self._reader, self._censor) if part is not None)
        return {name: digest for hashes in parts for name, digest in hashes.items()}

    @property
    def reads(self) -> bool:
        """Whether there is anything that reads text."""
        return self._reader is not None and self._censor is not None

    def picture(self, rgb: Pixels) -> dict[str, float]:
        """Category → 0 to 1 for uint8 (H, W, 3)."""
        return self._frames.score(rgb)

    def text(self, rgb: Pixels) -> Iterator[Judged]:
        """Line after line: each step takes some milliseconds, the first up to half a second."""
        assert self._reader is not None and self._censor is not None
        for read in islice(self._reader.lines(rgb), MAX_LINES):
            label, score, why = self._censor.words(read.text)
            yield Judged(Line(read.text, read.box, label, score), why)
