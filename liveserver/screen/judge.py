"""What the models say of a picture and of the text in it. Loaded once, before the process is confined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Protocol

from liveserver.core.screening import Line
from liveserver.screen.images import Pixels
from liveserver.screen.lines import Censor, Judged, judged, together
from liveserver.screen.wire import MAX_LINES
from models.chat.lexicon import Lexicon, parse
from models.chat.screen import ChatScreen
from models.frames import FrameModels
from models.text import TextReader


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
        """Line after line: each step takes some milliseconds, the first up to half a second. In the end those
        that say more together than alone, as an advert over two lines: once more, with what they say so."""
        assert self._reader is not None and self._censor is not None
        alone: list[Judged] = []
        for read in islice(self._reader.lines(rgb), MAX_LINES):
            alone.append(judged([Line(read.text, read.box)], self._censor.screen(read.text)))
            yield alone[-1]
        lines = [line for one in alone for line in one.lines]
        yield from together(lines, self._censor)
