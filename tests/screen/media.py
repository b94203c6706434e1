"""A lesson's pictures with something forbidden in some of them, encoded as a publisher would."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import av
import numpy as np

from liveserver.core.screening import Action, Category, Kind, Mode, Rule
from liveserver.screen.wire import Frame, Open
from loadtest.pattern import VIDEO_TIME_BASE, video_encoder
from tests.screen import magenta

STEP_MS = 40
RULES = (
    Rule(Kind.FRAME, Category.PORN, 0.3, Action.WARN),
    Rule(Kind.FRAME, Category.PORN, 0.6, Action.BLANK),
)
PATCH = (0.2, 0.2, 0.7, 0.7)  # a quarter of the picture


class Camera:
    """Frames of one lane, 25 a second, a keyframe each 2 s. The picture is a grey ramp; a bar moves.

    `painted(number)` says whether the forbidden patch is in a frame.
    """

    def __init__(
        self,
        codec: str = "h264",
        lane: int = 1,
        *,
        width: int = 320,
        height: int = 180,
        painted: Callable[[int], bool] = lambda number: False,
        patch: tuple[float, float, float, float] = PATCH,
        moving: bool = True,
        begins_ms: int = 1_000_000,
    ):
        self.codec, self.lane, self.number = codec, lane, 0
        self._size = width, height
        self._painted, self._patch, self._moving = painted, patch, moving
        self._begins_ms = begins_ms
        self._encoder = video_encoder(codec, width, height, 25, 600_000)
        self._noise = np.random.default_rng(7)

    def take(self, count: int) -> Iterator[Frame]:
        for _ in range(count):
            self.number += 1
            (packet,) = self._encoder.encode(self.draw(self.number))
            at_ms = self._begins_ms + self.number * STEP_MS
            timestamp = (2**32 - 900_000 + self.number * STEP_MS * 90) & 0xFFFFFFFF
            data = bytes(packet)
            yield Frame(self.lane, self.number, timestamp, at_ms, packet.is_keyframe, self.codec, data)

    def draw(self, number: int) -> av.VideoFrame:
        width, height = self._size
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane, level in zip(frame.planes, (90, 128, 128), strict=True):
            pixels = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
            pixels[:] = level
            if level == 90:
                pixels += np.linspace(0, 60, pixels.shape[1]).astype(np.uint8)
                pixels += self._noise.integers(0, 4, pixels.shape, dtype=np.uint8)
                if self._moving:
                    bar = number * 5 % width
                    pixels[height * 9 // 10 :, bar : bar + width // 8] = 200
        if self._painted(number):
            magenta.paint(frame, *self._patch)
        frame.pts, frame.time_base = number * STEP_MS * 90, VIDEO_TIME_BASE
        return frame


def opened(mode: Mode = Mode.WATCH, lane: int = 1, rules: tuple[Rule, ...] = RULES) -> Open:
    return Open(lane, "camera", mode, rules)


def seeded(seed: int) -> random.Random:
    """Chance that a failing test can name."""
    return random.Random(seed)
