"""Screen and camera as one picture at a constant rate: the screen whole, the camera set into its corner.

+----------------------+
| screen               |     one alone fills the canvas; what does not have the canvas's shape gets
|                +----+|     black bars, never a stretch. A picture that nothing replaced for
|                |cam ||     `STALE_MS` is gone (sharing stopped, the camera is off) and gives its place
+----------------+----+      to the other; with nothing left to show the last picture stands still.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.video.reformatter import Interpolation

FPS = 25
FRAME_MS = 1000 // FPS
STALE_MS = 15_000  # keyframes are asked for every 2 s: a live picture, however still, comes more often
INSET_PART = 5  # the camera's width is a fifth of the canvas's
INSET_MARGIN = 16  # pixels
_BLACK = (16, 128, 128)  # of the three planes, limited range


@dataclass(frozen=True, slots=True)
class Box:
    """A place on the canvas, in pixels; everything is even, because chroma is halved."""

    x: int
    y: int
    width: int
    height: int


def fit(width: int, height: int, into: Box) -> Box:
    """The largest box of the shape `width`:`height` in the middle of `into`."""
    scale = min(into.width / width, into.height / height)
    w = max(2, round(width * scale) // 2 * 2)
    h = max(2, round(height * scale) // 2 * 2)
    return Box(into.x + (into.width - w) // 4 * 2, into.y + (into.height - h) // 4 * 2, w, h)


class Source:
    """One video track of a file, asked in the order of time for the picture that stands at a moment."""

    def __init__(self, path: Path, number: int, from_ms: int) -> None:
        self._container = av.open(str(path), format="mp4")
        self._stream = self._container.streams.video[number]
        self._stream.thread_count = 1
        base = self._stream.time_base or Fraction(1, 90_000)
        if from_ms:
            self._container.seek(int(Fraction(from_ms, 1000) / base), stream=self._stream)
        self._frames = self._decoded(base)
        self._now: tuple[float, av.VideoFrame] | None = None
        self._next = next(self._frames, None)

    def at(self, at_ms: int) -> av.VideoFrame | None:
        """What stands at `at_ms`; None before the first picture and once a picture is stale."""
        while self._next is not None and self._next[0] <= at_ms:
            self._now, self._next = self._next, next(self._frames, None)
        if self._now is None:
            return None
        until_ms = self._next[0] if self._next is not None else float("inf")
        began_ms = self._now[0]
        if until_ms - began_ms > STALE_MS and at_ms - began_ms > FRAME_MS:
            return None if self._next is not None or at_ms - began_ms > STALE_MS else self._now[1]
        return self._now[1]

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _decoded(self, base: Fraction) -> Iterator[tuple[float, av.VideoFrame]]:
        """Times in ms; what cannot be decoded is left out."""
        for packet in self._container.demux(self._stream):
            try:
                for frame in packet.decode():
                    assert isinstance(frame, av.VideoFrame)
                    if frame.pts is not None:
                        yield float(frame.pts * base) * 1000, frame
            except av.FFmpegError:
                continue


class Composer:
    """Draws one canvas after the other; what did not change is not scaled again."""

    def __init__(self, width: int, height: int) -> None:
        self._whole = Box(0, 0, width, height)
        self._base: av.VideoFrame | None = None
        self._base_of: av.VideoFrame | None = None
        self._shown: tuple[av.VideoFrame | None, av.VideoFrame | None] | None = None
        self._canvas = _blank(self._whole)

    def draw(self, screen: av.VideoFrame | None, camera: av.VideoFrame | None) -> av.VideoFrame:
        """The composed picture; the same object again when nothing changed."""
        if screen is None and camera is None:
            return self._canvas
        whole, inset = (screen, camera) if screen is not None else (camera, None)
        if self._shown is not None and self._shown[0] is whole and self._shown[1] is inset:
            return self._canvas
        self._shown = (whole, inset)
        assert whole is not None
        if self._base is None or self._base_of is not whole:
            box = fit(whole.width, whole.height, self._whole)
            self._base, self._base_of = _scaled(whole, box), whole
            if box != self._whole:
                picture, self._base = self._base, _blank(self._whole)
                _paste(self._base, picture, box)
        self._canvas = self._base
        if inset is not None:
            self._canvas = av.VideoFrame(self._whole.width, self._whole.height, "yuv420p")
            _paste(self._canvas, self._base, self._whole)
            box = self._inset(inset)
            _paste(self._canvas, _scaled(inset, box), box)
        return self._canvas

    def _inset(self, camera: av.VideoFrame) -> Box:
        width = self._whole.width // INSET_PART
        box = fit(camera.width, camera.height, Box(0, 0, width, width))  # a portrait picture is no larger
        x = (self._whole.width - box.width - INSET_MARGIN) // 2 * 2
        return Box(x, (self._whole.height - box.height - INSET_MARGIN) // 2 * 2, box.width, box.height)


def jpeg(frame: av.VideoFrame, width: int, height: int) -> bytes:
    """One picture as a JPEG file."""
    context = av.CodecContext.create("mjpeg", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuvj420p"
    context.time_base = Fraction(1, FPS)
    context.thread_count = 1
    context.flags |= 1 << 23  # AV_CODEC_FLAG_BITEXACT: no encoder's name in the file
    picture = frame.reformat(width, height, format="yuvj420p", interpolation=Interpolation.AREA)
    picture.pts = 0
    return b"".join(bytes(p) for p in [*context.encode(picture), *context.encode(None)])


def _scaled(frame: av.VideoFrame, box: Box) -> av.VideoFrame:
    return frame.reformat(box.width, box.height, format="yuv420p", interpolation=Interpolation.BILINEAR)


def _blank(box: Box) -> av.VideoFrame:
    frame = av.VideoFrame(box.width, box.height, "yuv420p")
    for plane, value in zip(frame.planes, _BLACK, strict=True):
        plane.update(bytes((value,)) * plane.buffer_size)
    return frame


def _paste(canvas: av.VideoFrame, picture: av.VideoFrame, box: Box) -> None:
    for number, (target, source) in enumerate(zip(canvas.planes, picture.planes, strict=True)):
        part = 2 if number else 1
        width, height = box.width // part, box.height // part
        to, of = memoryview(target), memoryview(source)
        if len(to) == len(of) and target.line_size == source.line_size == width:
            to[:] = of
            continue
        start, step = box.y // part * target.line_size + box.x // part, target.line_size
        for row in range(height):
            at, line = start + row * step, row * source.line_size
            to[at : at + width] = of[line : line + width]
