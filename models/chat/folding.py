"""Character by character: what each is read as, and how it sounds. The tables are in `tables/`.

`build_tables` made those for traditional characters and for syllables; `lookalikes.txt` is written by hand.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

TABLES = Path(__file__).with_name("tables")
_REMEMBERED = 1 << 16
"""So many characters are folded only once; of the others (there are a million) each time."""
_FIRST_SYLLABLE = 0xE100
"""Syllables are private characters from here on, in the order of `syllables.txt`."""
_MAX_SPELLED = 24
"""Letters in a row that may be pinyin; what is longer is no word."""
_DECOMPOSED_BELOW = 0x2000
"""Accents are taken off letters below this; kana and Hangul keep theirs."""
# Alphabets that NFKC leaves alone: first and last character, and the letter that the first one is.
_ALPHABETS = ((0x1F150, 0x1F169, "a"), (0x1F170, 0x1F189, "a"), (0x1F1E6, 0x1F1FF, "a"))
_STOPS = dict.fromkeys("。｡·•・∙⋅‧․．", ".") | dict.fromkeys("，、､﹐丶", ",")


def fold(text: str) -> str:
    """NFKC, lower case, simplified, lookalikes and word emoji resolved, what is invisible gone."""
    return text.translate(_FOLDS)


def sounds(text: str) -> str:
    """`text` (folded) read aloud: a private character for each syllable, the rest as it is."""
    return _LATIN.sub(lambda found: _spelled(found[0]), text).translate(_SOUNDS)


def syllable(letters: str) -> str:
    """The private character of a Mandarin syllable: `syllable("wei")`. Raises `KeyError`."""
    return _SYLLABLES[letters]


def _read(name: str) -> list[str]:
    return (TABLES / name).read_text(encoding="utf-8").splitlines()


class _Folds(dict[int, str]):
    """For `str.translate`: what becomes of each character, found out when it first comes."""

    def __init__(self) -> None:
        super().__init__()
        old, new = _read("simplified.txt")
        self._simplified = dict(zip(old, new, strict=True))
        lines = [line.split(" ") for line in _read("lookalikes.txt") if line and not line.startswith("# ")]
        self._read_as = {written: line[0] for line in lines for written in line[1:]} | _STOPS

    def __missing__(self, code: int) -> str:
        folded = self._fold(code)
        if len(self) < _REMEMBERED:
            self[code] = folded
        return folded

    def _fold(self, code: int) -> str:
        for first, last, letter in _ALPHABETS:
            if first <= code <= last:
                return chr(ord(letter) + code - first)
        one = chr(code)
        if one in self._read_as:
            return self._read_as[one]
        return "".join(map(self._part, unicodedata.normalize("NFKC", one).casefold()))

    def _part(self, one: str) -> str:
        """One character of what NFKC made."""
        if ord(one) < _DECOMPOSED_BELOW:
            one = unicodedata.normalize("NFD", one)[0]
        if one in self._read_as:
            return self._read_as[one]
        kind = unicodedata.category(one)
        if one.isspace() or kind[0] == "Z":
            return " "
        if kind[0] == "C" or kind in ("Mn", "Me"):
            return ""
        return self._simplified.get(one, one)


def _spelled(letters: str) -> str:
    """Latin letters that are pinyin from end to end as syllables; others unchanged. Fewest syllables win."""
    if not 2 <= len(letters) <= _MAX_SPELLED:
        return letters
    best: list[str | None] = [""]
    for end in range(1, len(letters) + 1):
        found = None
        for start in range(max(0, end - 6), end):
            before, last = best[start], _SYLLABLES.get(letters[start:end])
            if before is not None and last and (found is None or len(before) + 1 < len(found)):
                found = before + last
        best.append(found)
    return best[-1] or letters


def _syllables() -> tuple[Mapping[str, str], Mapping[int, str]]:
    by_letters: dict[str, str] = {}
    by_character: dict[int, str] = {}
    for position, line in enumerate(_read("syllables.txt")):
        letters, characters = line.split(" ")
        by_letters[letters] = chr(_FIRST_SYLLABLE + position)
        by_character |= dict.fromkeys(map(ord, characters), by_letters[letters])
    return by_letters, by_character


_LATIN = re.compile(r"[a-z]+")
_FOLDS = _Folds()
_SYLLABLES, _SOUNDS = _syllables()
