"""Pictures to the size that a model takes, with numpy alone.

Large pictures are first averaged over whole blocks of pixels, which is most of the way at a fraction of the
cost. The rest is a triangle as wide as what becomes one pixel, so fine patterns do not alias when a picture
shrinks (what Pillow calls BILINEAR); when it grows this is bilinear interpolation.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Planes = NDArray[np.float32]


def resize(picture: Pixels, width: int, height: int) -> Planes:
    """`picture` uint8 (H, W, C) or (H, W) as planes float32 (C, height, width), values 0 to 255."""
    if picture.ndim == 2:
        picture = picture[:, :, None]
    rows, columns = picture.shape[:2]
    x, y = max(1, columns // width), max(1, rows // height)
    planes = np.ascontiguousarray(pool(picture, x, y).transpose(2, 0, 1), dtype=np.float32)
    down = _weights(planes.shape[1], height, rows / (y * height))
    across = _weights(planes.shape[2], width, columns / (x * width))
    resized: Planes = np.matmul(np.matmul(down, planes), across.T)
    return resized


def pool(picture: Pixels, x: int, y: int) -> NDArray[np.float32] | Pixels:
    """The means of blocks of `x` by `y` pixels of (H, W, C); what is left over right and below is cut."""
    if x == y == 1:
        return picture
    rows, columns = picture.shape[0] // y, picture.shape[1] // x
    picture = picture[: rows * y, : columns * x]
    tall = np.zeros((rows, columns * x, picture.shape[2]), dtype=np.uint16 if x * y <= 257 else np.uint32)
    for line in range(y):
        tall += picture[line::y]
    total = tall[:, ::x].copy()
    for column in range(1, x):
        total += tall[:, column::x]
    return total * np.float32(1 / (x * y))


@lru_cache(maxsize=64)
def _weights(source: int, target: int, ratio: float) -> NDArray[np.float32]:
    """(target, source): how much of each pixel of the source is in each of the target, `ratio` as large.

    The source may end up to a pixel before the target does: what `pool` cut off.
    """
    reach = max(1.0, ratio)
    centres = (np.arange(target) + 0.5) * ratio
    distances = np.abs(np.arange(source)[None, :] + 0.5 - np.minimum(centres, source - 0.5)[:, None]) / reach
    weights = np.maximum(0.0, 1.0 - distances)
    normed: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    normed.flags.writeable = False
    return normed
