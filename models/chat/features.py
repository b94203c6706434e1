"""The numbers that stand for a text: hashed n-grams of its characters and of its sounds. numpy, no loop."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.chat.normal import Normal

VERSION = 2
"""Of what is hashed, and how; weights are made for one."""
_TEXT_LENGTHS, _SOUND_LENGTHS = 4, 4
"""N-grams of so many characters at most; of sounds from two on."""
_START, _END = "\ue0fe", "\ue0ff"
_MULTIPLIER = np.uint32(0x9E3779B1)  # 2^32 / golden ratio

Hashes = npt.NDArray[np.uint32]


def hashes(form: Normal) -> Hashes:
    """The features of a text, each once, in order: shape (n,), n at least 1."""
    parts = [_hashed(form.text, 1, _TEXT_LENGTHS, 1), _hashed(form.sounds, 2, _SOUND_LENGTHS, 2)]
    if form.signs:
        parts.append(_hashed("".join(sorted(form.signs)), 1, 1, 3))
    found = np.sort(np.concatenate(parts))
    once: Hashes = found[np.append(True, found[1:] != found[:-1])]
    return once


def known(found: Hashes, vocabulary: Hashes) -> npt.NDArray[np.int64]:
    """Where in `vocabulary` (in order, not empty) those features are that it has: shape (m,), m at most n."""
    places = np.minimum(np.searchsorted(vocabulary, found), len(vocabulary) - 1)
    kept: npt.NDArray[np.int64] = places[vocabulary[places] == found]
    return kept


def _hashed(text: str, shortest: int, longest: int, channel: int) -> Hashes:
    """FNV-like hashes of all n-grams of `text` between its two ends; lone surrogates never get here."""
    codes = np.frombuffer(f"{_START}{text}{_END}".encode("utf-32-le"), np.uint32)
    mixed = np.full(len(codes), channel * 0x01000193, np.uint32)
    found = []
    for length in range(1, min(longest, len(codes)) + 1):
        mixed = (mixed[: len(codes) - length + 1] ^ codes[length - 1 :]) * _MULTIPLIER
        mixed ^= mixed >> np.uint32(15)
        if length >= shortest:
            found.append(mixed * _MULTIPLIER)
    return np.concatenate(found) if found else np.empty(0, np.uint32)
