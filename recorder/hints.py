"""Where a recording is silent and where its slides change, found by a process: `python -m recorder.hints`.

Reads a JSON object from standard input (`source`, `tracks`, `model`), prints one: `silences`, spans in ms,
and `slides`, moments in ms. Slides are looked for in keyframes only, one every 2 s, which costs a fiftieth of
decoding everything. Lowest priority; exit 3: the source cannot be read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av

from recorder.render import NICE, UNREADABLE
from recorder.sandbox import confine
from recorder.speech import BLOCK, RATE, SpeechDetector, detector

SILENCE_MS = 1_000  # a shorter pause is breath
MAX_SPANS = 5_000
SLIDE_CHANGE = 12  # mean difference of brightness, of 255
_SMALL = (32, 18)  # pixels a slide is compared in


def spans(silent: Iterable[bool], block_ms: float) -> list[tuple[int, int]]:
    """Stretches of at least `SILENCE_MS`, from one flag for each block of `block_ms`."""
    found: list[tuple[int, int]] = []
    begun: int | None = None
    number = -1
    for number, quiet in enumerate(silent):
        if quiet and begun is None:
            begun = number
        elif not quiet and begun is not None:
            found.append((round(begun * block_ms), round(number * block_ms)))
            begun = None
    if begun is not None:
        found.append((round(begun * block_ms), round((number + 1) * block_ms)))
    return [(start, end) for start, end in found if end - start >= SILENCE_MS][:MAX_SPANS]


def silences(path: Path, speech: SpeechDetector) -> list[tuple[int, int]]:
    """Spans without a voice."""
    return spans((not speech.is_speech(block) for block in _blocks(path)), BLOCK * 1000 / RATE)


def _blocks(path: Path) -> Iterator[bytes]:
    """The sound from time 0 in blocks of `BLOCK` samples: 16 kHz, mono, signed 16 bit."""
    waiting = bytearray()
    with av.open(str(path), format="mp4") as container:
        if not container.streams.audio:
            return
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in container.decode(container.streams.audio[0]):
            for out in resampler.resample(frame):
                waiting += bytes(out.planes[0])[: out.samples * 2]
            while len(waiting) >= BLOCK * 2:
                yield bytes(waiting[: BLOCK * 2])
                del waiting[: BLOCK * 2]


def slides(path: Path, number: int) -> list[int]:
    """When the picture of video track `number` became another one, in ms; not its first."""
    found: list[int] = []
    before: bytes | None = None
    with av.open(str(path), format="mp4") as container:
        stream = container.streams.video[number]
        stream.codec_context.skip_frame = "NONKEY"
        base = stream.time_base or Fraction(1, 90_000)
        for packet in container.demux(stream):
            if packet.pts is not None and not packet.is_keyframe:
                continue
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                assert isinstance(frame, av.VideoFrame)
                small = _thumb(frame)
                if before is not None and _difference(before, small) > SLIDE_CHANGE:
                    found.append(round(float((frame.pts or 0) * base) * 1000))
                before = small
    return found[:MAX_SPANS]


def _thumb(frame: av.VideoFrame) -> bytes:
    small = frame.reformat(*_SMALL, format="gray")
    plane = small.planes[0]
    data, width = bytes(plane), _SMALL[0]
    return b"".join(data[at : at + width] for at in range(0, plane.line_size * _SMALL[1], plane.line_size))


def _difference(one: bytes, other: bytes) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def main(source: BinaryIO) -> int:
    """Entry point; returns the exit code."""
    confine(nice=NICE)
    job = json.loads(source.read())
    path, tracks = Path(job["source"]), job["tracks"]
    try:
        quiet = silences(path, detector(job["model"]))
        changed = slides(path, tracks.index("screen")) if "screen" in tracks else []
    except (av.FFmpegError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return UNREADABLE
    sys.stdout.write(json.dumps({"silences": quiet, "slides": changed}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer))
