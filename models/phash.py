"""Are two pictures the same slide? Has the picture changed? By brightness alone, in under a millisecond.

The perceptual hash is the usual one of 64 bits: the 8 by 8 lowest frequencies of the cosine transform of the
picture in 32 by 32 pixels, each above or below their median. Scaling, compression and noise turn few bits;
so does one more line of small text on a slide, which `change` sees: whoever reads slides asks both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.resize import Pixels, pool, resize

SAME_SLIDE = (
    6  # bits: below are compression and a moving pointer, above another page (tests/models/test_phash.py)
)
NEW_TEXT = 0.004  # of the picture: a line of small text is three times as much, a pointer less
_BLOCK = 8  # pixels
_LEVEL = 6  # of 255, in the mean of a block: noise and compression of one picture stay below


def _cosines(kept: int, edge: int) -> NDArray[np.float32]:
    """(kept, edge): the lowest frequencies of the cosine transform (DCT-II)."""
    frequency, place = np.meshgrid(np.arange(kept), np.arange(edge), indexing="ij")
    return np.cos(np.pi * frequency * (2 * place + 1) / (2 * edge)).astype(np.float32)


_COARSE, _FINE = _cosines(8, 32), _cosines(32, 128)


def perceptual_hash(luma: Pixels) -> int:
    """64 bits of a picture's brightness, uint8 (H, W). A picture of one colour alone has the hash 0."""
    return _hash(luma, _COARSE)


def fine_hash(luma: Pixels) -> int:
    """1024 bits, the 32 by 32 lowest frequencies in 128 by 128 pixels: tells photos of one scene apart."""
    return _hash(luma, _FINE)


def _hash(luma: Pixels, cosines: NDArray[np.float32]) -> int:
    edge = cosines.shape[1]
    waves = cosines @ resize(luma, edge, edge)[0] @ cosines.T
    waves[0, 0] = 0.0  # brightness as such says nothing
    if np.abs(waves).max() < edge:  # nothing but rounding
        return 0
    flat = waves.ravel()
    middle = np.partition(flat, flat.size // 2 - 1)[
        flat.size // 2 - 1
    ]  # np.median loads modules when first used
    bits = flat > middle
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def distance(one: int, other: int) -> int:
    """In how many bits two hashes differ."""
    return (one ^ other).bit_count()


def change(before: Pixels, after: Pixels) -> float:
    """The share of the picture, 0 to 1, that differs visibly between two planes uint8 (H, W) of one size.

    Blocks of 8 by 8 are compared, so give it planes 160 to 320 pixels wide: a block is then what somebody
    would notice. Compare with the picture that was looked at last, not the one before: so fading is seen.
    Planes of different sizes differ entirely.
    """
    if before.shape != after.shape:
        return 1.0
    apart = np.abs(before.astype(np.int16) - after.astype(np.int16)).astype(np.uint8)
    blocks = pool(apart[:, :, None], min(_BLOCK, apart.shape[1]), min(_BLOCK, apart.shape[0]))
    return float((blocks > _LEVEL).mean())


def shrunk(luma: Pixels, width: int) -> Pixels:
    """A plane averaged over whole blocks of pixels until it is not much wider than `width`."""
    factor = max(1, luma.shape[1] // width)
    small = pool(luma[:, :, None], factor, factor)[:, :, 0]
    return small.astype(np.uint8)
