"""A test picture and a tone, drawn without decoding or numpy: cheap enough to run beside what is measured.

The upper half of the picture is a time code, so that whoever sees it knows when it was drawn:

    10 columns x 4 rows of cells, white = 1, black = 0, read row by row
    bits  0..31   milliseconds since 1970 modulo 2^32, most significant bit first
    bits 32..39   check byte: (a + 3b + 5c + 7d + 11) mod 256 over the four bytes a b c d of the value

Large cells survive any codec and any scaling. The lower half is a moving ramp that gives the codec work.
"""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import av

COLUMNS, ROWS = 10, 4
WHITE, BLACK = 235, 16  # luma, limited range (ITU-R BT.601)
SAMPLE_RATE = 48_000
CHUNK_SAMPLES = 960  # 20 ms, one Opus packet
VIDEO_TIME_BASE = Fraction(1, 90_000)


def stamp_bits(at_ms: int) -> list[int]:
    """The 40 cells of a time, first the top left one."""
    value = at_ms & 0xFFFFFFFF
    a, b, c, d = value.to_bytes(4, "big")
    code = value << 8 | (a + 3 * b + 5 * c + 7 * d + 11) & 0xFF
    return [code >> 39 - bit & 1 for bit in range(40)]


def read_stamp(luma: bytes | memoryview, width: int, height: int, stride: int) -> int | None:
    """Milliseconds modulo 2^32 from a luma plane of `stride` bytes a line, or None without a valid code."""
    code = 0
    for cell in range(40):
        x = (cell % COLUMNS * 2 + 1) * width // (2 * COLUMNS)
        y = (cell // COLUMNS * 2 + 1) * height // (4 * ROWS)
        around = [luma[(y + dy) * stride + x + dx] for dy in (-2, 0, 2) for dx in (-2, 0, 2)]
        level = sum(around) / len(around)
        if abs(level - 126) < 25:
            return None
        code = code << 1 | (level > 126)
    value = code >> 8
    return value if stamp_bits(value)[32:] == [code >> 7 - bit & 1 for bit in range(8)] else None


def age_ms(stamp: int, now_ms: int) -> int:
    """How long ago `stamp` was drawn, right over the wrap at 2^32."""
    return (now_ms - stamp + 2**31) % 2**32 - 2**31


class Picture:
    """Draws frames of one size; `width` and `height` are even and at least 160 x 120."""

    def __init__(self, width: int, height: int):
        self.width, self.height = width, height
        ramp = bytes(40 + x * 170 // width for x in range(width))
        self._ramp = ramp + ramp  # a slice of it at any offset is a whole, shifted line

    def draw(self, at_ms: int, pts: int) -> av.VideoFrame:
        """A yuv420p frame that carries `at_ms`; `pts` in ticks of 90 kHz."""
        frame = av.VideoFrame(self.width, self.height, "yuv420p")
        shift = at_ms // 8 % self.width
        lines = [line for row in range(ROWS) for line in [self._cells(row, at_ms)] * self._row_height(row)]
        lines += [self._ramp[shift : shift + self.width]] * (self.height - len(lines))
        chroma = bytes([96 + at_ms // 40 % 64]) * (self.width // 2)
        neutral = bytes([128]) * (self.width // 2)
        half = self.height // 4
        coloured = [neutral] * half + [chroma] * (self.height // 2 - half)
        for plane, content in zip(frame.planes, (lines, coloured, coloured), strict=True):
            padding = bytes(plane.line_size - len(content[0]))
            plane.update(b"".join(line + padding for line in content))
        frame.pts, frame.time_base = pts, VIDEO_TIME_BASE
        return frame

    def _row_height(self, row: int) -> int:
        return (row + 1) * self.height // (2 * ROWS) - row * self.height // (2 * ROWS)

    def _cells(self, row: int, at_ms: int) -> bytes:
        bits = stamp_bits(at_ms)[row * COLUMNS : (row + 1) * COLUMNS]
        edges = [column * self.width // COLUMNS for column in range(COLUMNS + 1)]
        return b"".join(
            bytes([WHITE if bit else BLACK]) * (edges[column + 1] - edges[column])
            for column, bit in enumerate(bits)
        )


class Tone:
    """A sine of `hertz` (a divisor of the second, so that it loops without a click) in 20 ms chunks."""

    def __init__(self, hertz: int = 440):
        second = [round(8000 * math.sin(2 * math.pi * hertz * n / SAMPLE_RATE)) for n in range(SAMPLE_RATE)]
        self._chunks = [
            struct.pack(f"<{2 * CHUNK_SAMPLES}h", *(s for s in second[n : n + CHUNK_SAMPLES] for _ in "lr"))
            for n in range(0, SAMPLE_RATE, CHUNK_SAMPLES)
        ]

    def chunk(self, number: int) -> av.AudioFrame:
        frame = av.AudioFrame(format="s16", layout="stereo", samples=CHUNK_SAMPLES)
        frame.planes[0].update(self._chunks[number % len(self._chunks)])
        frame.pts, frame.sample_rate = number * CHUNK_SAMPLES, SAMPLE_RATE
        frame.time_base = Fraction(1, SAMPLE_RATE)
        return frame


def video_encoder(codec: str, width: int, height: int, fps: int, bitrate_bps: int) -> av.VideoCodecContext:
    """An encoder made for little CPU and no delay, with a keyframe every 2 s; `codec` is "h264" or "vp8"."""
    encoder = av.CodecContext.create({"h264": "libx264", "vp8": "libvpx"}[codec], "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(fps), VIDEO_TIME_BASE
    encoder.bit_rate, encoder.gop_size, encoder.thread_count = bitrate_bps, 2 * fps, 1
    if codec == "h264":
        # Constrained baseline, level 3.1: the 42e01f that the server answers with.
        encoder.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "profile": "baseline",
            "level": "3.1",
            "sc_threshold": "0",
            "maxrate": str(bitrate_bps),
            "bufsize": str(bitrate_bps // 2),
        }
    else:
        encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"}
    return encoder
