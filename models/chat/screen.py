"""Texts that people type or show: chat lines, names, quiz texts, file names, lines read from a picture.

A text is brought to its normal form, then looked up in the lists and scored by the classifier. A category's
score is the higher of the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from models import cards
from models.chat.classifier import Classifier
from models.chat.folding import sounds
from models.chat.labels import BENIGN, HARMFUL
from models.chat.lexicon import Hit, Lexicon, by_name, parse
from models.chat.normal import Normal, Sign, normal
from models.errors import ModelError

HERE = Path(__file__).parent
SHIPPED = "shipped"
"""The name of the list that comes with the product."""
MAX_CHARACTERS = 8192
"""Of a longer text the first and the last half of this are looked at; the server takes 500 in a chat line."""
_MAX_WORDS = 4
"""So many of the words that were found are named."""
_PART, _MAX_PARTS = 160, 16
"""Characters of a part, in the normal form, and into how many parts a long text is cut."""
_FEWEST = 2
_CHINESE = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")
_WORTH_TELLING = 0.5
_CONTACTS = (Sign.ADDRESS, Sign.CHEAP_ADDRESS, Sign.ACCOUNT, Sign.PHONE)


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
    """Scores texts, on the caller's thread. One caller at a time. Without a classifier by its lists alone."""

    def __init__(self, lists: Iterable[Lexicon], classifier: Classifier | None = None):
        self._classifier = classifier
        self._lists = dict(by_name(lists))

    @classmethod
    def load(cls, folder: Path = cards.WEIGHTS, lists: Iterable[Lexicon] = ()) -> ChatScreen:
        """What ships (the weights in `folder`) and other lists beside it. Raises `ModelError`."""
        return cls([shipped_list(), *lists], Classifier.load(folder))

    def replace_list(self, name: str, lexicon: Lexicon) -> None:
        """From the next text on `lexicon` is the list `name`, which may be a new one."""
        self._lists[name] = lexicon

    def screen(self, text: str) -> ChatFinding:
        """What `text` may be. Never raises; an empty text is benign."""
        form = normal(_held(text))
        read = self._read(form)
        scores = dict(read)
        hits = [hit for lexicon in self._lists.values() for hit in lexicon.search(form)]
        for hit in hits:
            scores[hit.entry.category] = max(scores.get(hit.entry.category, 0.0), hit.score)
        worst = max(score for category, score in scores.items() if category != BENIGN)
        return ChatFinding(
            scores=scores | {BENIGN: min(scores[BENIGN], 1.0 - worst)},
            why=_why(hits, read, form),
            models={self._classifier.name: self._classifier.sha256} if self._classifier else {},
            lists={name: lexicon.version for name, lexicon in self._lists.items()},
        )

    def _read(self, form: Normal) -> dict[str, float]:
        """What the classifier says of the whole, or of a long text's worst part."""
        if self._classifier is None or _says_nothing(form):
            return {BENIGN: 1.0} | dict.fromkeys(HARMFUL, 0.0)
        parts = [self._classifier.scores(part) for part in _parts(form)]
        return max(parts, key=lambda scores: 1.0 - scores[BENIGN])


def shipped_list() -> Lexicon:
    """The list that comes with the product. Raises `ModelError`."""
    path = HERE / "lexicon.tsv"
    try:
        entries, errors = parse(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    if errors:
        raise ModelError(f"{path}:{errors[0].row}: {errors[0].detail}")
    return Lexicon(SHIPPED, entries)


def _held(text: str) -> str:
    """`text`, or of a long one its beginning and its end."""
    if len(text) <= MAX_CHARACTERS:
        return text
    half = MAX_CHARACTERS // 2
    return f"{text[:half]} {text[-half:]}"


def _says_nothing(form: Normal) -> bool:
    """Too little Chinese to be read (names in Latin letters, English, numbers), unless it is an address."""
    if Sign.ADDRESS in form.text or Sign.CHEAP_ADDRESS in form.text:
        return False
    return len(_CHINESE.findall(form.text)) < _FEWEST


def _parts(form: Normal) -> list[Normal]:
    """A long text's beginning, end and pieces between, so that an advert does not drown in it."""
    length = len(form.text)
    if length <= _PART:
        return [form]
    step = max(_PART // 2, (length - _PART) // (_MAX_PARTS - 1) + 1)
    starts = [*range(0, length - _PART, step), length - _PART]
    pieces = [form.text[start : start + _PART] for start in starts]
    return [Normal(piece, sounds(piece), form.signs) for piece in pieces]


def _why(hits: list[Hit], read: Mapping[str, float], form: Normal) -> tuple[str, ...]:
    """Words of lists; what it reads like; what the writing gives away."""
    ranked = sorted(hits, key=lambda hit: -hit.score)[:_MAX_WORDS]
    reasons = [f"{'sounds like' if hit.heard else 'word'} {hit.entry.word}" for hit in ranked]
    if read[BENIGN] < _WORTH_TELLING:
        category = max(HARMFUL, key=lambda label: read[label])
        reasons.append(f"reads like {category} ({read[category]:.2f})")
    if reasons:
        contacts = [sign for sign in _CONTACTS if sign in form.text]
        reasons += [sign.name.lower().replace("_", " ") for sign in (*contacts, *sorted(form.signs))]
    return tuple(reasons)
