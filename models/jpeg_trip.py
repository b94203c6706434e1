"""What a JPEG of a picture would show: compressed and decompressed, without the bytes between.

A model that learnt from JPEG files has learnt their marks too. Open-NSFW's authors resized a picture, made a
JPEG of it and read that; without the trip its scores are two to four times lower where they are small.
Quantisation is that of ITU-T T.81 annex K scaled as libjpeg does, colour is halved both ways (4:2:0).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.float32]

_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8 for _ in range(4)),
)
# JFIF: full range BT.601, colour around 0 instead of 128.
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=np.float32
)
_TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], dtype=np.float32)
_STEP, _PLACE = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
_COSINES: Planes = (np.cos(np.pi * _STEP * (2 * _PLACE + 1) / 16) / 2).astype(np.float32)
_COSINES[0] /= np.float32(np.sqrt(2))


def jpeg_trip(rgb: Planes, quality: int) -> Planes:
    """Planes float32 (3, 16 n, 16 m), RGB of 0 to 255, as a JPEG of `quality` (1 to 100) shows them."""
    height, width = rgb.shape[1:]
    luma, *colours = np.tensordot(_TO_YCC, np.rint(rgb), axes=1)
    ycc = np.empty_like(rgb)
    ycc[0] = _quantised(luma - 128, _table(_LUMA, quality)) + 128
    for index, colour in enumerate(colours, start=1):
        halved = colour.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        small = _quantised(halved, _table(_CHROMA, quality))
        ycc[index] = small.repeat(2, axis=0).repeat(2, axis=1)
    shown: Planes = np.clip(np.tensordot(_TO_RGB, ycc, axes=1), 0, 255)
    return shown


def _quantised(plane: Planes, table: Planes) -> Planes:
    height, width = plane.shape
    blocks = plane.reshape(height // 8, 8, width // 8, 8).transpose(0, 2, 1, 3)
    waves = np.rint(_COSINES @ blocks @ _COSINES.T / table) * table
    back: Planes = (_COSINES.T @ waves @ _COSINES).astype(np.float32)
    return back.transpose(0, 2, 1, 3).reshape(height, width)


@lru_cache(maxsize=8)
def _table(rows: tuple[tuple[int, ...], ...], quality: int) -> Planes:
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    table: Planes = np.clip((np.array(rows) * percent + 50) // 100, 1, 255).astype(np.float32)
    return table
