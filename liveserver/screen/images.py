"""Pictures out of the decoder in the forms that are needed: small planes, RGB, JPEG (PyAV, on one thread)."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

THUMBNAIL = (320, 180)
EVIDENCE = (1280, 1280)
_SMALL_WIDTH = 160
_THUMBNAIL_Q, _EVIDENCE_Q = 7, 3  # MJPEG's scale: 1 is the finest, 31 the coarsest


def planes(image: av.VideoFrame) -> tuple[Pixels, Pixels, Pixels]:
    """Brightness and the two colours, 160 wide and in proportion high, for `models.phash.change`."""
    height = min(_SMALL_WIDTH * 2, max(16, round(image.height * _SMALL_WIDTH / image.width)))
    small = image.reformat(_SMALL_WIDTH, height, format="yuv444p", interpolation="AREA", threads=1)
    luma, blue, red = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)[:, :_SMALL_WIDTH].copy()
        for plane in small.planes
    )
    return luma, blue, red


def rgb(image: av.VideoFrame, width: int) -> Pixels:
    """uint8 (H, W, 3), at most `width` wide and as much higher than that as a page is."""
    columns, rows = fitted(image.width, image.height, (width, width * 2))
    picture = image.reformat(columns, rows, format="rgb24", interpolation="AREA", threads=1)
    return picture.to_ndarray().astype(np.uint8, copy=False)


def thumbnail(image: av.VideoFrame) -> bytes:
    """A JPEG of at most 320x180."""
    return _jpeg(image, THUMBNAIL, _THUMBNAIL_Q)


def evidence(image: av.VideoFrame) -> bytes:
    """A JPEG for a person to judge by, at most 1280 on the longer side."""
    return _jpeg(image, EVIDENCE, _EVIDENCE_Q)


def fitted(width: int, height: int, most: tuple[int, int]) -> tuple[int, int]:
    """The size in proportion that lies within `most`, not larger than it is; both sides even, at least 16."""
    ratio = min(1.0, most[0] / width, most[1] / height)
    return max(16, round(width * ratio) & ~1), max(16, round(height * ratio) & ~1)


def _jpeg(image: av.VideoFrame, most: tuple[int, int], q: int) -> bytes:
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = fitted(image.width, image.height, most)
    encoder.pix_fmt, encoder.time_base, encoder.thread_count = "yuvj420p", Fraction(1, 25), 1
    encoder.options = {"qmin": str(q), "qmax": str(q)}
    picture = image.reformat(encoder.width, encoder.height, format="yuvj420p", threads=1)
    picture.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
