"""The numbers that stand for a text: hashed n-grams of its characters and of its sounds. numpy, no loop."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.chat.normal import Normal

BUCKETS_LOG2 = 17
BUCKETS = 1 << BUCKETS_LOG2
_TEXT_LENGTHS, _SOUND_LENGTHS = 4, 4
"""N-grams of so many characters at most; of sounds from two on."""
_START, _END = "\ue0fe", "\ue0ff"
_MULTIPLIER = np.uint32(0x9E3779B1)  # 2^32 / golden ratio
_SHIFT = np.uint32(32 - BUCKETS_LOG2)


def buckets(form: Normal) -> npt.NDArray[np.int64]:
    """The features of a text, each once, in order: shape (n,), n at least 1, values below `BUCKETS`."""
    parts = [_hashed(form.text, 1, _TEXT_LENGTHS, 1), _hashed(form.sounds, 2, _SOUND_LENGTHS, 2)]
    if form.signs:
        parts.append(_hashed("".join(sorted(form.signs)), 1, 1, 3))
    return np.unique(np.concatenate(parts)).astype(np.int64)


def _hashed(text: str, shortest: int, longest: int, channel: int) -> npt.NDArray[np.uint32]:
    """FNV-like hashes of all n-grams of `text` between its two ends; lone surrogates never get here."""
    codes = np.frombuffer(f"{_START}{text}{_END}".encode("utf-32-le"), np.uint32)
    hashes = np.full(len(codes), channel * 0x01000193, np.uint32)
    found = []
    for length in range(1, min(longest, len(codes)) + 1):
        hashes = (hashes[: len(codes) - length + 1] ^ codes[length - 1 :]) * _MULTIPLIER
        hashes ^= hashes >> np.uint32(15)
        if length >= shortest:
            found.append((hashes * _MULTIPLIER) >> _SHIFT)
    return np.concatenate(found) if found else np.empty(0, np.uint32)
