"""Decoders for what strangers send (PyAV): H.264 and VP8 alone, one thread, pictures of bounded size."""

from __future__ import annotations

from fractions import Fraction

import av

TIME_BASE = Fraction(1, 90_000)  # RTP ticks of video
MAX_SOURCE_PIXELS = 4096 * 2304


def video_decoder(codec: str) -> av.VideoCodecContext:
    """A decoder of `codec`; no other thread may be needed, for the process must not start any."""
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(MAX_SOURCE_PIXELS), "strict": "1"}
    return decoder


class TickLine:
    """32-bit RTP timestamps on a line without wraps."""

    def __init__(self) -> None:
        self._newest: int | None = None

    def extended(self, timestamp: int) -> int:
        """The place of `timestamp`, near the one before."""
        if self._newest is None:
            self._newest = timestamp
        else:
            ahead = (timestamp - self._newest + (1 << 31)) % (1 << 32) - (1 << 31)
            self._newest += ahead
        return self._newest
