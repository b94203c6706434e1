"""H.264 made to cost a decoder much: sizes that nobody has, a slice a macroblock, another size each frame."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

START = b"\0\0\0\1"


def giant(side: int = 16384) -> bytes:
    """A parameter set that announces pictures of `side` by `side` pixels, and the beginning of one."""
    macroblocks = side // 16
    bits = f"{66:08b}{0:08b}{62:08b}"  # baseline, level 6.2
    bits += _ue(0) + _ue(0) + _ue(0) + _ue(0) + _ue(1) + "0"  # id, frame numbers, order, references, gaps
    bits += (
        _ue(macroblocks - 1) + _ue(macroblocks - 1) + "1" + "1" + "0" + "0"
    )  # size, frames, no crop, no VUI
    sps = b"\x67" + _octets(bits)
    pps = b"\x68" + _octets(_ue(0) + _ue(0) + "00" + _ue(0) + _ue(0) + _ue(0) + "000" + _ue(0) * 3 + "000")
    slice_ = b"\x65" + _octets(_ue(0) + _ue(7) + _ue(0) + "0" * 4 + _ue(0) + "1" * 64)
    return START + sps + START + pps + START + slice_


def sliced(count: int = 1000) -> bytes:
    """A keyframe in `count` slices, one a macroblock."""
    columns, rows = 40, count // 40
    (packet,) = _encoder(columns * 16, rows * 16, "slice-max-mbs=1").encode(_noise(columns * 16, rows * 16))
    return bytes(packet)


def resized(count: int) -> Iterator[bytes]:
    """Keyframes of which each has another size."""
    for number in range(count):
        width, height = 64 + 16 * (number * 7 % 40), 64 + 16 * (number * 11 % 30)
        (packet,) = _encoder(width, height).encode(_noise(width, height))
        yield bytes(packet)


def _encoder(width: int, height: int, more: str = "annexb=1") -> av.VideoCodecContext:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.thread_count = Fraction(1, 25), 1
    encoder.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "baseline",
        "x264-params": more,
    }
    return encoder


def _noise(width: int, height: int) -> av.VideoFrame:
    pixels = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    return frame


def _ue(number: int) -> str:
    """Exp-Golomb (H.264 9.1)."""
    bits = f"{number + 1:b}"
    return "0" * (len(bits) - 1) + bits


def _octets(bits: str) -> bytes:
    """With the stop bit, and so that no start code appears in it."""
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    data = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    escaped = bytearray()
    for octet in data:
        if octet <= 3 and escaped[-2:] == b"\0\0":
            escaped.append(3)
        escaped.append(octet)
    return bytes(escaped)
