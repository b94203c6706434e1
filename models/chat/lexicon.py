"""Lists of words: read strictly, searched in the normal form, replaced whole. Pure.

A row is `word TAB category TAB severity`; severity, above 0 and up to 1, is the score that a hit gives. A row
of the category `excuse` is a phrase in which other words are no hit (杀毒软件 excuses 毒). Empty lines and
those that begin with `#` say nothing.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from models.chat.labels import HARMFUL, SENSITIVE
from models.chat.normal import Normal, normal

MAX_BYTES = 8 * 1024**2
MAX_ROWS = 200_000
MAX_WORD = 32
"""Characters of a word, as written and in its normal form."""
MAX_ERRORS = 1000
"""So many bad rows are told; reading ends there."""
EXCUSE = "excuse"
CATEGORIES = frozenset({*HARMFUL, SENSITIVE, EXCUSE})
_MIN_SOUNDS = 4
"""Words of fewer syllables are not looked for by sound: too many innocent words sound like them."""
_BY_SOUND = 0.8
"""A word that is only heard, not read, scores so much less."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A word (as its list has it), what it is about, and the score that it gives."""

    word: str
    category: str
    severity: float


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with one row (from 1). `code` is stable, `detail` a sentence for a person."""

    row: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A word that was found. `score`: its severity, less when it was only heard."""

    entry: Entry
    score: float
    heard: bool


class Lexicon:
    """A list of words, ready to be searched. `version`: SHA-256 (hex) of its rows, whatever their order.

    Searching takes a dictionary look-up for each character, however many words there are.
    """

    def __init__(self, name: str, entries: Iterable[Entry] = ()):
        self.name = name
        self._read = _Index()
        self._heard = _Index()
        self._excuses_read = _Index()
        self._excuses_heard = _Index()
        rows = {(entry.word, entry.category, entry.severity): entry for entry in entries}
        for _, entry in sorted(rows.items()):
            form = normal(entry.word)
            if entry.category == EXCUSE:
                self._excuses_read.add(form.text, entry)
                self._excuses_heard.add(form.sounds, entry)
                continue
            self._read.add(form.text, entry)
            if len(form.sounds) >= _MIN_SOUNDS and all(map(_is_syllable, form.sounds)):
                self._heard.add(form.sounds, entry)
        lines = sorted(f"{word}\t{category}\t{severity:.4f}\n" for word, category, severity in rows)
        self.version = hashlib.sha256("".join(lines).encode()).hexdigest()
        self._size = len(rows)

    def __len__(self) -> int:
        return self._size

    def search(self, form: Normal) -> list[Hit]:
        """Each entry that occurs in `form` outside of an excuse, once, the gravest first."""
        hits: dict[Entry, Hit] = {}
        for entry in _outside(self._read, self._excuses_read, form.text):
            hits[entry] = Hit(entry, entry.severity, heard=False)
        for entry in _outside(self._heard, self._excuses_heard, form.sounds):
            hits.setdefault(entry, Hit(entry, entry.severity * _BY_SOUND, heard=True))
        return sorted(hits.values(), key=lambda hit: (-hit.score, hit.entry.word))


class _Index:
    """Words by their first two characters, then by their length."""

    def __init__(self) -> None:
        self._words: dict[str, Entry] = {}
        self._lengths: dict[str, set[int]] = defaultdict(set)

    def add(self, word: str, entry: Entry) -> None:
        known = self._words.get(word)
        if known is None or known.severity < entry.severity:
            self._words[word] = entry
        self._lengths[word[:2]].add(len(word))

    def find(self, text: str) -> Iterator[tuple[int, int, Entry]]:
        """(start, end, entry) of every word in `text`; a Latin word or a number only as a whole one."""
        lengths, words = self._lengths, self._words
        for start in range(len(text) - 1):
            for length in lengths.get(text[start : start + 2], ()):
                end = start + length
                found = words.get(text[start:end])
                if found and not _within_word(text, start) and not _within_word(text, end):
                    yield start, end, found


def _outside(words: _Index, excuses: _Index, text: str) -> Iterator[Entry]:
    """What of `words` is in `text` otherwise than within one of `excuses`."""
    excused = [(start, end) for start, end, _ in excuses.find(text)]
    for start, end, entry in words.find(text):
        if not any(first <= start and end <= last for first, last in excused):
            yield entry


def parse(data: bytes) -> tuple[list[Entry], list[RowError]]:
    """The entries of a list (UTF-8, tab-separated), and what is wrong with its other rows. Never raises.

    Codes: too_large, not_utf8, columns, word, category, severity, double.
    """
    if len(data) > MAX_BYTES:
        return [], [RowError(0, "too_large", f"a list has at most {MAX_BYTES} bytes")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        return [], [RowError(row, "not_utf8", f"byte {error.start} is no UTF-8")]
    entries: dict[tuple[str, str], Entry] = {}
    errors: list[RowError] = []
    for row, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if len(entries) >= MAX_ROWS:
            errors.append(RowError(row, "too_large", f"a list has at most {MAX_ROWS} words"))
            break
        try:
            found = _entry(line)
            key = (normal(found.word).text, found.category)
            _check(
                len(key[0]) >= 2, "word", "2 characters at least are expected, signs and spaces not counted"
            )
            _check(key not in entries, "double", "this word is there already, perhaps written otherwise")
            entries[key] = found
        except _WrongRowError as wrong:
            errors.append(RowError(row, wrong.code, str(wrong)))
            if len(errors) >= MAX_ERRORS:
                break
    return list(entries.values()), errors


class _WrongRowError(Exception):
    def __init__(self, code: str, detail: str):
        super().__init__(detail)
        self.code = code


def _check(right: bool, code: str, detail: str) -> None:
    if not right:
        raise _WrongRowError(code, detail)


def _entry(line: str) -> Entry:
    columns = line.split("\t")
    _check(len(columns) == 3, "columns", f"word, category, severity are expected, not {len(columns)} columns")
    word, category, severity = (column.strip() for column in columns)
    _check(1 <= len(word) <= MAX_WORD, "word", f"at most {MAX_WORD} characters are expected")
    _check(category in CATEGORIES, "category", f"one of {', '.join(sorted(CATEGORIES))} is expected")
    try:
        value = float(severity)
    except ValueError:
        value = 0.0
    _check(0 < value <= 1, "severity", "a number above 0 and up to 1 is expected")
    return Entry(word, category, value)


def _is_syllable(character: str) -> bool:
    return "\ue100" <= character < "\uf8ff"


def _within_word(text: str, place: int) -> bool:
    """Is `place` between two Latin letters, or between two digits?"""
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    if not (before.isascii() and after.isascii()):
        return False
    return (before.isalpha() and after.isalpha()) or (before.isdigit() and after.isdigit())


def by_name(lexicons: Iterable[Lexicon]) -> Mapping[str, Lexicon]:
    """The lists by their names. Raises `ValueError` for two of one name."""
    found: dict[str, Lexicon] = {}
    for lexicon in lexicons:
        if lexicon.name in found:
            raise ValueError(f"there are two lists {lexicon.name}")
        found[lexicon.name] = lexicon
    return found
