"""What lines of text in a picture are, each alone and neighbours together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from liveserver.core.screening import Category, Line, TextFinding
from models.chat.lexicon import Lexicon
from models.text_blocks import windows

LABELLED_FROM = 0.25  # a score below names no line
_MORE = 0.1  # by so much lines together have to be worse than the worst of them alone


class Censor(Protocol):
    """Says what a line of text is."""

    def screen(self, text: str) -> TextFinding: ...

    def replace_list(self, name: str, lexicon: Lexicon) -> None: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """What the words of a line are, or of neighbouring lines together; each line is marked with it."""

    lines: tuple[Line, ...]
    words: TextFinding


def judged(lines: Sequence[Line], words: TextFinding) -> Judged:
    """The lines, marked with what `words` says of them."""
    label, score = _named(words.scores)
    return Judged(tuple(Line(line.text, line.box, label, score) for line in lines), words)


def together(lines: Sequence[Line], censor: Censor) -> Iterator[Judged]:
    """Neighbours that are worse when read as one. `lines`: each marked with what it is alone."""
    known = [line.score for line in lines]
    for window in windows([line.box for line in lines]):
        parts = [lines[number] for number in window]
        found = judged(parts, censor.screen(" ".join(line.text for line in parts)))
        first = found.lines[0]
        if first.label is Category.BENIGN or first.score < max(known[number] for number in window) + _MORE:
            continue
        for number in window:
            known[number] = max(known[number], first.score)
        yield found


def _named(scores: Mapping[str, float]) -> tuple[Category, float]:
    """The category that a line is marked with."""
    harmful = {name: score for name, score in scores.items() if name != Category.BENIGN}
    name = max(harmful, key=lambda one: harmful[one], default=Category.BENIGN)
    score = scores.get(name, 0.0)
    return (Category(name), score) if score >= LABELLED_FROM else (Category.BENIGN, score)
