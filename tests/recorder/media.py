"""Real encoded media for the recorder's tests: a lesson as a node would feed it.

Pictures are black with a white flash in the first 100 ms of each second, the sound is silence with a tone at
the same time, so that lips and voice can be compared in the finished file.
"""

from __future__ import annotations

import array
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import av
from av.video.frame import PictureType

NTP_EPOCH_S = 2_208_988_800
FLASH_MS = 100
START_MS = 1_780_000_000_000  # any time of day


@dataclass(frozen=True)
class Fed:
    """One frame as `RecorderClient.frame` takes it; `at_ms` is when it was captured, from the start."""

    at_ms: int
    track: str
    codec: str
    rtp_timestamp: int
    clock_rate: int
    keyframe: bool
    arrival_ms: int
    data: bytes
    lost_before: int = 0
    source: int = 0

    def arguments(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "at_ms"}


def _picture(width: int, height: int, at_ms: int) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, "yuv420p")
    flash = at_ms % 1000 < FLASH_MS
    for number, plane in enumerate(frame.planes):
        plane.update(bytes((235 if flash else 16,) if number == 0 else (128,)) * plane.buffer_size)
    return frame


def video(
    seconds: float,
    *,
    codec: str = "h264",
    track: str = "camera",
    width: int = 320,
    height: int = 240,
    fps: int = 25,
    from_ms: int = 0,
    late_ms: int = 0,
    rtp_base: int = 0x12345678,
    source: int = 1,
    bitrate: int = 300_000,
) -> list[Fed]:
    """Frames of one video track, a keyframe every 2 s; they arrive `late_ms` after their capture."""
    context = av.CodecContext.create("libx264" if codec == "h264" else "libvpx", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base = Fraction(1, 90_000)
    context.framerate = Fraction(fps)
    context.bit_rate = bitrate
    if codec == "h264":
        context.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "profile": "baseline",
            "forced-idr": "1",
        }
    else:
        context.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    fed = []
    for number in range(round(seconds * fps)):
        at_ms = from_ms + number * 1000 // fps
        frame = _picture(width, height, at_ms)
        frame.pts = number * 90_000 // fps
        frame.time_base = Fraction(1, 90_000)
        frame.pict_type = PictureType.I if number % (2 * fps) == 0 else PictureType.NONE
        for packet in context.encode(frame):
            rtp = (rtp_base + at_ms * 90) & 0xFFFFFFFF
            arrival = START_MS + at_ms + late_ms
            fed.append(
                Fed(at_ms, track, codec, rtp, 90_000, packet.is_keyframe, arrival, bytes(packet), 0, source)
            )
    return fed


def audio(
    seconds: float, *, from_ms: int = 0, late_ms: int = 0, rtp_base: int = 777, source: int = 2
) -> list[Fed]:
    """Opus packets of 20 ms; a 1 kHz tone in the first 100 ms of each second."""
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout, context.format = 48_000, "stereo", "s16"
    context.bit_rate = 64_000
    context.time_base = Fraction(1, 48_000)
    # libopus looks ahead by 312 samples (6.5 ms): what a real sender does too.
    fed = []
    number = 0
    for block in range(round(seconds * 50)):
        frame = av.AudioFrame(format="s16", layout="stereo", samples=960)
        frame.sample_rate = 48_000
        frame.pts = block * 960
        frame.time_base = Fraction(1, 48_000)
        samples = array.array("h")
        for n in range(960):
            at_ms = from_ms + block * 20 + n // 48
            on = at_ms % 1000 < FLASH_MS
            value = int(12_000 * math.sin(2 * math.pi * n / 48)) if on else 0
            samples.append(value)
            samples.append(value)
        frame.planes[0].update(samples.tobytes())
        for packet in context.encode(frame):
            at = from_ms + number * 20
            rtp = (rtp_base + at * 48) & 0xFFFFFFFF
            fed.append(
                Fed(at, "audio", "opus", rtp, 48_000, True, START_MS + at + late_ms, bytes(packet), 0, source)
            )
            number += 1
    return fed


def in_order(*tracks: list[Fed]) -> list[Fed]:
    """All frames in the order of their arrival."""
    return sorted((frame for track in tracks for frame in track), key=lambda frame: frame.arrival_ms)


def ntp(at_ms: float, sender_offset_ms: int = 0) -> int:
    """The publisher's NTP clock at `at_ms` from the start."""
    return round((START_MS + at_ms + sender_offset_ms) / 1000 * 2**32) + (NTP_EPOCH_S << 32)


def report_of(frame: Fed, sender_offset_ms: int = 0) -> dict[str, object]:
    """The sender report that belongs to a frame, as `RecorderClient.report` takes it."""
    return {
        "track": frame.track,
        "ntp": ntp(frame.at_ms, sender_offset_ms),
        "rtp_timestamp": frame.rtp_timestamp,
    }


def without(frames: list[Fed], from_ms: int, to_ms: int) -> Iterator[Fed]:
    """Lose what was captured in a span; the next frame says so."""
    lost = 0
    for frame in frames:
        if from_ms <= frame.at_ms < to_ms:
            lost += 1
            continue
        yield replace(frame, lost_before=lost)
        lost = 0
