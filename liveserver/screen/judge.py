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
from models.chat.lexicon import Lexicon, parse
from models.chat.screen import ChatScreen
from models.frames import FrameModels
from models.text import TextReader

LABELLED_FROM = 0.25  # a score below names no line


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


class Words(Protocol):
    """What a line's words are: category → 0 to 1; why, for a person; by which models and lists (SHA-256)."""

    @property
    def scores(self) -> Mapping[str, float]: ...

    @property
    def why(self) -> tuple[str, ...]: ...

    @property
    def models(self) -> Mapping[str, str]: ...

    @property
    def lists(self) -> Mapping[str, str]: ...


class Censor(Protocol):
    """Says what a line of text is."""

    def screen(self, text: str) -> Words: ...

    def replace_list(self, name: str, lexicon: Lexicon) -> None: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """A line with what its words are."""

    line: Line
    words: Words


class Judge:
    """All the models of a process; `reader` or `censor` None: text is not read."""

    def __init__(self, frames: FrameModels, reader: Reader | None = None, censor: Censor | None = None):
        self._frames = frames
        self._reader = reader
        self._censor = censor

    @classmethod
    def load(cls, folder: Path | None) -> Judge:
        """The project's models and those of the cards in the operator's `folder`. Raises `ModelError`."""
        return cls(FrameModels.load(folder), TextReader.load(), ChatScreen.load())

    @property
    def hashes(self) -> Mapping[str, str]:
        """Name → SHA-256 of the models that score pictures."""
        return self._frames.hashes

    @property
    def reads(self) -> bool:
        """Whether there is anything that reads text."""
        return self._reader is not None and self._censor is not None

    @property
    def reader_hashes(self) -> Mapping[str, str]:
        """Name → SHA-256 of the models that read."""
        return self._reader.hashes if self._reader is not None else {}

    def use_list(self, name: str, data: bytes) -> None:
        """From the next line on, these rows are the list of that name; wrong rows are left out."""
        if self._censor is not None:
            entries, _ = parse(data)
            self._censor.replace_list(name, Lexicon(name, entries))

    def picture(self, rgb: Pixels) -> dict[str, float]:
        """Category → 0 to 1 for uint8 (H, W, 3)."""
        return self._frames.score(rgb)

    def text(self, rgb: Pixels) -> Iterator[Judged]:
        """Line after line: each step takes some milliseconds, the first up to half a second."""
        assert self._reader is not None and self._censor is not None
        for read in islice(self._reader.lines(rgb), MAX_LINES):
            words = self._censor.screen(read.text)
            label, score = _named(words.scores)
            yield Judged(Line(read.text, read.box, label, score), words)


def _named(scores: Mapping[str, float]) -> tuple[Category, float]:
    """The category that a line is marked with."""
    harmful = {name: score for name, score in scores.items() if name != Category.BENIGN}
    name = max(harmful, key=lambda one: harmful[one], default=Category.BENIGN)
    score = scores.get(name, 0.0)
    return (Category(name), score) if score >= LABELLED_FROM else (Category.BENIGN, score)
