"""A publisher on paper: real frames with their times, and back from parts to pictures and sound."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av

from liveserver.packaging.lane import Lane
from liveserver.packaging.wire import Frame, Init, Part, ToNode
from loadtest.pattern import Picture, read_stamp, video_encoder

BEGAN_MS = 1_790_000_000_000


@dataclass
class Publisher:
    """Frames of both tracks in the order they come. `fps` may be less than one a second."""

    fps: float = 25
    keyframe_s: float = 2.0
    sound: bool = True
    width: int = 320
    height: int = 240
    jitter_ms: tuple[int, ...] = (0,)
    began_ms: int = BEGAN_MS
    source: int = 7

    def frames(self, seconds: float) -> Iterator[Frame]:
        made = [*self._pictures(seconds), *(self._sounds(seconds) if self.sound else ())]
        yield from sorted(made, key=lambda frame: frame.arrival_ms)

    def _pictures(self, seconds: float) -> Iterator[Frame]:
        encoder = video_encoder("h264", self.width, self.height, 25, 500_000)
        pattern = Picture(self.width, self.height)
        key_at = 0.0
        for number in range(int(seconds * self.fps)):
            at_s = number / self.fps
            image = pattern.draw(number, int(at_s * 90_000))
            image.pict_type = av.video.frame.PictureType.NONE
            if at_s >= key_at:
                image.pict_type = av.video.frame.PictureType.I
                key_at += self.keyframe_s
            for packet in encoder.encode(image):
                late_ms = 30 + self.jitter_ms[number % len(self.jitter_ms)]
                yield Frame(
                    1, "video", "h264", packet.is_keyframe, False, self.source, int(at_s * 90_000) + 5000,
                    self.began_ms + round(at_s * 1000) + late_ms, bytes(packet),
                )  # fmt: skip

    def _sounds(self, seconds: float) -> Iterator[Frame]:
        encoder = av.CodecContext.create("libopus", "w")
        encoder.sample_rate, encoder.layout, encoder.format = 48_000, "stereo", "flt"
        number = 0
        for index in range(int(seconds * 50)):
            frame = av.AudioFrame(format="flt", layout="stereo", samples=960)
            frame.sample_rate, frame.pts, frame.time_base = 48_000, index * 960, Fraction(1, 48_000)
            for packet in encoder.encode(frame):
                at_ms = self.began_ms + number * 20 + 30
                yield Frame(
                    1, "audio", "opus", False, False, self.source + 1, number * 960 + 90, at_ms, bytes(packet)
                )
                number += 1


def run(lane: Lane, frames: Sequence[Frame], until_ms: int | None = None) -> list[ToNode]:
    """What the lane makes of `frames`, and of the time that goes by (every 40 ms)."""
    made: list[ToNode] = []
    now_ms = frames[0].arrival_ms if frames else BEGAN_MS
    for frame in frames:
        while now_ms + 40 <= frame.arrival_ms:
            now_ms += 40
            made += lane.tick(now_ms)
        made += lane.push(frame)
    while until_ms is not None and now_ms < until_ms:
        now_ms += 40
        made += lane.tick(now_ms)
    return made


def parts(made: Sequence[ToNode]) -> list[Part]:
    return [message for message in made if isinstance(message, Part)]


def inits(made: Sequence[ToNode]) -> list[Init]:
    return [message for message in made if isinstance(message, Init)]


@dataclass
class Played:
    """What a player gets: time codes and times of the pictures, times of the sound."""

    codes: list[int | None]
    picture_s: list[float]
    sound_s: list[float]


def play(init: bytes, pieces: Sequence[bytes]) -> Played:
    """Decode an init segment and what follows it. FFmpeg must find no error."""
    found = Played([], [], [])
    with av.open(io.BytesIO(init + b"".join(pieces)), format="mp4") as container:
        for frame in container.decode():
            assert frame.time is not None
            if isinstance(frame, av.VideoFrame):
                plane = frame.planes[0]
                found.codes.append(read_stamp(memoryview(plane), frame.width, frame.height, plane.line_size))
                found.picture_s.append(frame.time)
            else:
                found.sound_s.append(frame.time)
    return found
