"""Texts that people type or show: chat lines, names, quiz texts, file names, lines read from a picture.

A text is brought to its normal form, then looked up in the lists and scored by the classifier. A category's
score is the higher of the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.chat.labels import BENIGN, HARMFUL
from models.chat.lexicon import Hit, Lexicon, by_name, parse
from models.chat.normal import Normal, normal
from models.errors import ModelError

HERE = Path(__file__).parent
SHIPPED = "shipped"
"""The name of the list that comes with the product."""
MAX_CHARACTERS = 8192
"""Of a longer text the first and the last half of this are looked at; the server takes 500 in a chat line."""
_MAX_WORDS = 4
"""So many of the words that were found are named."""


@dataclass(frozen=True, slots=True)
class ChatFinding:
    """What one text gave. `scores`: category → 0 to 1, `benign` among them; what is not there is 0.

    `why`: what led to it, for a person. `models`: name → SHA-256 (hex); `lists`: name → version.
    """

    scores: Mapping[str, float]
    why: tuple[str, ...]
    models: Mapping[str, str]
    lists: Mapping[str, str]


class ChatScreen:
    """Scores texts, on the caller's thread. One caller at a time."""

    def __init__(self, lists: Iterable[Lexicon]):
        self._lists = dict(by_name(lists))

    @classmethod
    def load(cls, folder: Path = HERE, lists: Iterable[Lexicon] = ()) -> ChatScreen:
        """The list that ships (in `folder`) and others beside it. Raises `ModelError`."""
        path = folder / "lexicon.tsv"
        try:
            entries, errors = parse(path.read_bytes())
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
        if errors:
            raise ModelError(f"{path}:{errors[0].row}: {errors[0].detail}")
        return cls([Lexicon(SHIPPED, entries), *lists])

    def replace_list(self, name: str, lexicon: Lexicon) -> None:
        """From the next text on `lexicon` is the list `name`, which may be a new one."""
        self._lists[name] = lexicon

    def screen(self, text: str) -> ChatFinding:
        """What `text` may be. Never raises; an empty text is benign."""
        form = normal(_held(text))
        hits = [hit for lexicon in self._lists.values() for hit in lexicon.search(form)]
        scores = dict.fromkeys(HARMFUL, 0.0)
        for hit in hits:
            scores[hit.entry.category] = max(scores.get(hit.entry.category, 0.0), hit.score)
        return ChatFinding(
            scores={BENIGN: 1.0 - max(scores.values())} | scores,
            why=_why(hits, form),
            models={},
            lists={name: lexicon.version for name, lexicon in self._lists.items()},
        )


def _held(text: str) -> str:
    """`text`, or of a long one its beginning and its end."""
    if len(text) <= MAX_CHARACTERS:
        return text
    half = MAX_CHARACTERS // 2
    return f"{text[:half]} {text[-half:]}"


def _why(hits: list[Hit], form: Normal) -> tuple[str, ...]:
    ranked = sorted(hits, key=lambda hit: -hit.score)[:_MAX_WORDS]
    words = [f"{'sounds like' if hit.heard else 'word'} {hit.entry.word}" for hit in ranked]
    return (*words, *(sorted(sign.name.lower() for sign in form.signs) if words else ()))
