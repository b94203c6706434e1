"""One VP8 track to H.264, in a process of its own: `python -m recorder.transcode SOURCE TARGET`.

Reads the Matroska file the spool holds, writes H.264 fragments (no init segment) one after the other into
TARGET, and prints one JSON line for each configuration and fragment; the parent adds hashes and the manifest
lines. Runs at the lowest priority, so that live classes come first. Exit 0: done, 3: no picture could be
decoded.

No B-frames (decode order is display order everywhere in this recorder), a keyframe every 2 s, timestamps as
they were: a picture that stayed for a while still stays.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.frame import PictureType

from recorder import fmp4
from recorder.formats import VIDEO_TIMESCALE, H264Format
from recorder.h264 import VideoConfig
from recorder.sandbox import confine

NICE = 15
KEYFRAME_TICKS = 2 * VIDEO_TIMESCALE
NOTHING = 3
_TIME_BASE = Fraction(1, VIDEO_TIMESCALE)


def decoded(source: Path) -> Iterator[tuple[int, av.VideoFrame]]:
    """Pictures and their times in 1/90000 s; packets that cannot be decoded are left out."""
    with av.open(str(source), format="matroska") as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create("vp8", "r")
        assert isinstance(decoder, av.VideoCodecContext)
        before = -1
        for packet in container.demux(stream):
            if packet.pts is None or packet.time_base is None:
                continue
            ticks = round(packet.pts * packet.time_base * VIDEO_TIMESCALE)
            try:
                frames = decoder.decode(packet)
            except av.FFmpegError:
                continue
            for frame in frames:
                before = max(ticks, before + 1)
                yield before, frame


class _Encoder:
    """libx264 for one picture size."""

    def __init__(self, width: int, height: int) -> None:
        context = av.CodecContext.create("libx264", "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height = width, height
        context.pix_fmt = "yuv420p"
        context.time_base = _TIME_BASE
        context.framerate = Fraction(25)
        context.options = {
            "preset": "veryfast",
            "crf": "23",
            "bf": "0",
            "g": "100000",
            "sc_threshold": "0",
            "forced-idr": "1",
            "rc-lookahead": "0",
            "profile": "high",
        }
        self.size = (width, height)
        self._context = context
        self._key_at: int | None = None

    def encode(self, ticks: int, frame: av.VideoFrame) -> list[tuple[int, bytes]]:
        picture = frame.reformat(*self.size, format="yuv420p")
        picture.pts = ticks
        picture.time_base = _TIME_BASE
        picture.pict_type = PictureType.NONE
        if self._key_at is None or ticks - self._key_at >= KEYFRAME_TICKS:
            picture.pict_type = PictureType.I
            self._key_at = ticks
        return self._packets(picture)

    def finish(self) -> list[tuple[int, bytes]]:
        return self._packets(None)

    def _packets(self, picture: av.VideoFrame | None) -> list[tuple[int, bytes]]:
        return [(int(packet.pts or 0), bytes(packet)) for packet in self._context.encode(picture)]


def encoded(pictures: Iterator[tuple[int, av.VideoFrame]]) -> Iterator[tuple[int, bytes]]:
    """H.264 access units (Annex B) and their times; another picture size begins another encoder."""
    encoder: _Encoder | None = None
    for ticks, frame in pictures:
        size = (max(16, frame.width & ~1), max(16, frame.height & ~1))  # 4:2:0 needs even sides
        if encoder is None or encoder.size != size:
            if encoder is not None:
                yield from encoder.finish()
            encoder = _Encoder(*size)
        yield from encoder.encode(ticks, frame)
    if encoder is not None:
        yield from encoder.finish()


def _write(target: Path, units: Iterator[tuple[int, bytes]]) -> bool:
    parser = H264Format()
    waiting: list[tuple[int, bytes, bool]] = []
    config: VideoConfig | None = None
    sequence = 0
    with target.open("wb") as file:

        def store(following: int | None) -> None:
            nonlocal sequence
            if not waiting:
                return
            sequence += 1
            ends = [start for start, _, _ in waiting[1:]]
            last = waiting[-1][0]
            ends.append(following if following is not None else last + VIDEO_TIMESCALE // 25)
            samples = [
                fmp4.Sample(data, max(1, end - start), sync)
                for (start, data, sync), end in zip(waiting, ends, strict=True)
            ]
            head, media = fmp4.fragment(sequence, 1, waiting[0][0], samples)
            offset = file.tell()
            file.write(head + media)
            _tell(
                type="fragment",
                offset=offset,
                head_size=len(head),
                media_size=len(media),
                start=waiting[0][0],
                end=ends[-1],
                samples=len(samples),
            )
            waiting.clear()

        for ticks, data in units:
            picture = parser.parse(data)
            if picture is None:
                continue
            if picture.sync:
                store(ticks)
            if picture.config is not None and picture.config != config:
                config = picture.config
                _tell(type="config", width=config.width, height=config.height, avcc=config.avcc().hex())
            waiting.append((ticks, picture.data, picture.sync))
        store(None)
    return sequence > 0


def _tell(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m recorder.transcode SOURCE TARGET\n")
        return 2
    confine(nice=NICE)
    return 0 if _write(Path(arguments[1]), encoded(decoded(Path(arguments[0])))) else NOTHING


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
